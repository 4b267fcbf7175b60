"""`qadb config`: every value, where it came from, no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qadb.cli.app import app
from tests.cli.conftest import read_json
from tests.cli.verbs import CANARY, CANARY_URL

if TYPE_CHECKING:
    from pathlib import Path


def config(*words: str) -> Result:
    return CliRunner().invoke(app, ["config", *words])


def test_text_shows_value_and_source_in_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QADB_BACKUP_DIR", "/var/backups")
    (tmp_path / ".env").write_text("DATABASE_POOL_SIZE=3\n")

    result = config("--tenant", "acme")

    assert (result.exit_code, result.stderr) == (0, "")
    lines = {line.split()[0]: line.split(maxsplit=2)[1:] for line in result.stdout.splitlines()}
    assert lines["Setting"] == ["Value", "Source"]
    assert lines["QADB_BACKUP_DIR"] == ["/var/backups", "environment"]
    assert lines["DATABASE_POOL_SIZE"] == ["3", f".env ({tmp_path / '.env'})"]
    assert lines["QADB_TENANT"] == ["acme", "option --tenant"]
    assert lines["DATABASE_ECHO"] == ["false", "default"]
    assert lines["QADB_SLOW_QUERY_MS"] == ["-", "default"]


def test_json_has_plain_values() -> None:
    document = read_json(config("--json").stdout)

    assert document["command"] == "config"
    assert document["database"] is None
    assert document["values"]["DATABASE_POOL_SIZE"] == {"value": 10, "source": "default"}
    assert document["values"]["DATABASE_ECHO"] == {"value": False, "source": "default"}
    assert document["values"]["QADB_TENANT"] == {"value": None, "source": "default"}


@pytest.mark.parametrize("option", ["--json", "--debug", "-vv"])
def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setenv("DATABASE_URL", CANARY_URL)
    monkeypatch.setenv("DATABASE__PASSWORD", CANARY)

    result = config(option)

    assert result.exit_code == 0
    assert "postgresql://qa:***@db.example.org" in result.stdout
    assert CANARY not in result.output
    assert "c%40n" not in result.output


def test_quiet_says_nothing() -> None:
    assert config("--quiet").output == ""

"""Start-up: what the quick commands must not import."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qadb.backends.base import Backend
from qadb.cli.app import VERBS

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = {"sqlalchemy", "alembic", "psycopg2", "sqlite3", "_sqlite3"}
HEAVY = {"rich", "pydantic", "dotenv", "markdown_it", "pygments"}

SCRIPT = """
import sys
from qadb.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(sys.modules), file=sys.stderr)
"""


def modules_after(*words: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return set(result.stderr.split())


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], *[[verb, "--help"] for verb in VERBS]]
)
def test_quick_commands_load_neither_database_nor_rich(words: list[str]) -> None:
    assert modules_after(*words) & (DATABASE | HEAVY) == set()


def test_configuration_is_read_without_the_database() -> None:
    words = ["config", "-v", "--tenant", "acme", "--database-url", "sqlite:///x.db", "--json"]

    assert modules_after(*words) & (DATABASE | HEAVY) == set()


def test_what_runs_no_revision_loads_no_alembic(tmp_path: Path) -> None:
    url = ["--database-url", f"sqlite:///{tmp_path / 'qa.sqlite3'}"]
    assert "alembic" in modules_after("init", *url)
    backup = str(tmp_path / "qa.qadb")

    for words in (
        ["status", "--check"],
        ["stats"],
        ["cleanup", "--dry-run"],
        ["backup", backup, "--verify"],
        ["restore", backup, "--verify-only"],
        ["restore", backup, "--yes", "--no-safety-backup"],
    ):
        found = modules_after(*words, *url)
        assert "sqlalchemy" in found
        assert "alembic" not in found, words


def test_what_a_command_does_not_use_of_an_engine_is_not_loaded(tmp_path: Path) -> None:
    url = ["--database-url", f"sqlite:///{tmp_path / 'qa.sqlite3'}"]
    modules_after("init", *url)

    found = modules_after("status", *url)

    assert "qadb.backends.sqlite.connector" in found
    for part in (Backend.cleaner, Backend.dumper, Backend.inspector, Backend.restorer):
        assert f"qadb.backends.sqlite.{part.module}" not in found

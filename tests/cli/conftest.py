"""Fixtures of the command line's tests: an empty folder and an environment without settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from typer.testing import CliRunner, Result

from tests.cli.program import app
from tests.support.databases import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database

# What changes the output's colours or buffers is the tests' to set.
FOREIGN = {"DEBUG", "NO_COLOR", "COLUMNS", "PYTHONUNBUFFERED", "PYTHONIOENCODING"}
CHECKOUT = Path(__file__).parents[2]

Invoke: TypeAlias = Callable[..., Result]
StartProgram: TypeAlias = "Callable[..., subprocess.Popen[str]]"
RunProgram: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("QADB_", "DATABASE_", "PG")) or name in FOREIGN:
            monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def database(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database at the newest revision, which the settings name."""
    monkeypatch.setenv("QADB_DATABASE_URL", migrated_url)
    with open_database(migrated_url) as opened:
        yield opened


@pytest.fixture
def invoke() -> Invoke:
    """Run a command line of the tests' verbs in this process."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, list(words), catch_exceptions=False)

    return run


def program(words: Sequence[str], module: str = "tests.cli.program") -> list[str]:
    return [sys.executable, "-m", module, *words]


@pytest.fixture
def run_program() -> RunProgram:
    """Run a command line of the tests' verbs as a process; stdout and stderr are apart."""

    def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.run(program(words), check=False, text=True, timeout=30, **options)

    return run


def read_json(text: str) -> dict[str, Any]:
    """Read the one document that stdout must be."""
    document = json.loads(text)
    assert isinstance(document, dict)
    assert document["schema_version"] == 1
    return document

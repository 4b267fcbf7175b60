"""Logs: on stderr, at the wanted level, without secrets, and only while a command runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import sqlalchemy

from qadb.cli.logs import SQL_LOGGER, StderrHandler, logging_to_stderr
from qadb.settings import load_settings
from tests.cli.verbs import CANARY, CANARY_URL

if TYPE_CHECKING:
    from tests.cli.conftest import Invoke


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", CANARY_URL)


@pytest.mark.parametrize(
    ("options", "levels"),
    [((), ["warning"]), (("-v",), ["info", "warning"]), (("-vv",), ["debug", "info", "warning"])],
)
def test_level_decides_what_is_logged(
    invoke: Invoke, options: tuple[str, ...], levels: list[str]
) -> None:
    result = invoke("log", *options)

    assert result.stdout == "logged\n"
    assert result.stderr == "".join(
        f"{level.upper()}: qadb.tests: {level} with ***\n" for level in levels
    )


def test_quiet_does_not_silence_warnings(invoke: Invoke) -> None:
    assert invoke("log", "--quiet").stderr == "WARNING: qadb.tests: warning with ***\n"


def test_logging_is_as_before_when_the_command_ends(invoke: Invoke) -> None:
    root, logger = logging.getLogger(), logging.getLogger("qadb")
    before = (list(root.handlers), logger.level)

    invoke("log", "-vv")
    invoke("crash", "-vv")

    assert (list(root.handlers), logger.level) == before


def test_traceback_in_a_log_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(load_settings()):
        try:
            int(CANARY)
        except ValueError:
            logging.getLogger("another.library").exception("It failed")

    stderr = capsys.readouterr().err
    assert "Traceback" in stderr
    assert "ValueError: invalid literal" in stderr
    assert CANARY not in stderr


def test_record_that_can_not_be_formatted_is_reported_without_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("qadb.tests", logging.WARNING, __file__, 1, "%d", (CANARY,), None)
    StderrHandler().handle(logging.LogRecord(*arguments))

    stderr = capsys.readouterr().err
    assert stderr == "A log record of qadb.tests could not be written.\n"


@pytest.mark.parametrize("variable", ["DATABASE_ECHO", "DEBUG"])
@pytest.mark.parametrize("echo", [True, False])
def test_sql_goes_to_stderr_and_never_to_stdout(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    echo: bool,
) -> None:
    monkeypatch.setenv(variable, "true")

    with logging_to_stderr(load_settings()):
        engine = sqlalchemy.create_engine("sqlite://", echo=echo)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT :value"), {"value": CANARY})
        engine.dispose()

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("SELECT ?") == 1
    assert CANARY not in captured.err
    assert logging.getLogger(SQL_LOGGER).handlers == []

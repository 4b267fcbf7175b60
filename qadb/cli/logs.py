"""Logging on the command line: the library's loggers, on stderr, without secrets.

Owns the one handler of the process and its life, which is a command's. What is logged at which
level is the library's, and hiding secrets is the formatter's.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.cli import streams
from qadb.cli.text import escape_controls_in_lines
from qadb.settings.logs import RedactingFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.settings import Settings

# The logger of SQLAlchemy's engines. With `echo` it gives itself a handler that writes to stdout,
# unless it has one.
SQL_LOGGER = "sqlalchemy.engine.Engine"


class StderrHandler(logging.Handler):
    """Writes records to the stderr of the moment; a progress bar that stands there moves aside."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; failing to do so never ends the work that is logged."""
        try:
            streams.write("stderr", f"{escape_controls_in_lines(self.format(record))}\n")
        except Exception:  # noqa: BLE001 - whatever a formatter raises, logging must not
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a record is missing; unlike logging's own, show no part of it."""
        try:
            streams.write("stderr", f"A log record of {record.name} could not be written.\n")
        except OSError:
            return


@contextmanager
def logging_to_stderr(settings: Settings) -> Iterator[None]:
    """Log to stderr while the command runs, at the settings' level; SQL too where wanted.

    The handler sits on the root logger: what other libraries warn about would otherwise reach
    stderr through Python's last resort, with its secrets.
    """
    handler = StderrHandler()
    handler.setFormatter(
        RedactingFormatter("%(levelname)s: %(name)s: %(message)s", secrets=settings.secrets)
    )
    with (
        _handled(logging.getLogger(), handler),
        _at_level(logging.getLogger("qadb"), settings.log_level.upper()),
    ):
        if not (settings.echo or settings.debug):
            yield
            return
        sql = logging.getLogger(SQL_LOGGER)
        with _handled(sql, handler, propagate=False), _at_level(sql, "INFO"):
            yield


@contextmanager
def _handled(
    logger: logging.Logger, handler: logging.Handler, *, propagate: bool = True
) -> Iterator[None]:
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = propagate
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


@contextmanager
def _at_level(logger: logging.Logger, level: str) -> Iterator[None]:
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)

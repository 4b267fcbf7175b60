"""Logs statements that take long, with their durations and without their parameters."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import event

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

logger = logging.getLogger("qadb.sql")

_STARTED = "qadb_statement_started"


def log_slow_queries(engine: Engine, slow_query_ms: int) -> None:
    """Warn of every statement on this engine that takes at least as many milliseconds.

    The time is that until the first rows can be fetched, or until the statement failed. Literals
    that somebody wrote into the text of a statement are shown with it.
    """

    def before(connection: Connection, _cursor: object, _statement: str, *_rest: object) -> None:
        connection.info[_STARTED] = time.perf_counter()

    def after(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        _report(connection, statement, slow_query_ms)

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None and context.statement is not None:
            _report(context.connection, context.statement, slow_query_ms)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed, insert=True)  # before one that raises


def _report(connection: Connection, statement: str, slow_query_ms: int) -> None:
    started = connection.info.pop(_STARTED, None)
    if started is None:  # it failed before it was sent
        return
    elapsed_ms = (time.perf_counter() - started) * 1000
    if elapsed_ms >= slow_query_ms:
        logger.warning("%.0f ms: %s", elapsed_ms, " ".join(statement.split()))

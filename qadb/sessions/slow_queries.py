"""Logs statements that take long, with their durations and without their parameters."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import event

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

logger = logging.getLogger("qadb.sql")

_STARTED = "qadb_statement_started"


def log_slow_queries(engine: Engine, slow_query_ms: int) -> None:
    """Warn of every statement on this engine that takes at least as many milliseconds.

    The time is that until the first rows can be fetched. Literals that somebody wrote into the text
    of a statement are shown with it.
    """

    def before(connection: Connection, _cursor: object, _statement: str, *_rest: object) -> None:
        connection.info[_STARTED] = time.perf_counter()

    def after(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        elapsed_ms = (time.perf_counter() - connection.info.pop(_STARTED)) * 1000
        if elapsed_ms >= slow_query_ms:
            logger.warning("%.0f ms: %s", elapsed_ms, " ".join(statement.split()))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)

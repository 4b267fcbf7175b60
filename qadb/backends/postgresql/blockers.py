"""Who keeps a migration waiting: watched from a connection of its own while it waits.

The session that waits can't ask, and once its time is out nobody blocks it any more. Owns the
watching and the words for it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Self

from sqlalchemy.exc import SQLAlchemyError

from qadb.backends.postgresql.query_text import spell_query
from qadb.errors import QadbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

POLL_SECONDS = 0.5
LONGEST_GOODBYE_SECONDS = 5.0
MOST_SHOWN = 3

# One row a session that a process waits for: its pid; who that is; how long its transaction lasts,
# in seconds; the query that it is at, or was last; how long that is ago, in seconds.
BLOCKERS = """
SELECT a.pid, concat_ws(', ', coalesce(a.client_hostname, host(a.client_addr), 'the server'),
                        a.usename, nullif(a.application_name, '')),
    extract(epoch FROM clock_timestamp() - a.xact_start)::float,
    a.query, extract(epoch FROM clock_timestamp() - a.query_start)::float
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(%s))
ORDER BY a.xact_start, a.pid
"""


class BlockerWatch:
    """Looks now and again whom the connection that runs revisions waits for.

    Args:
        engine: makes the connection that looks; one that can't be had is done without.
        tell: gets a sentence whenever somebody else is in the way.

    Attributes:
        last_seen: who was in the way when somebody last was; None before that.
        blocking_pid: the server process of the first of them.
    """

    def __init__(self, engine: Engine, tell: Callable[[str], None]) -> None:
        self.last_seen: str | None = None
        self.blocking_pid: int | None = None
        self._engine = engine
        self._tell = tell
        self._pid: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="qadb-blockers", daemon=True)

    def __enter__(self) -> Self:
        """Watch until the block ends."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching; a look that hangs is left behind."""
        self._ended.set()
        self._thread.join(LONGEST_GOODBYE_SECONDS)

    def follow(self, pid: int) -> None:
        """Watch this server process: behind a pooler each transaction may have another."""
        self._pid = pid

    def _watch(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(SQLAlchemyError, QadbError))  # a courtesy
            connection: Connection | None = None
            while not self._ended.wait(POLL_SECONDS):
                if connection is None:
                    connection = stack.enter_context(self._engine.connect())
                if self._pid is not None:
                    self._look(connection, self._pid)

    def _look(self, connection: Connection, pid: int) -> None:
        rows = connection.exec_driver_sql(BLOCKERS, (pid,)).all()
        connection.rollback()  # a snapshot that is kept would hold up others
        if not rows:
            return
        is_new = rows[0][0] != self.blocking_pid
        self.blocking_pid = rows[0][0]
        self.last_seen = "; ".join(_describe(*row) for row in rows[:MOST_SHOWN]) + "."
        if is_new:
            self._tell(f"Waiting for {self.last_seen}")


def _describe(
    pid: int, who: str, seconds: float | None, query: str | None, ago: float | None
) -> str:
    """Tell who it is and what it is at, with no value of the query: it may be a secret."""
    shown = spell_query(query)
    lasting = "" if seconds is None else f", {seconds:.0f} s in its transaction"
    since = "" if not shown else f", {ago or 0:.0f} s ago: {shown}"
    return f"pid {pid} on {who}{lasting}{since}"

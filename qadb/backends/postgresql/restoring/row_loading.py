"""Loads rows, as COPY has given them, into tables on several sessions at once.

All of a session's rows are one transaction: where one fails, the database is dropped anyway.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import psycopg2

from qadb.backends.postgresql.driver import catching_printed_errors
from qadb.backends.postgresql.programs.finding import VERSION_DIGITS
from qadb.backends.postgresql.range_queue import Over, RangeQueue
from qadb.backends.postgresql.restoring.sessions import Sessions
from qadb.backends.postgresql.time_limits import no_limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qadb.backends.postgresql.range_queue import QueuedRange
    from qadb.settings import DatabaseUrl


class Rows(NamedTuple):
    """A piece of a range of rows.

    Attributes:
        statement: the COPY that takes the range.
        range: its name; those of one stand together.
        data: some of what COPY has given.
    """

    statement: str
    range: str
    data: bytes


# As pg_restore sets them. Triggers, keys and policies come after the rows.
PREPARE_SQL = """
SET LOCAL lock_timeout = 0;
SET LOCAL xmloption = content;
SET LOCAL search_path = '';
SET LOCAL row_security = off;
"""


def load_rows(url: DatabaseUrl, rows: Iterable[Rows], count: int) -> None:
    """Load all rows, in no certain order.

    Args:
        url: the database.
        rows: asked for more as soon as there is somebody to take it.
        count: how many sessions.

    Raises:
        psycopg2.Error: the server refuses a row, or has no room for it.
    """
    sessions = Sessions(url, count)
    ready = RangeQueue[str](1, sessions.is_over)

    def give_all() -> None:
        with suppress(Over):
            for (statement, _), pieces in groupby(rows, lambda piece: piece[:2]):
                given = ready.begin(statement)
                for piece in pieces:
                    given.give(piece.data)
                given.end()
            for _ in range(count):
                ready.end()

    with catching_printed_errors() as printed:
        try:
            sessions.run(lambda connection: _load(connection, ready), give_all)
        except psycopg2.OperationalError as error:
            if printed:
                raise printed[0] from error
            raise


def _load(connection: psycopg2.extensions.connection, ready: RangeQueue[str]) -> None:
    """Load one range after the other, until nothing more comes."""
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(PREPARE_SQL)
        cursor.execute(no_limits(connection.info.server_version // VERSION_DIGITS))
        while (rows := ready.take()) is not None:
            cursor.copy_expert(rows.about, _Source(rows))
    connection.commit()


class _Source:
    """A range as a file."""

    def __init__(self, rows: QueuedRange[str]) -> None:
        self._pieces = iter(rows)

    def read(self, size: int = 0, /) -> bytes:
        """Return all of a piece, as the driver takes what it gets."""
        del size
        return next(self._pieces, b"")

    def readline(self, size: int = 0, /) -> bytes:
        """The driver wants a file to have it, and does not call it."""
        return self.read(size)

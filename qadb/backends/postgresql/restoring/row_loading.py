"""Loads rows, as COPY's text, into tables on several sessions at once.

All of a session's rows are one transaction: where one fails, the database is dropped anyway.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, TypeAlias

import psycopg2

from qadb.backends.postgresql.driver import catching_printed_errors
from qadb.backends.postgresql.programs.finding import VERSION_DIGITS
from qadb.backends.postgresql.restoring.sessions import Sessions
from qadb.backends.postgresql.time_limits import no_limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import Event

    from qadb.settings import DatabaseUrl

Rows: TypeAlias = "tuple[str, bytes]"
"""The COPY that takes them, and some whole rows."""

READY_PIECES = 2  # that wait for a session each; more would only take memory
WAIT_SECONDS = 0.1

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
    pieces = _Pieces(count * READY_PIECES, sessions.is_over)

    def give_all() -> None:
        with suppress(_Over):
            for piece in rows:
                pieces.give(piece)
            for _ in range(count):
                pieces.give(None)

    with catching_printed_errors() as printed:
        try:
            sessions.run(pieces.load, give_all)
        except psycopg2.OperationalError as error:
            if printed:
                raise printed[0] from error
            raise


class _Pieces:
    """Hands pieces from one thread to others; whoever waits ends when nothing is to be done."""

    def __init__(self, room: int, is_over: Event) -> None:
        self._ready: Queue[Rows | None] = Queue(room)
        self._is_over = is_over

    def give(self, piece: Rows | None) -> None:
        """Put a piece where a session takes it; None ends one."""
        while not self._is_over.is_set():
            with suppress(Full):
                self._ready.put(piece, timeout=WAIT_SECONDS)
                return
        raise _Over

    def take(self) -> Rows | None:
        """What is next; None where nothing comes any more."""
        while not self._is_over.is_set():
            with suppress(Empty):
                return self._ready.get(timeout=WAIT_SECONDS)
        raise _Over

    def load(self, connection: psycopg2.extensions.connection) -> None:
        """Load one piece after the other; those for the same table are one COPY."""
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute(PREPARE_SQL)
            cursor.execute(no_limits(connection.info.server_version // VERSION_DIGITS))
            piece = self.take()
            while piece is not None:
                source = _Source(piece, self)
                cursor.copy_expert(piece[0], source)
                piece = source.following
        connection.commit()


class _Source:
    """Pieces for one statement as a file; it ends where one comes for another."""

    def __init__(self, piece: Rows, pieces: _Pieces) -> None:
        self._statement, self._data = piece
        self._pieces = pieces
        self.following: Rows | None = None

    def read(self, size: int = 0, /) -> bytes:
        """Return all of a piece, as the driver takes what it gets."""
        del size
        if self._data:
            data, self._data = self._data, b""
            return data
        self.following = self._pieces.take()
        if self.following is None or self.following[0] != self._statement:
            return b""
        return self.following[1]

    def readline(self, size: int = 0, /) -> bytes:
        """The driver wants a file to have it, and does not call it."""
        return self.read(size)


class _Over(Exception):
    """Nothing more is to be loaded."""

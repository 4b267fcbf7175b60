"""A SQLite file that nobody writes to while one reads it: its bytes are those of one moment.

That saves a copy, and the room for it. It needs WAL mode, a log that the file already has all of,
and Linux, where a lock says whose it is. Others' commits try to move the log into the file, and
take the longer for it the longer the log has become: a large file is rather copied.
"""

from __future__ import annotations

import os
import select
import sqlite3
import sys
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from qadb.backends.sqlite import file_reading_process as reading
from qadb.backends.sqlite.connector import open_engine
from qadb.backends.sqlite.files import resolve_file
from qadb.backends.sqlite.own_process import start_script
from qadb.backends.sqlite.sizes import database_size
from qadb.errors import DatabaseFailure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

_ATTEMPTS = 10  # somebody may just write
_PAUSE_SECONDS = 0.02
_ANSWER_SECONDS = 10
_READ_BYTES = 1 << 20
MOST_BYTES = 4 << 30


class FrozenFile:
    """A file's bytes, while its moment is held.

    Attributes:
        connection: holds the moment, and reads it.
        taken_at: when that was, UTC.
    """

    def __init__(self, path: Path, connection: Connection, reader: _Reader) -> None:
        self.connection = connection
        self.taken_at = datetime.now(UTC)
        self._path = path
        self._reader = reader

    def is_in_memory(self) -> bool:
        """Tell whether reading it in any order takes no longer than in its own."""
        return self._reader.agrees(reading.ASK_MEMORY)

    def read(self, size_bytes: int) -> Iterator[bytes]:
        """Give so many bytes of the file, from its beginning.

        Raises:
            DatabaseFailure: the file can't be read to its end.
        """
        self._reader.order(reading.READ + reading.NUMBER.pack(size_bytes))
        while size_bytes:
            data = self._reader.answer(min(_READ_BYTES, size_bytes))
            if not data:
                raise DatabaseFailure(
                    f"{self._path} can't be read to its end.",
                    hint="Look at the disk and the system's log, then try again.",
                )
            size_bytes -= len(data)
            yield data


@contextmanager
def freeze_file(url: DatabaseUrl, options: ConnectionOptions) -> Iterator[FrozenFile | None]:
    """Hold a moment at which the file has all of the database; None where that is not certain.

    Others write on: what they write stays in the log until the end of the block.
    """
    path = resolve_file(url)
    with ExitStack() as stack:
        yield _try_to_freeze(path, url, options, stack)


def _try_to_freeze(
    path: Path, url: DatabaseUrl, options: ConnectionOptions, stack: ExitStack
) -> FrozenFile | None:
    with ExitStack() as started:
        reader = _start_reader(path, started)
        if reader is None:
            return None
        engine = open_engine(url, options, read_only=True, pooled=False)
        frozen = _hold(path, engine, reader, started)
        if frozen is not None:
            stack.push(started.pop_all())
        return frozen


def _hold(path: Path, engine: Engine, reader: _Reader, stack: ExitStack) -> FrozenFile | None:
    for attempt in range(_ATTEMPTS):
        with ExitStack() as held:
            if attempt:
                held.enter_context(_log_in_file(path))
            connection = held.enter_context(engine.connect())
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            if mode != "wal" or database_size(connection) > MOST_BYTES:
                return None
            frozen = FrozenFile(path, connection, reader)
            if reader.agrees(reading.ASK):
                stack.push(held.pop_all())
                return frozen
        time.sleep(_PAUSE_SECONDS)
    return None


@contextmanager
def _log_in_file(path: Path) -> Iterator[None]:
    """Move the log into the file as far as others and our rights let us."""
    with ExitStack() as stack:
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)
            stack.enter_context(closing(connection))
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        yield


class _Reader:
    """A process that reads the file."""

    def __init__(self, orders: IO[bytes], answers: IO[bytes]) -> None:
        self._orders = orders
        self._answers = answers

    def order(self, order: bytes) -> None:
        """Tell it what to do; one that has ended gives no answer."""
        with suppress(BrokenPipeError):
            self._orders.write(order)

    def answer(self, size: int) -> bytes:
        """Return up to ``size`` bytes, and none where it has ended."""
        return self._answers.read(size)

    def agrees(self, question: bytes) -> bool:
        """Tell whether it answers a question with yes; what is no reader may never answer."""
        self.order(question)
        waiting = select.poll()
        waiting.register(self._answers, select.POLLIN)
        return bool(waiting.poll(_ANSWER_SECONDS * 1000)) and self.answer(1) == reading.YES


def _start_reader(path: Path, stack: ExitStack) -> _Reader | None:
    if sys.platform != "linux":
        return None
    process = start_script(reading.__file__, str(path), str(os.getpid()), stack=stack)
    if process is None:
        return None
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both were piped")
    return _Reader(process.stdin, process.stdout)

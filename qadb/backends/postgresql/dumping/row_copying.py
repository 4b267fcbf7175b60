"""Reads large tables out on several sessions at once, all of them at one moment.

Each session is a psql: it takes the server's rows as fast as they come, which an interpreter that
is asked for every row does not. Its ranges are every so-many-th of each table.
"""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from qadb.backends.postgresql.dumping.large_tables import lock_statement
from qadb.backends.postgresql.dumping.pieces import PIECE_BYTES
from qadb.backends.postgresql.programs.runs import run_program
from qadb.backends.postgresql.time_limits import no_limits
from qadb.beside import Beside
from qadb.errors import DatabaseFailure, DatabaseUnreachable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource
    from qadb.backends.postgresql.dumping.large_tables import LargeTable
    from qadb.backends.postgresql.programs.access import Access
    from qadb.backends.postgresql.programs.runs import ProgramRun
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

Rows: TypeAlias = "tuple[int, bytes]"
"""The number of a table, from 1, and some whole rows of it."""

# No line of COPY's text is this: there, a backslash always begins an escape of its own. The mark
# before it is quickly looked for, as it is rare.
RARE = b"\x01"
TABLE_END = RARE + b"\\.\n"
ECHO_TABLE_END = r"\echo '\001\\.'"
READ_BYTES = 1 << 18
WAIT_SECONDS = 0.1

OPTIONS = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")

# As pg_dump sets them, so that what is written does not depend on somebody's settings.
SETTINGS = """
SET LOCAL search_path = '';
SET LOCAL row_security = off;
SET LOCAL DateStyle = ISO;
SET LOCAL IntervalStyle = postgres;
SET LOCAL extra_float_digits = 3;
SET LOCAL enable_tidscan = on;
SET LOCAL enable_seqscan = off;
SET LOCAL jit = off;
"""


@dataclass(frozen=True, slots=True)
class CopyOrder:
    """What is to be read, and how.

    Attributes:
        snapshot: the exported one's name.
        lock_wait: how long to wait for a table, in the server's words.
        server_major: the server's major version.
    """

    tables: Sequence[LargeTable]
    encoding: str
    snapshot: str
    lock_wait: str
    server_major: int

    def script(self, turn: int, sessions: int) -> str:
        """What one session of several runs."""
        lines = [
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;",
            f"SET TRANSACTION SNAPSHOT '{self.snapshot}';",
            "SET LOCAL client_encoding = 'UTF8';",
            SETTINGS,
            no_limits(self.server_major),
            f"SET LOCAL lock_timeout = '{self.lock_wait}';",
            f"{lock_statement(table.quoted for table in self.tables)};",
        ]
        for table in self.tables:
            lines += [f"{each};" for each in table.copies_out(self.encoding)[turn::sessions]]
            lines.append(ECHO_TABLE_END)
        return "\n".join([*lines, "COMMIT;", ""])


@contextmanager
def copying_rows(
    order: CopyOrder,
    sessions: int,
    program: Path,
    access: Access,
    url: DatabaseUrl,
    folder: Path,
) -> Iterator[Iterator[Rows]]:
    """Begin to read; gives all rows of all tables, in any order.

    The sessions keep their tables from the beginning of the block, and wait with what they read
    until it is taken.

    Args:
        order: what to read.
        sessions: how many; where the server has no room for all, some do it.
        program: psql.
        access: how it reaches the database.
        url: the same database.
        folder: for what it takes on the way; nothing stays there.

    Raises:
        QadbError: a session failed.
    """
    crew = _Crew(order, sessions, program, access, url, folder)
    with Beside(crew.stop, "qadb-copy", sessions) as beside:
        for _ in range(sessions):
            beside.submit(crew.work)
        yield crew.take_all()


class _Crew:
    """Threads that each have a psql work through a script; another one where it can't connect."""

    def __init__(
        self,
        order: CopyOrder,
        sessions: int,
        program: Path,
        access: Access,
        url: DatabaseUrl,
        folder: Path,
    ) -> None:
        self._tables = len(order.tables)
        self._program, self._access, self._url, self._folder = program, access, url, folder
        self._scripts = deque(order.script(turn, sessions) for turn in range(sessions))
        self._ready: Queue[Rows | BaseException | None] = Queue(sessions)
        self._runs: list[ProgramRun] = []
        self._sessions = sessions
        self._is_over = False
        self._lock = Lock()
        self._at_work = sessions
        self._finished = 0

    def take_all(self) -> Iterator[Rows]:
        """Take what there is until every thread has ended."""
        ended = 0
        while ended < self._sessions:
            found = self._ready.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                ended += 1
            else:
                yield found
        if self._finished < self._sessions:
            raise DatabaseFailure(f"Not all of {self._url.shown} was read.")

    def stop(self) -> None:
        """Have the threads end, whatever they wait for."""
        self._scripts.clear()
        self._is_over = True
        for run in [*self._runs]:
            run.stop()

    def work(self) -> None:
        """Work through one script after the other."""
        try:
            while (script := self._next_script()) is not None and self._run(script):
                pass
        except BaseException as error:
            self._give(error)
            raise
        self._give(None)

    def _give(self, found: Rows | BaseException | None) -> None:
        """Wait until it is taken, unless nothing is wanted any more."""
        while not self._is_over:
            with suppress(Full):
                self._ready.put(found, timeout=WAIT_SECONDS)
                return

    def _next_script(self) -> str | None:
        """What is to be done; who has got none is at work no more."""
        with self._lock:
            if self._scripts:
                return self._scripts.popleft()
            self._at_work -= 1
            return None

    def _run(self, script: str) -> bool:
        """Run one to its end; False where there is no connection and others will do it."""
        has_begun = False
        try:
            for rows in self._read(script):
                has_begun = True
                self._give(rows)
        except DatabaseUnreachable as error:
            if has_begun or not self._leave_to_others(script):
                raise
            logger.info("Copying with fewer sessions: %s", error.message)
            return False
        with self._lock:
            self._finished += 1
        return True

    def _leave_to_others(self, script: str) -> bool:
        """Put a script back; False where nobody is there to take it."""
        with self._lock:
            if self._at_work == 1:
                return False
            self._at_work -= 1
            self._scripts.append(script)
            return True

    def _read(self, script: str) -> Generator[Rows]:
        with tempfile.TemporaryFile(dir=self._folder) as file:
            file.write(script.encode())
            file.seek(0)
            with run_program(
                self._program, OPTIONS, self._access, self._url, stdin=file, piped=True
            ) as run:
                self._runs.append(run)
                tables = yield from split_rows(run.output)
                run.finish()
        if tables != self._tables:
            raise DatabaseFailure(f"psql ended before it had read all of {self._url.shown}.")


def split_rows(output: ByteSource) -> Generator[Rows, None, int]:
    """Cut what a session writes into pieces of whole rows; returns how many tables came to an end.

    A piece that ends within a row waits for the rest of it.
    """
    table, waiting, size = 1, list[bytes](), 0
    while True:
        data = output.read(READ_BYTES)
        waiting.append(data)
        size += len(data)
        if data and (size < PIECE_BYTES or b"\n" not in data):
            continue
        block = b"".join(waiting)
        while (end := _find_end(block)) >= 0:
            if end:
                yield table, block[:end]
            table += 1
            block = block[end + len(TABLE_END) :]
        cut = block.rfind(b"\n") + 1
        if cut:
            yield table, block[:cut]
        if not data:
            return table - 1
        waiting = [block[cut:]]
        size = len(waiting[0])


def _find_end(block: bytes) -> int:
    """Where a table ends in a block that begins with a line; -1 where none does."""
    if RARE not in block:
        return -1
    if block.startswith(TABLE_END):
        return 0
    found = block.find(b"\n" + TABLE_END)
    return found + 1 if found >= 0 else -1

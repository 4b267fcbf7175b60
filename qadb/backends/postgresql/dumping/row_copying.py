"""Reads large tables out on several sessions at once, all of them at one moment.

Each session is a psql: it takes the server's rows as fast as they come, which an interpreter that
is asked for every row does not. It is told of a range when it has read the one before, so that all
have work until the end.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import Full, Queue
from typing import IO, TYPE_CHECKING, TypeAlias

from qadb.backends.postgresql.dumping.large_tables import lock_statement
from qadb.backends.postgresql.dumping.pieces import PIECE_BYTES
from qadb.backends.postgresql.programs.runs import run_program
from qadb.backends.postgresql.time_limits import no_limits
from qadb.beside import Beside
from qadb.errors import DatabaseFailure, DatabaseUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource
    from qadb.backends.postgresql.dumping.large_tables import LargeTable
    from qadb.backends.postgresql.programs.access import Access
    from qadb.backends.postgresql.programs.runs import ProgramRun
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

Rows: TypeAlias = "tuple[int, bytes]"
"""The number of a table, from 1, and some whole rows of it."""

# Nothing in COPY's text ends in this: there, a backslash begins an escape, of which this is none.
RANGE_END = b"\x01\\.\n"
ECHO_RANGE_END = r"\echo '\001\\.'"
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

    @property
    def opening(self) -> str:
        """What a session begins with; where it ends, the tables are kept."""
        return _lines(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;",
            f"SET TRANSACTION SNAPSHOT '{self.snapshot}';",
            "SET LOCAL client_encoding = 'UTF8';",
            SETTINGS,
            no_limits(self.server_major),
            f"SET LOCAL lock_timeout = '{self.lock_wait}';",
            f"{lock_statement(table.quoted for table in self.tables)};",
            ECHO_RANGE_END,
        )

    def ranges(self) -> Iterator[tuple[int, str]]:
        """The number of a table, from 1, and what gives a range of it; the smallest tables last."""
        for number, table in enumerate(self.tables, start=1):
            for statement in table.copies_out(self.encoding):
                yield number, _lines(f"{statement};", ECHO_RANGE_END)


CLOSING = "COMMIT;\n"


def _lines(*lines: str) -> str:
    return "\n".join([*lines, ""])


@contextmanager
def copying_rows(
    order: CopyOrder,
    sessions: int,
    program: Path,
    access: Access,
    url: DatabaseUrl,
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

    Raises:
        QadbError: a session failed.
    """
    crew = _Crew(order, sessions, program, access, url)
    with Beside(crew.stop, "qadb-copy", sessions) as beside:
        for _ in range(sessions):
            beside.submit(crew.work)
        yield crew.take_all()


class _Crew:
    """Threads that each have a psql read one range after the other, while there are any."""

    def __init__(
        self, order: CopyOrder, sessions: int, program: Path, access: Access, url: DatabaseUrl
    ) -> None:
        self._program, self._access, self._url = program, access, url
        self._opening = order.opening
        self._ranges = deque(order.ranges())
        self._ready: Queue[Rows | BaseException | None] = Queue(sessions)
        self._runs: list[ProgramRun] = []
        self._sessions = sessions
        self._unreachable: DatabaseUnreachable | None = None
        self._is_over = False

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
        if self._ranges:  # nobody was there to take them
            raise self._unreachable or DatabaseFailure(f"Not all of {self._url.shown} was read.")

    def stop(self) -> None:
        """Have the threads end, whatever they wait for."""
        self._ranges.clear()
        self._is_over = True
        for run in [*self._runs]:
            run.stop()

    def work(self) -> None:
        """Have one session read; where it can't connect, the others do it all."""
        try:
            for rows in self._read():
                self._give(rows)
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

    def _read(self) -> Iterator[Rows]:
        with ExitStack() as stack:
            taken, given = (stack.enter_context(each) for each in _open_pipe())
            run = stack.enter_context(
                run_program(
                    self._program, OPTIONS, self._access, self._url, stdin=taken, piped=True
                )
            )
            taken.close()  # psql has its own
            self._runs.append(run)
            session = _Session(given, self._opening)
            for data in split_rows(_Arriving(run.output)):
                if data is None:
                    session.order(self._ranges)
                else:
                    yield session.table, data
            try:
                run.finish()
            except DatabaseUnreachable as error:
                if session.has_begun:
                    raise
                logger.info("Copying with fewer sessions: %s", error.message)
                self._unreachable = error
                return
        if not session.has_ended:
            raise DatabaseFailure(f"psql ended before it had read all of {self._url.shown}.")


class _Session:
    """What a psql is told.

    Attributes:
        table: the number of the one that it reads.
        has_begun: it has answered.
        has_ended: it was told that nothing more comes.
    """

    def __init__(self, orders: IO[bytes], opening: str) -> None:
        self._orders = orders
        self.table = 0
        self.has_begun = self.has_ended = False
        self._say(opening)

    def order(self, ranges: deque[tuple[int, str]]) -> None:
        """Tell it of the next range; of the end where there is none."""
        self.has_begun = True
        try:
            self.table, statement = ranges.popleft()
        except IndexError:
            self._say(CLOSING)
            self._orders.close()
            self.has_ended = True
        else:
            self._say(statement)

    def _say(self, words: str) -> None:
        """It waits for this, so it takes it; what has ended is told by its exit status."""
        with suppress(BrokenPipeError):
            self._orders.write(words.encode())


class _Arriving:
    """What a program writes, as it comes: reading waits for no more than is there."""

    def __init__(self, output: IO[bytes]) -> None:
        self._file = output.fileno()

    def read(self, size: int, /) -> bytes:
        return os.read(self._file, size)


def _open_pipe() -> tuple[IO[bytes], IO[bytes]]:
    """An end to take from and one to give to, which takes all at once."""
    taken, given = os.pipe()
    return os.fdopen(taken, "rb", 0), os.fdopen(given, "wb", 0)


def split_rows(output: ByteSource) -> Iterator[bytes | None]:
    """Cut what a session writes into pieces of whole rows; None stands where a range ends.

    It waits for an answer there, so nothing comes after it before that.
    """
    waiting, size, tail = list[bytes](), 0, b""
    while data := output.read(READ_BYTES):
        waiting.append(data)
        size += len(data)
        tail = (tail + data)[-len(RANGE_END) :]
        if tail == RANGE_END:
            block = b"".join(waiting)[: -len(RANGE_END)]
            if block:
                yield block
            yield None
            waiting, size = [], 0
        elif size >= PIECE_BYTES and b"\n" in data:
            block = b"".join(waiting)
            cut = block.rfind(b"\n") + 1
            yield block[:cut]
            waiting = [block[cut:]]
            size = len(waiting[0])

"""Reads large tables out on several sessions at once, all of them at one moment.

Each session is a psql: it takes the server's rows as fast as they come, which an interpreter that
is asked for every row does not. It is told of a range when it has read the one before, so that all
have work until the end.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, count, zip_longest
from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple

from qadb.backends.postgresql.dumping.large_tables import lock_statement
from qadb.backends.postgresql.dumping.psql_session import (
    OPTIONS,
    Arriving,
    PsqlSession,
    open_pipe,
    say,
    split_ranges,
)
from qadb.backends.postgresql.programs.runs import run_program
from qadb.backends.postgresql.range_queue import Over, RangeQueue
from qadb.backends.postgresql.time_limits import no_limits
from qadb.beside import Beside
from qadb.errors import DatabaseFailure, DatabaseUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qadb.backends.postgresql.dumping.large_tables import LargeTable
    from qadb.backends.postgresql.dumping.psql_session import ReadableInto
    from qadb.backends.postgresql.programs.access import Access
    from qadb.backends.postgresql.programs.runs import ProgramRun
    from qadb.backends.postgresql.range_queue import QueuedRange
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)


class Rows(NamedTuple):
    """A piece of a range of rows; those of one come together.

    Attributes:
        table: its number, from 1.
        range: the range's, which no other has, whatever the table.
        data: some of what COPY gives.
    """

    table: int
    range: int
    data: bytes


MARK_BYTES = 16  # as letters, twice as many

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
        mark: what a session says when a range has ended; nobody can have put it into a row.
    """

    tables: Sequence[LargeTable]
    encoding: str
    snapshot: str
    lock_wait: str
    server_major: int
    mark: str = field(default_factory=lambda: secrets.token_hex(MARK_BYTES))

    @property
    def end_of_range(self) -> bytes:
        """What comes from a session after each range, and once it has begun."""
        return f"{self.mark}\n".encode()

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
            say(self.mark),
        )

    def ranges(self) -> Iterator[tuple[int, str]]:
        """The number of a table, from 1, and what gives a range of it.

        Those of the largest table come in turn with the others': who loads a table at the same time
        as somebody else waits for it to grow.
        """
        largest, *others = (self._ranges_of(*each) for each in enumerate(self.tables, start=1))
        for pair in zip_longest(largest, chain.from_iterable(others)):
            yield from filter(None, pair)

    def _ranges_of(self, number: int, table: LargeTable) -> Iterator[tuple[int, str]]:
        for statement in table.copies_out(self.encoding):
            yield number, _lines(f"{statement};", say(self.mark))


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
    """Begin to read; gives all rows of all tables, the ranges in any order.

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
        self._order = order
        self._ranges = _Ranges(order.ranges())
        self._is_over = Event()
        self._ready = RangeQueue[int](sessions, self._is_over)
        self._runs: list[ProgramRun] = []
        self._sessions = sessions
        self._unreachable: DatabaseUnreachable | None = None
        self._failure: BaseException | None = None

    def take_all(self) -> Iterator[Rows]:
        """Take what there is until every thread has ended."""
        numbers = count(1)
        try:
            for _ in range(self._sessions):
                while (found := self._ready.take()) is not None:
                    number = next(numbers)
                    for data in found:
                        yield Rows(found.about, number, data)
        except Over:
            raise self._failure or self._left_some() from None
        if self._ranges.take() is not None:  # nobody was there to take them
            raise self._unreachable or self._left_some()

    def stop(self) -> None:
        """Have the threads end, whatever they wait for."""
        self._is_over.set()
        for run in [*self._runs]:
            run.stop()

    def work(self) -> None:
        """Have one session read; where it can't connect, the others do it all."""
        try:
            self._read()
            self._ready.end()
        except Over:
            return  # somebody else's failure is the one to tell
        except BaseException as error:
            self._failure = self._failure or error
            self._is_over.set()
            raise

    def _read(self) -> None:
        with ExitStack() as stack:
            taken, given = (stack.enter_context(each) for each in open_pipe())
            run = stack.enter_context(
                run_program(
                    self._program, OPTIONS, self._access, self._url, stdin=taken, piped=True
                )
            )
            taken.close()  # psql has its own
            self._runs.append(run)
            session = PsqlSession(given, self._order.opening)
            self._read_ranges(session, Arriving(run.output))
            try:
                run.finish()
            except DatabaseUnreachable as error:
                if session.has_begun:
                    raise
                logger.info("Copying with fewer sessions: %s", error.message)
                self._unreachable = error
                return
        if not session.has_ended:
            raise self._left_some()

    def _read_ranges(self, session: PsqlSession, arriving: ReadableInto) -> None:
        """Tell a session of a range when it has read the last one, until it ends."""
        current: QueuedRange[int] | None = None
        for data in split_ranges(arriving, self._order.end_of_range):
            if current is not None and data is not None:
                current.give(data)
            elif data is None:
                if current is not None:
                    current.end()
                table, statement = self._ranges.take() or (0, None)
                session.order(statement)
                current = self._ready.begin(table) if statement else None

    def _left_some(self) -> DatabaseFailure:
        return DatabaseFailure(f"psql ended before it had read all of {self._url.shown}.")


class _Ranges:
    """What is left to be read, for whichever thread asks."""

    def __init__(self, ranges: Iterator[tuple[int, str]]) -> None:
        self._ranges = ranges
        self._lock = Lock()

    def take(self) -> tuple[int, str] | None:
        """The number of a table, and what gives a range of it; None where none is left."""
        with self._lock:
            return next(self._ranges, None)

"""The connections of a cleanup: they delete one batch after the other, or at once where that pays.

Whose rows depend on each other, and engines where one writes at a time, have the first alone.
"""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qadb.beside import Beside
from qadb.errors import QadbError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from qadb.backends.base_cleanup import Cleaner
    from qadb.cleaning.archive import Archived
    from qadb.cleaning.deleting import Deleter, Taken
    from qadb.cleaning.subjects import Key

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction deletes.

    Attributes:
        size: about how many rows go with the keys.
        archived: what of them is safe; None asks for nothing.
    """

    tenant: str
    keys: Sequence[Key]
    size: int
    archived: Archived | None = None

    def taken_by(self, deleter: Deleter) -> Taken:
        """Delete it."""
        return deleter.delete(self.tenant, self.keys, self.archived)


class Crew:
    """Opens connections as they are needed; they close with the block that they come from.

    Args:
        cleaner: the engine's.
        connect: opens one.
        sessions: how many may delete at once.

    Attributes:
        first: the one that is always there.
    """

    def __init__(self, cleaner: Cleaner, connect: Callable[[], Connection], sessions: int) -> None:
        self._cleaner = cleaner
        self._connect = connect
        self._sessions = sessions
        self.first = connect()
        self._connections = [self.first]

    def delete(
        self,
        make_deleter: Callable[[Connection], Deleter],
        batches: Iterable[Batch],
        *,
        at_once: bool,
    ) -> Generator[tuple[Batch, Taken]]:
        """Delete each batch; yields what was done as soon as it is, in any order.

        Whoever stops before the end closes it.

        Args:
            make_deleter: makes one for a connection.
            batches: asked for the next one as soon as somebody is free for it.
            at_once: no batch depends on another.

        Raises:
            LockNotAvailable: somebody kept a lock for too long. What others were at is rolled back.
        """
        if at_once and self._sessions > 1:
            yield from self._delete_at_once(make_deleter, batches)
            return
        deleter = make_deleter(self.first)
        for batch in batches:
            yield batch, batch.taken_by(deleter)

    def dismiss(self) -> None:
        """Close all but the first: a server may count what a session deleted when it ends."""
        while self._connections[1:]:
            self._connections.pop().close()

    def _delete_at_once(
        self, make_deleter: Callable[[Connection], Deleter], batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, Taken]]:
        more = (make_deleter(connection) for connection in self._each_connection())
        idle: list[Deleter] = []
        at_work: dict[Future[Taken], tuple[Deleter, Batch]] = {}
        with Beside(self._interrupt, "qadb-cleanup", self._sessions) as beside:
            for batch in batches:
                while (deleter := idle.pop() if idle else next(more, None)) is None:
                    yield from _settle(at_work, idle)
                at_work[beside.submit(partial(batch.taken_by, deleter))] = (deleter, batch)
            while at_work:
                yield from _settle(at_work, idle)

    def _each_connection(self) -> Iterator[Connection]:
        """Those that there are, then new ones; where no more is to be had, those will do."""
        yield from [*self._connections]
        while len(self._connections) < self._sessions:
            try:
                connection = self._connect()
            except QadbError as error:
                logger.info("Cleaning up with %s: %s", len(self._connections), error.message)
                self._sessions = len(self._connections)
                return
            self._connections.append(connection)
            yield connection

    def _interrupt(self) -> None:
        for connection in self._connections:
            self._cleaner.interrupt(connection)


def _settle(
    at_work: dict[Future[Taken], tuple[Deleter, Batch]], idle: list[Deleter]
) -> Iterator[tuple[Batch, Taken]]:
    """Wait until somebody is free again."""
    for future in wait(at_work, return_when=FIRST_COMPLETED).done:
        deleter, batch = at_work.pop(future)
        taken = future.result()
        idle.append(deleter)
        yield batch, taken

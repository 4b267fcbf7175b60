"""Work that several connections to one database do at once, each in a thread of its own."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

import psycopg2

from qadb.backends.postgresql.connector import plain_connection
from qadb.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.settings import DatabaseUrl


class Sessions:
    """Connections that work until they are done; one that fails ends the others.

    Attributes:
        is_over: nobody has to go on; whoever waits looks at it.
    """

    def __init__(self, url: DatabaseUrl, count: int) -> None:
        self._url = url
        self._count = count
        self._connections: list[psycopg2.extensions.connection] = []
        self.is_over = Event()

    def run(
        self,
        work: Callable[[psycopg2.extensions.connection], None],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Have each connection do the work.

        Args:
            work: called in each connection's thread; each statement commits.
            meanwhile: called once, here; it returns early when `is_over`.

        Raises:
            psycopg2.Error: what the first failure was.
        """
        with Beside(self._stop, "qadb-session", self._count) as beside:
            futures = [beside.submit(lambda: self._work(work)) for _ in range(self._count)]
            meanwhile()
            for future in futures:
                future.result()

    def _work(self, work: Callable[[psycopg2.extensions.connection], None]) -> None:
        try:
            with plain_connection(self._url) as connection:
                self._connections.append(connection)
                work(connection)
        except BaseException:
            if self.is_over.is_set():
                return  # somebody else's failure is the one to tell
            self.is_over.set()
            raise

    def _stop(self) -> None:
        self.is_over.set()
        for connection in [*self._connections]:
            with suppress(psycopg2.Error):
                connection.cancel()

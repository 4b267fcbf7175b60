"""Engines: the SQLAlchemy engines of one database, made when first needed and closed in order.

Owns which of them is pooled and who closes last. How one is made and tidied is the backend's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from qadb.backends.base import Connector
    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl


class Engines:
    """One engine that writes and one that only reads; a database in memory has the first alone."""

    def __init__(self, connector: Connector, url: DatabaseUrl, options: ConnectionOptions) -> None:
        self._connector = connector
        self._url = url
        self._options = options
        self._made: dict[bool, Engine] = {}

    def get(self, *, read_only: bool) -> Engine:
        """The pooled engine for that."""
        key = read_only and not self._url.is_memory
        if key not in self._made:
            engine = self._connector.open_engine(
                self._url, self._options, read_only=key, pooled=True
            )
            if self._options.slow_query_ms is not None:
                from qadb.sessions.slow_queries import log_slow_queries  # noqa: PLC0415 - on demand

                log_slow_queries(engine, self._options.slow_query_ms)
            self._made.setdefault(key, engine)  # another thread may have been faster
        return self._made[key]

    @contextmanager
    def alone(self) -> Iterator[Engine]:
        """An engine without a pool that ends with the block; nothing that reads outlives it."""
        self._let_readers_go()
        if self._url.is_memory:  # another engine would be another memory
            yield self.get(read_only=False)
            return
        engine = self._connector.open_engine(
            self._url, self._options, read_only=False, pooled=False
        )
        try:
            yield engine
        finally:
            engine.dispose()

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        has_read = self._let_readers_go()
        made, self._made = self._made, {}
        for engine in made.values():
            engine.dispose()
        if has_read:
            self._connector.tidy(self._url)

    def _let_readers_go(self) -> bool:
        """Close what only reads, if anything does: what writes has to be the last to close.

        SQLite then moves its log into the file.
        """
        engine = self._made.pop(True, None)
        if engine is not None:
            engine.dispose()
        return engine is not None

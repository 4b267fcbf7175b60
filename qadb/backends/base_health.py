"""What every engine adapter offers to whoever asks whether a database is well.

Facts only: what is good and what is bad is decided in `qadb.health`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from datetime import date

    from sqlalchemy import Connection

    from qadb.settings import DatabaseUrl


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object of the catalog that something is wrong with.

    Attributes:
        name: as people know it, such as ``index ix_runs_started``.
        detail: what is wrong with it.
        remedy: the statement that mends it; None where there is no single one.
        size_bytes: how much room it takes, where that matters and is known.
    """

    name: str
    detail: str
    remedy: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class IndexUse:
    """Which indexes are of no use, as far as that was counted.

    Attributes:
        counted_seconds: for how long.
        unused: the largest first.
    """

    counted_seconds: float
    unused: tuple[FoundObject, ...]


class Inspector(Protocol):
    """Facts that every engine knows.

    Attributes:
        statements: what is run for each fact, by its name, for people.
        oldest_supported: the oldest version that qadb works with.
        end_of_life: until when its makers mend a major version.
    """

    statements: Mapping[str, str]
    oldest_supported: tuple[int, ...]
    end_of_life: Mapping[int, date]

    def confined(
        self,
        connection: Connection,
        *,
        seconds: float,
        lock_seconds: float,
        is_stopped: Callable[[], bool],
    ) -> AbstractContextManager[None]:
        """Let no statement of the transaction run, or wait for a lock, longer than this.

        Args:
            connection: has just begun the transaction.
            seconds: for one statement.
            lock_seconds: for one lock.
            is_stopped: asked now and again whether nobody wants the answer any more.
        """
        ...

    def was_stopped(self, error: BaseException) -> bool:
        """Tell whether a statement failed because its time was out."""
        ...

    def missing_grant(self, error: BaseException, url: DatabaseUrl) -> str | None:
        """Return the statement that grants what a refused statement needed, where one would."""
        ...

    def ping(self, connection: Connection) -> None:
        """Ask for nothing, to see how long an answer takes."""
        ...


class SchemaInspector(Protocol):
    """Facts of the catalog; an engine that has no such thing has none of them."""

    def unindexed_keys(self, connection: Connection) -> tuple[FoundObject, ...]:
        """Foreign keys that no index begins with."""
        ...

    def duplicate_indexes(self, connection: Connection) -> tuple[FoundObject, ...]:
        """Indexes that another one serves as well."""
        ...

    def invalid_objects(self, connection: Connection) -> tuple[FoundObject, ...]:
        """Indexes and constraints that are there and not in force."""
        ...

    def unused_indexes(self, connection: Connection) -> IndexUse:
        """Indexes that no query has used, the largest first."""
        ...

    def open_tables(self, connection: Connection) -> tuple[FoundObject, ...]:
        """Tables whose rows should be confined to a tenant and are not."""
        ...


class PageInspector(Protocol):
    """Facts that reading a whole database tells; damage may be raised instead of returned."""

    def damaged_pages(self, connection: Connection) -> tuple[str, ...]:
        """What is wrong with the pages, a sentence each."""
        ...

    def damage(self, connection: Connection) -> tuple[str, ...]:
        """The same, and what is wrong between indexes and their tables."""
        ...

    def broken_references(self, connection: Connection) -> tuple[str, ...]:
        """Rows that point at rows which are not there, a sentence for each kind."""
        ...

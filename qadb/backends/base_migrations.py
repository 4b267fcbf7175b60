"""What every engine adapter offers to whoever runs revisions, tries them, or tells what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from qadb.backends.effects import Effect, ForeignKey
    from qadb.settings import DatabaseUrl


class MigrationRules(Protocol):
    """How this engine runs revisions safely.

    Attributes:
        transaction_per_migration: each revision is a transaction; else all that run are one.
        backs_up_first: a backup is cheap here, so one is made unless somebody says no.
    """

    transaction_per_migration: bool
    backs_up_first: bool

    def connect(
        self, engine: Engine, *, lock_timeout_seconds: float, on_blocked: Callable[[str], None]
    ) -> AbstractContextManager[Connection]:
        """Connect for running revisions; checks and commits at the end, rolls back on error.

        Args:
            engine: without a pool.
            lock_timeout_seconds: how long a statement waits for a table that somebody uses.
            on_blocked: told who that is, while it waits, where the engine knows.
        """
        ...

    def check_step(
        self, connection: Connection, revision: str, *, fewer_rows: AbstractSet[str]
    ) -> None:
        """Check what a revision did, before it is written down as applied.

        Raises:
            MigrationFailed: a table lost rows and is not among ``fewer_rows``.
        """
        ...


class Scratch(Protocol):
    """Gives revisions an empty place of the database's own kind, to see what they make."""

    def empty_place(self, url: DatabaseUrl, engine: Engine) -> AbstractContextManager[Connection]:
        """Connect to a place where nothing is yet and nothing stays, in one transaction.

        Args:
            url: of the database that the place should be like.
            engine: reads and writes that database.

        Raises:
            NotComparable: there is none, or a statement reaches out of it; the hint says what it
                takes.
        """
        ...

    def copied_place(self, engine: Engine, folder: Path) -> AbstractContextManager[DatabaseUrl]:
        """Copy the database's content at one moment into a folder that the caller removes.

        Args:
            engine: reads the database.
            folder: an empty one with room enough.

        Raises:
            ConfigurationError: this engine makes no copies in passing.
        """
        ...


class StatementReader(Protocol):
    """Knows what a statement of a revision takes from those who use the tables."""

    def read_effects(self, statement: str, keys: Sequence[ForeignKey] = ()) -> tuple[Effect, ...]:
        """Return what it does to tables, one each; nothing where nobody would notice.

        Args:
            statement: as the revision gives it to the engine.
            keys: the foreign keys there are when it runs.
        """
        ...

    def foreign_keys(self, connection: Connection, statement: str) -> tuple[ForeignKey, ...]:
        """Return the keys that `read_effects` has to know; none where they make no difference.

        Args:
            connection: is about to run the statement.
            statement: what the effects will be asked of.
        """
        ...

    def tables_of_indexes(self, connection: Connection, statement: str) -> tuple[str, ...]:
        """Return the tables of the indexes that a statement names by themselves, if it does.

        Args:
            connection: is about to run the statement.
            statement: such as DROP INDEX, whose effects are on a table that it does not name.
        """
        ...

    def file_ids(self, connection: Connection) -> dict[str, int]:
        """Return what changes when a table is written anew, by table; empty where nothing does."""
        ...

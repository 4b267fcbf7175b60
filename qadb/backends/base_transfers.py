"""What an engine adapter offers to whoever brings it the rows of another engine's database.

Which tables there are and in which order they come is no concern of an engine: it makes the place,
and turns values as the other engine keeps them into its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Table

    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl


class UnfitRow(Exception):
    """A row that the table can't take.

    Attributes:
        number: which of the rows it is, counted from 1; None where the engine does not tell.
        column: the one whose value does not fit; None where the engine does not tell.
        reason: a sentence's end, without a full stop.
    """

    def __init__(self, number: int | None, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.column = column
        self.reason = reason


class RowTaker(Protocol):
    """Takes over rows as another engine keeps them.

    Attributes:
        engines: whose rows it takes.
    """

    engines: frozenset[str]

    def check_place(self, url: DatabaseUrl) -> None:
        """Raise unless a database may be made here and put in this one's place.

        Raises:
            InsufficientPrivilege: the role may not.
            RestoreRefused: the server takes no writes.
        """
        ...

    def new_database(
        self, url: DatabaseUrl, options: ConnectionOptions
    ) -> AbstractContextManager[DatabaseUrl]:
        """Make an empty database beside the one named, as that is made where it is there.

        It is removed at the end unless it was put in place meanwhile; killed half-way, what is left
        is what `Restorer.remove_leftovers` removes.
        """
        ...

    def taking(
        self, connection: Connection, tables: Sequence[Table]
    ) -> AbstractContextManager[None]:
        """Empty the tables, and let no trigger fire until the end of the block.

        Foreign keys hold all the same. It is undone with the caller's transaction.
        """
        ...

    def take(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> int:
        """Insert rows, given as the other engine's driver reads them; returns how many.

        Args:
            connection: in the caller's transaction, which is fit for a rollback only after a raise.
            table: as it was reflected from this database: its types say what a value becomes.
            columns: the order of the values.
            rows: in an order that the caller can find a row again by its number.

        Raises:
            UnfitRow: the first row that the table can't take.
        """
        ...

    def settle(self, url: DatabaseUrl, made: DatabaseUrl, options: ConnectionOptions) -> None:
        """Do what a filled database needs before it takes the place of ``url``."""
        ...

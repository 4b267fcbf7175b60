"""Many rows at once in a unit of work: by the engine's bulk path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.errors import TenantViolation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Table

    from qadb.sessions.unit import UnitOfWork


def insert_rows(
    unit: UnitOfWork, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """Insert rows, given as values in the order of ``columns``; returns how many.

    The tenant is filled in, or compared where it is given. All rows go in or none: what fails
    leaves the transaction as it was before.

    Raises:
        TenantViolation: a row is for another tenant, or the table is shared by all of them.
        ReadOnlySession: the unit was opened for reading.
        Exception: whatever the driver raises, and whatever ``rows`` does.
    """
    unit.refuse_to_write()
    unit.flush()
    stamped = _Stamped(unit, table, columns, rows)
    connection = unit.own_connection()
    with unit.unguarded(), connection.begin_nested():
        return unit.backend.bulk.insert(connection, table, stamped.columns, stamped)


class _Stamped:
    """The rows with their tenant.

    Attributes:
        columns: theirs, the tenant's included.
    """

    def __init__(
        self,
        unit: UnitOfWork,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> None:
        self._tenant = unit.tenant
        self._rows = rows
        owner = unit.tables.owners.get(table)
        if self._tenant is not None and owner is None:
            raise TenantViolation(
                f"A tenant's session can't change {table.name}, which all tenants share."
            )
        names = list(columns)
        self._at = names.index(owner.name) if owner is not None and owner.name in names else None
        self._adds = self._tenant is not None and self._at is None
        self.columns = [*names, owner.name] if owner is not None and self._adds else names

    def __iter__(self) -> Iterator[Sequence[object]]:
        if self._adds:
            tenant = self._tenant
            for row in self._rows:
                yield (*row, tenant)
        elif self._tenant is not None and self._at is not None:
            yield from self._compared(self._at)
        else:
            yield from self._rows

    def _compared(self, at: int) -> Iterator[Sequence[object]]:
        for row in self._rows:
            if row[at] != self._tenant:
                raise TenantViolation(
                    f"A session of tenant {self._tenant!r} can't write {row[at]!r} as the tenant"
                    " of a row.",
                    hint="Leave the tenant out: the session fills it in.",
                )
            yield row

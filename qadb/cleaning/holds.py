"""Holds: what must stay whatever a policy says.

They are few, and are read anew in every transaction that deletes; which rows they mean is worked
out when they have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import or_, select, tuple_

from qadb.cleaning.subjects import TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from sqlalchemy import Column, Connection, MetaData, Select, Table

    from qadb.retention import Holds, HoldScope


class _Hold(NamedTuple):
    scope: str
    key: str
    tenant: str


class HoldReader:
    """Reads which values of which columns are held.

    Args:
        metadata: the tables.
        holds: where they are; None: there are none.
        now: holds that were released before are over.
    """

    def __init__(self, metadata: MetaData, holds: Holds | None, now: datetime) -> None:
        self._metadata = metadata
        self._scopes = () if holds is None else holds.scopes
        self._query = None if holds is None else _query(metadata.tables[holds.table], holds, now)
        self._known: Sequence[_Hold] = ()
        self._held: Mapping[str, AbstractSet[object]] = {}

    def read(self, connection: Connection) -> Mapping[str, AbstractSet[object]]:
        """Held values by the column that other tables have for them; empty without holds."""
        if self._query is None:
            return {}
        found = [_Hold(*row) for row in connection.execute(self._query)]
        if found != self._known:
            self._held = {
                scope.column: values
                for scope in self._scopes
                if (values := self._values(connection, scope, found))
            }
            self._known = found
        return self._held

    def columns(self, table: Table) -> Mapping[str, Column[object]]:
        """For each scope that a table knows, by the scope's column, the table's own column."""
        found: dict[str, Column[object]] = {}
        for scope in self._scopes:
            if scope.table == table.name:
                (found[scope.column],) = table.primary_key
            elif scope.column in table.c:
                found[scope.column] = table.c[scope.column]
        return found

    def _values(
        self, connection: Connection, scope: HoldScope, found: Sequence[_Hold]
    ) -> AbstractSet[object]:
        """Keys as they are; names as the keys that they stand for, within the hold's tenant."""
        meant = [hold for hold in found if hold.scope == scope.scope]
        if scope.table is None:
            return {hold.key for hold in meant}
        keys = {int(hold.key) for hold in meant if hold.key.isdecimal()}
        if scope.name_column is None or not meant:
            return keys
        table = self._metadata.tables[scope.table]
        (key,) = table.primary_key
        name = tuple_(table.c[TENANT], table.c[scope.name_column])
        named = select(key).where(name.in_([(hold.tenant, hold.key) for hold in meant]))
        return keys | {*connection.scalars(named)}


def _query(table: Table, holds: Holds, now: datetime) -> Select[*tuple[Any, ...]]:
    """What reads the holds in force."""
    released = table.c[holds.released_column]
    return (
        select(table.c[holds.scope_column], table.c[holds.key_column], table.c[TENANT])
        .where(or_(released.is_(None), released > now))
        .order_by(*table.primary_key)
    )

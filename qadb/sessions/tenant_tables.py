"""Which tables belong to tenants, found in the metadata and the models mapped to it.

A table belongs to tenants when it has a column ``tenant_id``, or is the one that such columns refer
to. Everything else is shared by all tenants. No model is known here by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import BindParameter
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.interfaces import CriteriaOption
from sqlalchemy.orm.util import AliasedInsp, LoaderCriteriaOption
from sqlalchemy.sql.visitors import InternalTraversal

from qadb.sessions.sql_blocks import Owned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, FromClause, MetaData, Table
    from sqlalchemy.orm import Mapper
    from sqlalchemy.orm._typing import _InternalEntityType
    from sqlalchemy.orm.context import _ORMCompileState

OWNER_COLUMN = "tenant_id"

# Nobody can guess it, so nothing but the session's own criteria brings it into a statement.
OWNER_BIND = f"tenant_{token_hex(4)}"


@dataclass(frozen=True, slots=True)
class TenantTables:
    """The tables of one metadata, told apart.

    Attributes:
        tables: every table.
        owners: the column that names the tenant, for each table that belongs to tenants.
        mappers: the models mapped to those.
        owned: the same in names, for reading SQL.
        predicates: the texts of partial indexes' conditions, which an upsert repeats.
    """

    tables: frozenset[Table]
    owners: Mapping[FromClause, Column[str]]
    mappers: tuple[Mapper[DeclarativeBase], ...]
    owned: Owned
    predicates: frozenset[str]

    def owner_of(self, mapper: Mapper[DeclarativeBase]) -> Column[str] | None:
        """Return the column that names a model's tenant; None for what all tenants share."""
        return next((self.owners[t] for t in mapper.tables if t in self.owners), None)

    def attribute_of(self, mapper: Mapper[DeclarativeBase]) -> str | None:
        """Return the name of the attribute over that column."""
        column = self.owner_of(mapper)
        return None if column is None else mapper.get_property_by_column(column).key


@lru_cache(maxsize=8)
def find_tenant_tables(metadata: MetaData) -> TenantTables:
    """Look through the metadata and the models that are mapped to it."""
    owners = _owners(metadata)
    mappers = [
        mapper
        for base in DeclarativeBase.__subclasses__()
        if base.metadata is metadata
        for mapper in base.registry.mappers
    ]
    links = {
        relationship.secondary
        for mapper in mappers
        for relationship in mapper.relationships
        if relationship.secondary is not None
    }
    return TenantTables(
        tables=frozenset(metadata.tables.values()),
        owners=owners,
        mappers=tuple(m for m in mappers if any(table in owners for table in m.tables)),
        owned=Owned(
            columns={c.table.name.lower(): c.name for c in owners.values()},
            links=frozenset(c.table.name.lower() for c in owners.values() if c.table in links),
            bind=OWNER_BIND,
        ),
        predicates=frozenset(_predicates(metadata)),
    )


def _predicates(metadata: MetaData) -> Iterator[str]:
    for table in metadata.tables.values():
        for index in table.indexes:
            for name, value in index.dialect_kwargs.items():
                if name.endswith("_where") and value is not None:
                    yield str(value)


def _owners(metadata: MetaData) -> dict[FromClause, Column[str]]:
    owners: dict[FromClause, Column[str]] = {}
    for table in metadata.tables.values():
        column = table.columns.get(OWNER_COLUMN)
        if column is not None:
            owners[table] = column
            owners |= {key.column.table: key.column for key in column.foreign_keys}
    return owners


class _OwnerBind(BindParameter[str]):
    """The tenant as a bind; equal to what SQLAlchemy makes of it, and nothing else.

    SQLAlchemy looks binds up in dictionaries, where others compare by building an expression: for a
    page of a list that is as much work as all else that confines it.
    """

    inherit_cache = True

    def __eq__(self, other: object) -> bool:  # type: ignore[override]  # no expression is wanted
        return hash(self) == hash(other)

    __hash__ = BindParameter.__hash__


class _Criterion(LoaderCriteriaOption):
    """A condition on every use of a model: ``with_loader_criteria`` that knows aliases in joins."""

    def _resolve_where_criteria(
        self, ext_info: _InternalEntityType[DeclarativeBase]
    ) -> ColumnElement[bool]:
        """Adapt the condition to an alias, which SQLAlchemy leaves out where a join has an ON."""
        criterion = super()._resolve_where_criteria(ext_info)
        if not isinstance(ext_info, AliasedInsp):
            return criterion
        adapted: ColumnElement[bool] = ext_info._adapter.traverse(criterion)  # noqa: SLF001 - has no public name
        return adapted


class TenantCriteria(CriteriaOption):
    """Confines every model in a statement to one tenant: one option instead of one a model.

    Dozens of options would each be part of the statement's cache key at every execution. They
    differ in nothing but the tenant, which is the only part of the key here. The criteria are made
    when a statement is compiled, which is once for all sessions, not when a session is opened.
    """

    _traverse_internals = [("bind", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - SQLAlchemy declares it for instances
    propagate_to_loaders = False  # every load passes the session's hook

    def __init__(self, tables: TenantTables, tenant: str) -> None:
        self.bind: BindParameter[str] = _OwnerBind(OWNER_BIND, tenant)
        self._tables = tables

    @cached_property
    def _options(self) -> Sequence[CriteriaOption]:
        found: list[CriteriaOption] = []
        for mapper in self._tables.mappers:
            attribute = self._tables.attribute_of(mapper)
            if attribute is not None:
                criterion = getattr(mapper.class_, attribute) == self.bind
                found.append(_Criterion(mapper, criterion, include_aliases=True))
        return found

    def process_compile_state(self, compile_state: _ORMCompileState) -> None:
        """Add the criteria to a SELECT."""
        for option in self._options:
            option.process_compile_state(compile_state)

    def get_global_criteria(self, attributes: dict[str, object]) -> None:
        """Add the criteria to an UPDATE or DELETE."""
        for option in self._options:
            option.get_global_criteria(attributes)

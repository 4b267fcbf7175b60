"""Which query justifies an index, told by its shape or by `tests.plans.queries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import inspect, select

from qadb.models import Base
from qadb.repositories.generic.base import Repository
from tests.plans.queries import EVERYWHERE, QUERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ForeignKeyConstraint, Index, Table, UniqueConstraint
    from sqlalchemy.orm import Session

    from tests.plans.queries import Query, Rows

MODELS = {mapper.local_table: mapper.class_ for mapper in Base.registry.mappers}
TENANT = "tenant_id"


def query_of(index: Index | UniqueConstraint) -> Query | None:
    """The query that an index serves; None when nobody named one."""
    table, columns = table_of(index), names_of(index)
    if index.name in QUERIES:
        return QUERIES[str(index.name)]
    if getattr(index, "unique", True):
        return _look_up(table, columns)
    if columns == [TENANT, *(key.name for key in table.primary_key if key.name != TENANT)]:
        return _first_page(table)
    return None


def foreign_key_of(index: Index) -> ForeignKeyConstraint | None:
    """The foreign key that an index is there for and nothing else."""
    keys = table_of(index).foreign_key_constraints
    return next((key for key in keys if key.column_keys == names_of(index)), None)


def table_of(index: Index | UniqueConstraint) -> Table:
    """Whose it is; SQLAlchemy knows indexes that are nobody's yet."""
    return cast("Table", index.table)


def names_of(index: Index | UniqueConstraint) -> Sequence[str]:
    """Its columns, in order."""
    return [column.name for column in index.columns]


def tenant_of(index: Index | UniqueConstraint) -> str | None:
    """Whose session asks: one of many where the index begins with the tenant, else the largest.

    None is the session for all of them.
    """
    if index.name in EVERYWHERE:
        return None
    return "acme" if names_of(index)[0] == TENANT else "default"


def row_of(session: Session, index: Index | UniqueConstraint) -> object:
    """A row of the session's tenant that the index holds."""
    table = table_of(index)
    model = MODELS[table]
    is_live = [model.deleted_at.is_(None)] if "deleted_at" in table.columns else []
    is_held = [getattr(model, name).is_not(None) for name in names_of(index)]
    order = [column.desc() for column in inspect(model).primary_key]
    found = session.scalars(select(model).where(*is_held, *is_live).order_by(*order).limit(1))
    return found.one()


def _first_page(table: Table) -> Query:
    def first_page(session: Session, _row: object) -> Rows:
        return Repository(session, MODELS[table]).page().items

    return first_page


def _look_up(table: Table, columns: Sequence[str]) -> Query:
    def look_up(session: Session, row: object) -> Rows:
        key = {name: getattr(row, name) for name in columns if name != TENANT}
        return Repository(session, MODELS[table]).get_by(**key)

    return look_up

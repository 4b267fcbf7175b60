"""One row, inserted or changed in a single statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import inspect

from qadb.errors import ConflictError
from qadb.models import Base
from qadb.repositories.generic.filters import column_of
from qadb.repositories.generic.tables import table_of
from qadb.repositories.generic.unique_keys import find_key
from qadb.sessions.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from qadb.backends.base import Backend

M = TypeVar("M", bound=Base)


def upsert(
    session: Session,
    backend: Backend,
    model: type[M],
    values: Mapping[str, object],
    *,
    key: Sequence[str] | None,
    changes: Sequence[str] | None,
) -> M:
    """Insert the row, or change the one with the same key; see `Repository.upsert`."""
    for name in (*values, *(changes or ())):
        column_of(model, name)
    model(**values)  # raises for what breaks a rule of the model
    table = table_of(model)
    unique = find_key(table, backend.name, key, given=values, filled_in=_owner(session, model))
    taken = [name for name in values if name not in unique.columns] if changes is None else changes
    statement = backend.upserts.insert_or_update(
        model,
        values,
        key=unique.columns,
        predicate=unique.predicate,
        changes=taken or unique.columns[-1:],  # without a change the row would not come back
    ).returning(model)
    row = session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()
    if row is None:
        raise ConflictError(
            f"A row of {table.name} with this key is another tenant's.",
            table=table.name,
            constraint=unique.name,
            values={name: values[name] for name in unique.columns if name in values},
        )
    by_trigger = [c.key for c in table.columns if c.server_onupdate is not None]
    session.expire(row, by_trigger)
    return row


def _owner(session: Session, model: type[Base]) -> set[str]:
    """The column that the session fills in."""
    if not isinstance(session, UnitOfWork) or session.tenant is None:
        return set()
    name = session.tables.attribute_of(inspect(model))
    return set() if name is None else {name}

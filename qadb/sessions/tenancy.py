"""Keeps the statements and objects of a tenant's session to its tenant.

Owns what `UnitOfWork` does at each of its events: criteria for every query, the tenant's id in
every new row, a look at every object that comes from elsewhere. What slips past is refused by
`qadb.sessions.guard`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from sqlalchemy import ClauseElement, Delete, Insert, Select, Update, and_, inspect, literal, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.base import SyntaxExtension
from sqlalchemy.sql.lambdas import StatementLambdaElement

from qadb.errors import TenantViolation
from qadb.sessions.guard import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import BindParameter, ColumnElement
    from sqlalchemy.orm import DeclarativeBase, InstanceState, Mapper, ORMExecuteState

    from qadb.sessions.unit import UnitOfWork


def confine_statement(unit: UnitOfWork, state: ORMExecuteState) -> None:
    """Add the tenant to a statement that the session is about to execute."""
    if unit.tenant is None or unit.criteria is None:
        return
    statement = state.statement
    if isinstance(statement, StatementLambdaElement):
        criteria = unit.criteria
        state.statement = statement + (lambda resolved: resolved.options(criteria))
    elif isinstance(statement, Insert):
        if not state.is_orm_statement:
            raise refusal("an INSERT into a table instead of a model")
        _stamp_insert(unit, state, statement, unit.criteria.bind)
    elif state.is_column_load:
        _confine_reload(unit, state, unit.criteria.bind)
    elif state.is_select or state.is_update or state.is_delete:
        if isinstance(statement, Select) and not state.is_orm_statement:
            statement = _name_models(statement)
        state.statement = statement.options(unit.criteria)


def _name_models(statement: Select[*tuple[object, ...]]) -> Select[*tuple[object, ...]]:
    """Put the models of a SELECT into its FROM where SQLAlchemy has not seen them.

    Window functions and filtered aggregates don't make a statement the ORM's, which alone heeds the
    criteria.
    """
    sources = list(statement.get_final_froms())
    for element in visitors.iterate(statement):
        entity = getattr(element, "_annotations", {}).get("parententity")
        if entity is not None and entity.selectable in sources:
            sources.remove(entity.selectable)
            statement = statement.select_from(entity.entity)
    return statement


def _confine_reload(unit: UnitOfWork, state: ORMExecuteState, bind: BindParameter[str]) -> None:
    """Criteria pass over the reload of an object; its row may have gone to another tenant."""
    owner = None if state.bind_mapper is None else unit.tables.owner_of(state.bind_mapper)
    if owner is not None and isinstance(state.statement, Select):
        state.statement = state.statement.where(owner == bind)


def _stamp_insert(
    unit: UnitOfWork, state: ORMExecuteState, statement: Insert, bind: BindParameter[str]
) -> None:
    """Fill in the tenant where none is stated; the guard looks at those that are."""
    owner = unit.tables.owners.get(statement.table)
    if owner is None:
        return
    rows, stamp = state.parameters, {owner.key: unit.tenant}
    if isinstance(rows, list):
        state.parameters = [{**stamp, **row} for row in rows]
    elif rows:
        state.parameters = {**stamp, **cast("Mapping[str, object]", rows)}
    elif not _states_values_of_its_own(statement, owner.key):
        statement = statement.values(stamp)
    if statement._post_values_clause is not None:  # noqa: SLF001 - where ON CONFLICT lies
        statement = statement.ext(_ConfinedUpserts(owner == bind))
    state.statement = statement


class _ConfinedUpserts(SyntaxExtension, ClauseElement):
    """Lets each ON CONFLICT … DO UPDATE of an INSERT change the tenant's rows only."""

    def __init__(self, criterion: ColumnElement[bool]) -> None:
        self._criterion = criterion

    def apply_to_insert(self, insert_stmt: Insert) -> None:
        insert_stmt.apply_syntax_extension_point(self._confine, "post_values")

    def _confine(self, clauses: Sequence[ClauseElement]) -> Sequence[ClauseElement]:
        return [self._confine_one(clause) for clause in clauses]

    def _confine_one(self, clause: ClauseElement) -> ClauseElement:
        if not hasattr(clause, "update_whereclause"):
            return clause
        confined = copy.copy(clause)
        stated = clause.update_whereclause
        criterion = self._criterion if stated is None else and_(stated, self._criterion)
        confined.update_whereclause = criterion
        return confined


def _states_values_of_its_own(statement: Insert, name: str) -> bool:
    """Tell whether the statement names the tenant, or has rows that can't be completed."""
    if statement._multi_values or statement.select is not None:  # noqa: SLF001 - has no public name
        return True
    stated: Iterable[object] = statement._values or ()  # noqa: SLF001 - the same
    return any(getattr(key, "key", key) == name for key in stated)


def confine_flush(unit: UnitOfWork, statement: object) -> object:
    """Add the tenant to a change by key, which is what a flush writes of objects that are there.

    A key says nothing about whose row it is: the row may have gone to another tenant meanwhile, and
    somebody's listener may send a statement of its own.
    """
    if unit.criteria is None or not isinstance(statement, Update | Delete):
        return statement
    owner = unit.tables.owners.get(statement.table)
    return statement if owner is None else statement.where(owner == unit.criteria.bind)


def stamp_objects(unit: UnitOfWork) -> None:
    """Fill in the tenant of new objects; raises TenantViolation for another tenant's id."""
    if unit.tenant is None:
        return
    for row in unit.new:
        attribute = unit.tables.attribute_of(inspect(row).mapper)
        if attribute is None:
            continue
        if inspect(row).dict.get(attribute) is None:
            setattr(row, attribute, unit.tenant)
        _refuse_foreign(row, attribute, unit.tenant)
    for row in unit.dirty:
        attribute = unit.tables.attribute_of(inspect(row).mapper)
        if attribute is not None and attribute in inspect(row).dict:
            _refuse_foreign(row, attribute, unit.tenant)


def _refuse_foreign(row: object, attribute: str, tenant: str) -> None:
    stated = getattr(row, attribute)
    if stated != tenant:
        raise TenantViolation(
            f"A session of tenant {tenant!r} can't write {stated!r} as the tenant of a"
            f" {type(row).__name__}.",
            hint="Leave the tenant out: the session fills it in.",
        )


def look_up(unit: UnitOfWork, row: DeclarativeBase) -> None:
    """Let an object that was loaded elsewhere in only when this tenant has its row."""
    state: InstanceState[DeclarativeBase] = inspect(row)
    owner = unit.tables.owner_of(state.mapper)
    if unit.tenant is None or state.key is None or owner is None:
        return
    mapper: Mapper[DeclarativeBase] = state.mapper
    is_it = [c == value for c, value in zip(mapper.primary_key, state.key[1], strict=True)]
    with unit.no_autoflush:
        found = unit.execute(select(literal(1)).select_from(mapper).where(*is_it)).first()
    if found is None:
        raise TenantViolation(
            f"{type(row).__name__} {state.key[1]} is no row of tenant {unit.tenant!r}.",
            hint="Load the object in this session.",
        )

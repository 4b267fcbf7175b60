"""Writes the demo into a unit of work by the engine's bulk path, a bounded batch at a time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from qadb.backends.values import Actor
from qadb.demo.agents import agents
from qadb.demo.assistant import assistant
from qadb.demo.cases import test_cases
from qadb.demo.catalog import catalog
from qadb.demo.companies import COMPANIES
from qadb.demo.identity import identity
from qadb.demo.plan import Reference, Scene
from qadb.demo.products import products
from qadb.demo.promises import promises
from qadb.demo.quality import quality
from qadb.demo.runs import count_results, test_runs
from qadb.demo.syncs import DEMO_SOURCE, syncs
from qadb.models import AuditLog, Base, Role, TestResult, TestType
from qadb.repositories.generic.occupied import REFERENCE_TABLES
from qadb.repositories.generic.tables import table_of
from qadb.sessions.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Table

    from qadb.demo.plan import Batch, DemoPlan
    from qadb.sessions.unit import UnitOfWork

# After identity; what a room refers to lies in the rooms before it.
ROOMS = (
    catalog,
    products,
    test_cases,
    test_runs,
    quality,
    promises,
    agents,
    assistant,
    syncs,
)


def write_demo(
    unit: UnitOfWork, plan: DemoPlan, on_results: Callable[[int, int], None]
) -> dict[str, int]:
    """Write all rows; returns how many went into which table, those of triggers included.

    Args:
        unit: for all tenants, in a database without rows.
        plan: what to write.
        on_results: told after each batch how many results are written, and how many there will be.
    """
    connection, seeding = unit.own_connection(), unit.backend.seeding
    drawn = seeding.reserve_ids(connection, _numbered_tables())
    counted = Counter(drawn)
    reference = _read_reference(unit)
    scenes = [Scene(plan, company, reference, counted) for company in COMPANIES]
    expected = sum(map(count_results, scenes))
    written: Counter[str] = Counter()
    for scene in scenes:
        for each in identity(scene):
            _write(unit, each, written)
    for scene in scenes:
        _act_as_somebody(unit, scene)
        for room in ROOMS:
            for each in room(scene):
                _write(unit, each, written)
                if each.model is TestResult:
                    on_results(min(written[TestResult.__tablename__], expected), expected)
        _apply_changes(unit, scene)
    given = {Base.metadata.tables[name]: counted[name] for name in drawn}
    seeding.continue_ids(connection, given)
    seeding.learn_statistics(connection, Base.metadata.sorted_tables)
    log = AuditLog.__tablename__
    written[log] = unit.scalars(select(func.count()).select_from(AuditLog)).one()
    return dict(sorted(written.items()))


def _numbered_tables() -> list[Table]:
    """Tables whose rows get their ids here; the log's come from the database."""
    tables = Base.metadata.sorted_tables
    left_out = {*REFERENCE_TABLES, table_of(AuditLog)}
    return [
        table
        for table in tables
        if table not in left_out and any(column.identity for column in table.primary_key)
    ]


def _read_reference(unit: UnitOfWork) -> Reference:
    roles = unit.execute(select(Role.name, Role.id)).all()
    test_types = unit.execute(select(TestType.code, TestType.id)).all()
    return Reference(dict(roles), dict(test_types))


def _write(unit: UnitOfWork, each: Batch, written: Counter[str]) -> None:
    if each.columns:
        count = insert_rows(unit, table_of(each.model), each.columns, each.rows)
        written[each.model.__tablename__] += count


def _act_as_somebody(unit: UnitOfWork, scene: Scene) -> None:
    """Name one of the company's own people in the log from now on."""
    first = scene.company.people[0].username
    actor = Actor(user_id=scene.users[first], user_agent=DEMO_SOURCE, session_id="demo")
    unit.backend.context.set_context(unit.own_connection(), tenant=None, actor=actor)


def _apply_changes(unit: UnitOfWork, scene: Scene) -> None:
    for model, row_id, values in scene.changes:
        table = table_of(model)
        unit.execute(update(table).where(table.c.id == row_id).values(**values))

"""Every index has a query that the planner answers by it, in a database of 100,000 rows a table.

The rows are loaded once an engine and asked in one test, so that workers side by side do not load
them each. The planners' settings are as the engines come. On PostgreSQL tenants ask as an ordinary
role, whom row-level security confines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Index, UniqueConstraint, text

from qadb.models import metadata
from tests.models.test_search import FINDS
from tests.plans.explaining import Plan, collecting, explain
from tests.plans.justifying import foreign_key_of, names_of, query_of, row_of, table_of, tenant_of
from tests.plans.loading import fill
from tests.plans.queries import QUERIES
from tests.plans.words import ROWS
from tests.support.databases import execute, open_database
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, ForeignKeyConstraint

    from qadb.database import Database

TABLES = metadata.sorted_tables
INDEXES = [index for table in TABLES for index in sorted(table.indexes, key=lambda i: str(i.name))]
FOREIGN_KEYS = [key for table in TABLES for key in table.foreign_key_constraints]
UNIQUE_KEYS = [
    key
    for table in TABLES
    for key in table.constraints
    if isinstance(key, UniqueConstraint) and "tenant_id" in table.columns
]

# What PostgreSQL itself runs when a parent goes; SQLite looks children up before it does anything.
OF_PARENT = {
    "CASCADE": "DELETE FROM ONLY {table} WHERE {condition}",
    "SET NULL": "UPDATE ONLY {table} SET {first} = NULL WHERE {condition}",
    "RESTRICT": "SELECT 1 FROM ONLY {table} x WHERE {condition} FOR KEY SHARE OF x",
}
OF_PARENT_ON_SQLITE = "SELECT 1 FROM {table} WHERE {condition}"


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: str(index.name))
def test_every_index_is_there_for_a_query(index: Index) -> None:
    assert query_of(index) or foreign_key_of(index), "name its query in tests/plans/queries.py"


def test_every_query_is_for_an_index_that_is_there() -> None:
    assert {*QUERIES} <= {index.name for index in INDEXES}


@pytest.fixture
def large(migrated_url: str) -> Iterator[Database]:
    with open_database(migrated_url) as database:
        engine = database.backend.name
    fill(migrated_url, engine)
    with open_database(migrated_url) as database:
        yield database


@pytest.fixture
def tenants(large: Database, migrated_url: str) -> Iterator[Database]:
    """The same for sessions of a tenant."""
    if large.backend.name == "sqlite":
        yield large
        return
    with ordinary_role(migrated_url) as role:
        execute(large, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role.name}")
        with open_database(role.url(migrated_url)) as database:
            yield database


def test_planners_choose_every_index_for_its_query(
    large: Database, tenants: Database, subtests: pytest.Subtests
) -> None:
    with large.connect(read_only=True) as connection:
        for name in sorted({table_of(index).name for index in INDEXES}):
            with subtests.test("rows", table=name):
                count = connection.scalar(text(f"SELECT count(*) FROM {name}"))
                assert count is not None
                assert count >= ROWS
    indexes: list[Index | UniqueConstraint] = [*INDEXES, *UNIQUE_KEYS]
    for index in indexes:
        with subtests.test("query", index=str(index.name)):
            tenant = tenant_of(index)
            _assert_chosen_for_its_query(large if tenant is None else tenants, tenant, index)
    with large.connect(read_only=True) as connection:
        for key in FOREIGN_KEYS:
            with subtests.test("foreign key", key=str(key.name)):
                _assert_served(connection, key)
        with subtests.test("full text"):
            plan = explain(connection, *_bound(connection, FINDS[connection.dialect.name]))
            assert plan.indexes & {"idx_notes_search_document", "notes_search"}, plan.text


def _assert_chosen_for_its_query(
    database: Database, tenant: str | None, index: Index | UniqueConstraint
) -> None:
    query = query_of(index)
    if query is None:
        return
    with database.session(tenant=tenant, all_tenants=tenant is None, read_only=True) as session:
        row = row_of(session, index)
        with collecting(database) as sent:
            assert query(session, row)
        with session.unguarded():
            connection = session.own_connection()
            plans = [explain(connection, each.statement, each.parameters) for each in sent]
    if isinstance(index, UniqueConstraint):  # it is there to be kept; its rows are found by it too
        assert all(plan.indexes for plan in plans), _shown(plans)
    else:
        assert any(index.name in plan.indexes for plan in plans), _shown(plans)


def _assert_served(connection: Connection, key: ForeignKeyConstraint) -> None:
    table, columns = key.table, key.column_keys
    names = ", ".join(columns)
    given = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    order = ", ".join(f"{name} DESC" for name in columns)  # a rare one: the small ones are frequent
    parent = connection.exec_driver_sql(
        f"SELECT {names} FROM {table.name} WHERE {given} ORDER BY {order} LIMIT 1"
    ).one()
    plan = explain(connection, _of_parent(connection, key), tuple(parent))
    assert len(plan.indexes) == 1, plan.text
    assert plan.indexes <= _serving(key, connection.dialect.name), plan.text


def _of_parent(connection: Connection, key: ForeignKeyConstraint) -> str:
    is_sqlite = connection.dialect.name == "sqlite"
    form = OF_PARENT_ON_SQLITE if is_sqlite else OF_PARENT[str(key.ondelete)]
    mark = "?" if is_sqlite else "%s"
    condition = " AND ".join(f"{name} = {mark}" for name in key.column_keys)
    return form.format(table=key.table.name, condition=condition, first=key.column_keys[0])


def _serving(key: ForeignKeyConstraint, dialect: str) -> set[str]:
    """The index that is there for the key alone, else all that begin with its columns."""
    table, width = key.table, len(key.column_keys)
    own = {str(index.name) for index in table.indexes if foreign_key_of(index) is key}
    if own:
        return own
    unique = [item for item in table.constraints if isinstance(item, UniqueConstraint)]
    items: list[Index | UniqueConstraint] = [*table.indexes, *unique]
    names = {str(item.name) for item in items if names_of(item)[:width] == key.column_keys}
    if [column.name for column in table.primary_key][:width] == key.column_keys:
        names.add(str(table.primary_key.name))
    if dialect == "sqlite":
        names |= {f"sqlite_autoindex_{table.name}_{number}" for number in (1, 2, 3)}
    return names


def _bound(connection: Connection, query: str) -> tuple[str, tuple[object, ...]]:
    """A full text query for the driver."""
    if connection.dialect.name == "sqlite":
        return query.replace(":word", "?"), ("word7",)
    return query.replace(":word", "%s"), ("word7",)


def _shown(plans: list[Plan]) -> str:
    return "\n\n".join(plan.text for plan in plans) or "it sent no query"

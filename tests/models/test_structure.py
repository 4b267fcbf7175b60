"""What holds for every table, read from the models and from a migrated database."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, inspect
from sqlalchemy.orm import configure_mappers

import qadb.models
from qadb.models import Base, TestRun, User, metadata
from tests.models.rows import make_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Inspector, Table
    from sqlalchemy.orm import RelationshipProperty

FOREIGN_KEYS = [
    pytest.param(table, key, id=f"{table.name}-{'-'.join(key.column_keys)}")
    for table in metadata.sorted_tables
    for key in sorted(table.foreign_key_constraints, key=lambda key: [*key.column_keys])
]
WITH_TENANT = {"test_results", "audit_logs"}  # a tenant's id without foreign key


def _relationships() -> Iterator[RelationshipProperty[object]]:
    configure_mappers()
    for mapper in Base.registry.mappers:
        yield from mapper.relationships


def test_importing_the_package_loads_no_sqlalchemy() -> None:
    code = (
        "import sys, qadb.models; qadb.models.schema.own_tables;"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('sqlalchemy', 'alembic')];"
        "from qadb.models import User; assert User.__tablename__ == 'users'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_exports_every_model() -> None:
    models = {mapper.class_.__name__ for mapper in Base.registry.mappers}
    assert models == {*qadb.models.__all__} - {"Base", "metadata", "schema"}
    assert len(metadata.tables) == len(models)
    assert qadb.models.schema.metadata is metadata


def test_the_schema_knows_what_the_engines_keep_beside_the_tables(
    filled: Connection,
) -> None:
    found = inspect(filled)
    tables = {*found.get_table_names()} - {*metadata.tables} - qadb.models.schema.own_tables
    columns = {column["name"] for column in found.get_columns("notes")}
    indexes = {index["name"] for index in found.get_indexes("notes")}
    notes = metadata.tables["notes"]
    beside = tables | columns - {*notes.columns.keys()} | indexes - {i.name for i in notes.indexes}
    assert beside
    assert beside <= qadb.models.schema.unmapped


def test_unknown_names_are_no_attributes_of_the_package() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        qadb.models.Nothing  # noqa: B018 - the point


@pytest.mark.parametrize(("table", "key"), FOREIGN_KEYS)
def test_every_foreign_key_says_what_happens_on_delete(
    table: Table, key: ForeignKeyConstraint
) -> None:
    assert key.ondelete in {"CASCADE", "RESTRICT", "SET NULL"}
    assert (key.ondelete == "SET NULL") <= all(column.nullable for column in key.columns)


@pytest.mark.parametrize(("table", "key"), FOREIGN_KEYS)
def test_every_foreign_key_is_served_by_an_index(table: Table, key: ForeignKeyConstraint) -> None:
    serving = [
        item
        for item in [*table.indexes, *table.constraints]
        if isinstance(item, Index | UniqueConstraint | PrimaryKeyConstraint)
        and [column.name for column in item.columns][: len(key.columns)] == key.column_keys
        and _condition(item) in ("None", f"{table.name}.{key.column_keys[0]} IS NOT NULL")
    ]
    assert serving


def test_the_live_catalog_serves_every_foreign_key(filled: Connection) -> None:
    catalog = inspect(filled)
    for table in metadata.tables:
        serving = [*_live_keys(catalog, table)]
        for key in catalog.get_foreign_keys(table):
            columns = key["constrained_columns"]
            assert any(
                served[: len(columns)] == columns and condition in ("", f"{columns[0]} IS NOT NULL")
                for served, condition in serving
            ), f"{table}: {columns}"
        assert len(catalog.get_foreign_keys(table)) == len(
            metadata.tables[table].foreign_key_constraints
        )


def _live_keys(catalog: Inspector, table: str) -> Iterator[tuple[list[str | None], str]]:
    """The columns of each key and index, and the condition of those over some rows only."""
    yield [*catalog.get_pk_constraint(table)["constrained_columns"]], ""
    for constraint in catalog.get_unique_constraints(table):
        yield [*constraint["column_names"]], ""
    for index in catalog.get_indexes(table):
        options = index.get("dialect_options", {})
        where = options.get("postgresql_where", options.get("sqlite_where", ""))
        yield [*index["column_names"]], str(where).strip("()").removeprefix(f"{table}.")


def _condition(item: object) -> str:
    return str(item.dialect_kwargs.get("postgresql_where")) if isinstance(item, Index) else "None"


@pytest.mark.parametrize(("table", "key"), FOREIGN_KEYS)
def test_sqlite_finds_children_by_an_index(
    filled_sqlite: Connection, table: Table, key: ForeignKeyConstraint
) -> None:
    row = " AND ".join(f"{name} = ?" for name in key.column_keys)
    query = f"EXPLAIN QUERY PLAN SELECT 1 FROM {table.name} WHERE {row}"
    plan = str(filled_sqlite.exec_driver_sql(query, ("1",) * len(key.columns)).all())
    assert " AND ".join(f"{name}=?" for name in key.column_keys) in plan


def test_every_relationship_has_its_other_side() -> None:
    for relationship in _relationships():
        sides = relationship._reverse_property
        assert sides, str(relationship)
        assert all(relationship.parent is side.mapper for side in sides), str(relationship)


@pytest.mark.parametrize(("table", "key"), FOREIGN_KEYS)
def test_every_foreign_key_has_a_relationship(table: Table, key: ForeignKeyConstraint) -> None:
    synchronized = {
        column
        for relationship in _relationships()
        for _, column in [
            *relationship.synchronize_pairs,
            *(relationship.secondary_synchronize_pairs or ()),
        ]
    }
    assert {*key.columns} <= synchronized


def test_users_list_what_they_made_and_did() -> None:
    names = {relationship.key for relationship in User.__mapper__.relationships}
    assert {"orders", "audit_logs", "triggered_runs", "created_products", "updated_bugs"} <= names
    assert {"conversations", "messages", "notes", "events", "tool_executions"} <= names


def test_runs_list_what_hangs_on_them() -> None:
    names = {relationship.key for relationship in TestRun.__mapper__.relationships}
    assert {"results", "coverage_data", "performance_results", "performance_baselines"} <= names


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_tenants_come_first_where_lists_are_served(table: Table) -> None:
    if "tenant_id" in table.c and table.name not in WITH_TENANT:
        assert any(
            index.columns[0].name == "tenant_id" and not index.unique for index in table.indexes
        ) or any(
            constraint.columns[0].name == "tenant_id"
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        )


def test_ids_that_ascend_with_time_are_never_used_again() -> None:
    ascending = {
        table.name for table in metadata.sorted_tables if table.kwargs.get("sqlite_autoincrement")
    }
    assert ascending == {"audit_logs", "test_runs", "users"}


def test_results_have_their_key_and_two_indexes_only() -> None:
    results = metadata.tables["test_results"]
    key = [column.name for column in results.primary_key]
    assert key == ["run_id", "test_case_id", "occurrence", "attempt"]
    assert {tuple(column.name for column in index.columns) for index in results.indexes} == {
        ("test_case_id", "run_id"),
        ("signature", "executed_at"),
    }
    assert not results.c.tenant_id.foreign_keys


def test_repr_shows_no_secret_and_no_long_text() -> None:
    user = User(username="ada", password_hash="$2b$" + "x" * 60, api_key_hash="secret-hash")
    assert repr(user) == "User(username='ada')"
    shown = repr(make_case(case_key="k" * 500, description="d" * 500))
    assert len(shown) < 120
    assert "…" in shown


def test_repr_loads_nothing() -> None:
    assert repr(TestRun(run_key="r1", trigger_command="make")) == "TestRun(run_key='r1')"

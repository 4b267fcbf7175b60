from __future__ import annotations

import ast
import io
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Identity

from qadb.backends.catalog import diff
from qadb.models import schema
from tests.migrations.catalogs import pg_dump_text, read_catalog, sqlite_schema_text
from tests.migrations.revisions import (
    HEAD,
    downgrade,
    open_engine,
    script_directory,
    upgrade,
    write_sql,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Column, Engine

    from tests.support.postgres_server import PostgresServer

REVISIONS = ("001", "002", "003", "004", "005", "006", "007", "008", "009", "010")
TABLE_COUNT = 38


def test_models_and_revisions_make_the_same_catalog(two_engines: tuple[Engine, Engine]) -> None:
    modelled, migrated = two_engines
    with modelled.begin() as connection:
        schema.metadata.create_all(connection)
        expected = read_catalog(connection)
    with migrated.begin() as connection:
        upgrade(connection)
        found = read_catalog(connection)
    tables = {
        name.split()[1] for name in found.objects if name.count(" ") == 1 and "table " in name
    }
    assert len(tables - schema.unmapped) == TABLE_COUNT
    assert diff(expected, found) == ()


def test_autogenerate_finds_nothing_to_change(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # True where IDENTITY is known: Alembic fails on it with a function of one's own.
                "compare_server_default": connection.dialect.supports_identity_columns
                or _skip_identity,
                "include_name": lambda name, _kind, _parents: (
                    name not in schema.own_tables | schema.unmapped
                ),
                "version_table": schema.version_table,
            },
        )
        assert compare_metadata(context, schema.metadata) == []


def _skip_identity(
    _context: MigrationContext, _inspected: object, modelled: Column[object], *_defaults: object
) -> bool | None:
    """SQLite has no IDENTITY, and Alembic takes its absence for a lost default."""
    return False if isinstance(modelled.server_default, Identity) else None


def test_down_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        downgrade(connection)
        assert read_catalog(connection).objects == {}


@pytest.mark.parametrize("target", ["base", *REVISIONS[:-1]])
def test_up_down_up_leaves_an_equal_catalog(engine: Engine, target: str) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        before = read_catalog(connection)
        downgrade(connection, target)
        is_equal = connection.dialect.name == "sqlite" and target == "009"  # 010 is PostgreSQL's
        assert (diff(before, read_catalog(connection)) == ()) is is_equal
        upgrade(connection)
        assert diff(before, read_catalog(connection)) == ()


def test_up_down_up_leaves_an_equal_schema_text_on_sqlite(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with engine.begin() as connection:
        upgrade(connection)
    before = sqlite_schema_text(engine)
    with engine.begin() as connection:
        downgrade(connection)
        upgrade(connection)
    assert sqlite_schema_text(engine) == before
    engine.dispose()


def test_up_down_up_leaves_an_equal_dump_on_postgresql(
    postgresql_url: str, postgresql_server: PostgresServer
) -> None:
    engine = open_engine(postgresql_url)
    program = postgresql_server.program("pg_dump")
    with engine.begin() as connection:
        upgrade(connection)
    before = pg_dump_text(program, postgresql_url)
    with engine.begin() as connection:
        downgrade(connection)
        upgrade(connection)
    engine.dispose()
    assert any("CREATE TABLE public.test_results" in line for line in before)
    assert pg_dump_text(program, postgresql_url) == before


def test_a_failed_revision_leaves_the_database_as_it_was(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection, "001")
        before = read_catalog(connection)
        connection.exec_driver_sql("CREATE TABLE holds (id integer)")
    with pytest.raises(Exception, match="holds"), engine.begin() as connection:
        upgrade(connection)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE holds")
        assert diff(before, read_catalog(connection)) == ()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_revisions_can_be_written_as_sql(dialect: str) -> None:
    up, down = io.StringIO(), io.StringIO()
    write_sql(dialect, "up", HEAD, up)
    write_sql(dialect, "down", "base", down)
    assert f"CREATE TABLE {schema.version_table} (" in up.getvalue()
    for name in schema.metadata.tables:
        assert f"CREATE TABLE {name} (" in up.getvalue()
        assert f"DROP TABLE {name};" in down.getvalue()
    assert "'Côte d''Ivoire'" in up.getvalue()


def test_revisions_form_one_line_with_titles() -> None:
    revisions = list(script_directory().walk_revisions())[::-1]
    assert tuple(revision.revision for revision in revisions) == REVISIONS
    assert script_directory().get_heads() == [HEAD]
    assert all(revision.doc and revision.doc.endswith(".") for revision in revisions)


@pytest.mark.parametrize(
    "file", sorted(schema.migrations.glob("versions/*.py")), ids=lambda file: file.stem
)
def test_revisions_import_nothing_of_the_package(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + [alias.name for alias in node.names]
    }
    assert "alembic" in imported
    assert not [name for name in imported if name.startswith("qadb")]

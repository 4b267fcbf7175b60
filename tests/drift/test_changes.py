"""Drift: nothing on a database as its revisions made it, and each change by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.errors import EmptyDatabase, UnmanagedDatabase
from qadb.operations.init import init_database
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.drift import compare, find_drift, find_drift_of_models
from qadb.revisions.scratch import catalog_at, read_catalog
from tests.drift.changes import (
    ON_BOTH,
    ON_POSTGRESQL,
    ON_SQLITE,
    REWRITTEN_ON_SQLITE,
    REWRITTEN_THINGS,
    THINGS,
)
from tests.operations.foreign import fill_with_foreign_tables
from tests.support.databases import dump, execute, live_catalog, open_database
from tests.support.migrated import copy_of
from tests.support.revision_folders import schema_of, write_revision
from tests.support.revisions import STOPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.backends.catalog import Catalog
    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def expected(migrated_template_url: str) -> Catalog:
    """What the revisions make on the engine under test: to make it takes a second."""
    return expected_of(migrated_template_url)


@pytest.fixture(scope="session")
def expected_on_sqlite(sqlite_template: str) -> Catalog:
    return expected_of(sqlite_template)


@pytest.fixture(scope="session")
def expected_on_postgresql(postgresql_template: str) -> Catalog:
    return expected_of(postgresql_template)


@pytest.fixture(scope="module")
def kept_postgresql(
    postgresql_server: PostgresServer,
    postgresql_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Database]:
    """A database that every change is taken back in."""
    folder = tmp_path_factory.mktemp("kept")
    with (
        copy_of(postgresql_template, postgresql_server, folder) as url,
        open_database(url) as database,
    ):
        yield database


def expected_of(template: str) -> Catalog:
    with open_database(template) as database:
        return catalog_at(database, read_catalogue(database.schema.migrations).head)


def found_objects(database: Database) -> list[str]:
    drift = find_drift(database)
    assert drift.status == "found"
    return [difference.object for difference in drift.differences]


def differing_objects(database: Database, expected: Catalog) -> list[str]:
    """The same beside what is expected, which need not be made again."""
    return [each.object for each in compare(expected, live_catalog(database)).differences]


def objects_after(database: Database, change: str, expected: Catalog) -> list[str]:
    """The same of a change that is taken back."""
    with database.connect() as connection:
        connection.execute(text(change.replace("::", "\\:\\:")))
        found = read_catalog(database, connection)
        connection.rollback()
    return [each.object for each in compare(expected, found).differences]


def test_database_as_its_revisions_made_it_has_no_drift(migrated: Database) -> None:
    assert find_drift(migrated).status == "none"


@pytest.mark.parametrize("stop", STOPS[1:-1:3])
def test_database_at_an_earlier_revision_is_compared_with_that(
    migrated: Database, stop: str
) -> None:
    rollback(migrated, plan_rollback(migrated, stop))

    assert find_drift(migrated).status == "none"


def test_models_make_what_the_revisions_make(migrated: Database) -> None:
    assert find_drift_of_models(migrated).status == "none"


def test_looking_changes_nothing(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    before = dump(migrated_url, database_server)

    find_drift(migrated)
    find_drift_of_models(migrated)

    assert dump(migrated_url, database_server) == before


@pytest.mark.parametrize("change", ON_BOTH)
def test_change_is_seen_on_both_engines(migrated: Database, change: str, expected: Catalog) -> None:
    execute(migrated, change)

    assert ON_BOTH[change] in differing_objects(migrated, expected)


def test_change_is_told_beside_what_the_revisions_make(migrated: Database) -> None:
    execute(migrated, "DROP INDEX idx_users_created_by")

    assert found_objects(migrated) == ["index idx_users_created_by"]


@pytest.mark.parametrize("change", ON_SQLITE)
def test_change_is_seen_on_sqlite(
    migrated_sqlite: Database, change: str, expected_on_sqlite: Catalog
) -> None:
    execute(migrated_sqlite, change)

    assert ON_SQLITE[change] in differing_objects(migrated_sqlite, expected_on_sqlite)


def rewrite(database: Database, name: str, before: str, after: str) -> None:
    """Write over a part of an object's definition."""
    with database.connect() as connection:
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        changed = connection.exec_driver_sql(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ? AND instr(sql, ?)",
            (before, after, name, before),
        )
        assert changed.rowcount == 1
    database.close()


@pytest.mark.parametrize("change", REWRITTEN_ON_SQLITE, ids=" ".join)
def test_change_of_a_definition_is_seen_on_sqlite(
    migrated_sqlite: Database, change: tuple[str, str, str], expected_on_sqlite: Catalog
) -> None:
    rewrite(migrated_sqlite, *change)

    found = differing_objects(migrated_sqlite, expected_on_sqlite)
    assert any(name.startswith(REWRITTEN_ON_SQLITE[change]) for name in found)


@pytest.mark.parametrize("change", REWRITTEN_THINGS, ids=" ".join)
def test_change_of_what_another_schema_has_is_seen_on_sqlite(
    sqlite_url: str, tmp_path: Path, change: tuple[str, str, str]
) -> None:
    folder = tmp_path / "migrations"
    write_revision(folder, "001", None, up="\n".join(f'op.execute("{x}")' for x in THINGS))
    with open_database(sqlite_url, schema_of(folder)) as database:
        init_database(database)
        assert find_drift(database).status == "none"

        rewrite(database, *change)

        assert found_objects(database) == [REWRITTEN_THINGS[change]]


@pytest.mark.parametrize("change", ON_POSTGRESQL)
def test_change_is_seen_on_postgresql(
    kept_postgresql: Database, change: str, expected_on_postgresql: Catalog
) -> None:
    assert ON_POSTGRESQL[change] in objects_after(kept_postgresql, change, expected_on_postgresql)


def test_parts_of_a_missing_table_are_not_listed(migrated: Database) -> None:
    execute(migrated, "DROP TABLE holds")

    objects = found_objects(migrated)

    assert "table holds" in objects
    assert not [name for name in objects if name.startswith("table holds ")]


def test_database_without_a_revision_is_refused(empty: Database, database_url: str) -> None:
    empty.create()
    with pytest.raises(EmptyDatabase):
        find_drift(empty)

    fill_with_foreign_tables(empty)

    with pytest.raises(UnmanagedDatabase):
        find_drift(empty)

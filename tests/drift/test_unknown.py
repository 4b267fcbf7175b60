"""Where the revisions can't be run for comparison nobody can tell, and the answer says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql import scratch
from qadb.errors import NotComparable
from qadb.operations.status import read_status
from qadb.revisions.drift import find_drift, find_drift_of_models
from qadb.revisions.scratch import migrated_place, read_catalog
from tests.support.databases import execute, open_database
from tests.support.postgres_client import execute as execute_as_admin
from tests.support.revision_folders import schema_of, write_revision
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database


@pytest.fixture
def as_reader(migrated_postgresql: Database) -> Iterator[Database]:
    """The database for a role that may read and no more."""
    options = migrated_postgresql.url
    url = f"postgresql://{options.user}:{options.password}@{options.hosts[0][0]}"
    url += f":{options.hosts[0][1]}/{options.database}"
    with ordinary_role(url) as role:
        execute_as_admin(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.name)
        with open_database(role.url(url)) as database:
            yield database


def test_role_that_may_make_no_namespace_is_told_which_right_it_takes(
    as_reader: Database,
) -> None:
    for look in (find_drift, find_drift_of_models):
        drift = look(as_reader)

        assert (drift.status, drift.differences) == ("unknown", ())
        assert "may make no namespace" in (drift.reason or "")
        assert f"GRANT CREATE ON DATABASE {as_reader.url.database} TO" in (drift.reason or "")


def test_names_are_compared_all_the_same(
    as_reader: Database, migrated_postgresql: Database
) -> None:
    assert "Only the names" in (find_drift(as_reader).reason or "")

    execute(migrated_postgresql, "ALTER TABLE notes DROP COLUMN category", "DROP TABLE holds")
    drift = find_drift(as_reader)

    assert drift.status == "found"
    assert [difference.object for difference in drift.differences] == [
        "table holds",
        "table notes column category",
    ]


def test_standby_is_no_place_to_compare_in(
    migrated_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "IS_STANDBY_SQL", "SELECT true")

    drift = find_drift(migrated_postgresql)

    assert drift.status == "unknown"
    assert "Ask the primary." in (drift.reason or "")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE public.users ADD COLUMN more int",
        'DROP TABLE "public" . users',
        "SET LOCAL search_path TO public",
    ],
)
def test_statement_that_reaches_out_is_refused_before_it_runs(
    migrated_postgresql: Database, statement: str
) -> None:
    with (
        migrated_postgresql.backend.scratch.empty_place(
            migrated_postgresql.url, migrated_postgresql.engine()
        ) as place,
        pytest.raises(NotComparable, match="reaches out"),
    ):
        place.exec_driver_sql(statement)

    assert find_drift(migrated_postgresql).status == "none"


def test_revisions_with_blocks_of_no_transaction_are_compared(
    migrated_postgresql: Database, tmp_path: Path
) -> None:
    up = """\
        with op.get_context().autocommit_block():
            op.create_index("i", "parent", ["name"], postgresql_concurrently=True)
        """
    folder = tmp_path / "migrations"
    table = 'op.execute("CREATE TABLE parent (name text)")'
    write_revision(folder, "001", None, up=table)
    write_revision(folder, "002", "001", up=up)
    migrated_postgresql.schema = schema_of(folder)

    with migrated_place(migrated_postgresql, "002") as place:
        found = read_catalog(migrated_postgresql, place)

    assert found.objects["index i"].startswith("CREATE INDEX i ON parent")


def test_database_without_a_known_revision_has_no_drift_to_tell(empty: Database) -> None:
    absent = read_status(empty, with_drift=True)
    empty.create()
    execute(empty, "CREATE TABLE other (id INTEGER)")
    unmanaged = read_status(empty, with_drift=True)

    for status in (absent, unmanaged):
        assert status.drift is not None
        assert status.drift.status == "unknown"
        assert not status.is_well

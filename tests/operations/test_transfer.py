"""A backup of SQLite goes into PostgreSQL whole, with every value what it was, or not at all."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from qadb.errors import InsufficientPrivilege, RestoreRefused
from qadb.models import schema
from qadb.models.base import Base
from qadb.operations.backup import create_backup
from qadb.operations.demo import init_demo
from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.restore import plan_restore, restore
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from qadb.operations.verify import verify_backup
from tests.support.databases import execute, fetch_rows, live_catalog, open_database
from tests.support.postgres_client import execute as superuser
from tests.support.program import CHECKOUT
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer
    from tests.support.program import Program

NOW = datetime(2026, 3, 10, 9, 30, 12, 345678, tzinfo=UTC)
COUNT = "SELECT count(*) FROM countries"
ADD = "INSERT INTO countries (code, name) VALUES ('QQ', 'Atlantis')"
ADD_PRODUCT = "INSERT INTO products (tenant_id, sku, name) SELECT id, '{0}', '{0}' FROM tenants"


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo in a SQLite file, made once; nobody is connected to it."""
    path = tmp_path_factory.mktemp("demo") / "qa.sqlite3"
    with open_database(f"sqlite:///{path}") as database:
        init_demo(database, now=NOW)
    return path


@pytest.fixture
def demo(demo_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A copy of the demo on SQLite."""
    path = tmp_path / "qa.sqlite3"
    shutil.copyfile(demo_file, path)
    with open_database(f"sqlite:///{path}") as database:
        yield database


@pytest.fixture
def migrated_postgresql(postgresql_server: PostgresServer) -> Iterator[Database]:
    """What the revisions make on PostgreSQL."""
    url = postgresql_server.create_database()
    with open_database(url) as database:
        init_database(database)
        yield database
    postgresql_server.drop_database(url)


@pytest.fixture
def target(postgresql_url: str) -> Iterator[Database]:
    """An empty database on PostgreSQL."""
    with open_database(postgresql_url) as database:
        yield database


def move(source: Database, target: Database, folder: Path) -> Path:
    """Back up, restore there, and return the backup."""
    backup = create_backup(source, folder).path
    restore(target, plan_restore(target, backup))
    return backup


def rows_by_model(database: Database) -> dict[str, list[dict[str, object]]]:
    """Every row as the models read it, by table, in the order of keys."""
    found = {}
    with database.session(all_tenants=True, read_only=True) as session:
        for mapper in Base.registry.mappers:
            query = select(*mapper.columns).order_by(*mapper.primary_key)
            rows = session.execute(query).mappings()
            found[str(mapper.local_table)] = [dict(row) for row in rows]
    return found


def test_every_row_is_what_it_was(demo: Database, target: Database, tmp_path: Path) -> None:
    before = rows_by_model(demo)

    move(demo, target, tmp_path / "backups")

    after = rows_by_model(target)
    assert {*after} == {*schema.metadata.tables}
    for table, rows in before.items():
        assert after[table] == rows, table
    kinds = {type(value) for rows in after.values() for row in rows for value in row.values()}
    assert {"datetime", "Decimal", "bool", "list", "dict", "float", "UUID"} <= {
        kind.__name__ for kind in kinds
    }


def test_the_tables_are_those_that_revisions_make(
    demo: Database, target: Database, tmp_path: Path, migrated_postgresql: Database
) -> None:
    move(demo, target, tmp_path / "backups")

    assert live_catalog(target) == live_catalog(migrated_postgresql)
    assert read_status(target).database.state == "current"


def test_the_history_goes_on(demo: Database, target: Database, tmp_path: Path) -> None:
    history = read_status(demo).history

    backup = move(demo, target, tmp_path / "backups")

    *former, made, restored = read_status(target).history
    assert former == list(history)
    assert (made.operation, made.backup) == ("backup", str(backup))
    assert (restored.operation, restored.backup) == ("restore", str(backup))


def test_the_next_id_is_above_every_id_that_ever_was(
    demo: Database, target: Database, tmp_path: Path
) -> None:
    (highest,) = fetch_rows(demo, "SELECT max(id) FROM products")[0]
    (last_user,) = fetch_rows(demo, "SELECT seq FROM sqlite_sequence WHERE name = 'users'")[0]
    user = "INSERT INTO users (tenant_id, username, role_id) VALUES ('default', '{}', 1)".format
    execute(demo, user("somebody"), "DELETE FROM users WHERE username = 'somebody'")
    move(demo, target, tmp_path / "backups")

    execute(target, ADD_PRODUCT.format("new"), user("another"))

    assert isinstance(highest, int)
    assert isinstance(last_user, int)
    assert fetch_rows(target, "SELECT min(id) FROM products WHERE sku = 'new'") == [(highest + 1,)]
    assert fetch_rows(target, "SELECT id FROM users WHERE username = 'another'") == [
        (last_user + 2,)
    ]


def test_what_is_moved_is_no_change_and_later_changes_are(
    demo: Database, target: Database, tmp_path: Path
) -> None:
    log = "SELECT count(*) FROM audit_logs"
    before = fetch_rows(demo, log)
    move(demo, target, tmp_path / "backups")
    assert fetch_rows(target, log) == before

    execute(target, ADD_PRODUCT.format("new"))

    assert fetch_rows(target, log) > before


def test_an_older_revision_is_moved_as_it_was_and_can_be_migrated(
    demo: Database, target: Database, tmp_path: Path
) -> None:
    rollback(demo, plan_rollback(demo, "005"))
    runs = fetch_rows(demo, "SELECT count(*) FROM test_results")
    move(demo, target, tmp_path / "backups")
    assert read_status(target).database.revision == "005"

    migrate(target)

    assert read_status(target).database.state == "current"
    assert fetch_rows(target, "SELECT count(*) FROM test_results") == runs


@pytest.mark.parametrize(
    ("damage", "column"),
    [
        ("description = 'a' || char(0) || 'b'", "description"),
        ('extra_data = \'{"a": "\\u0000"}\'', "extra_data"),
    ],
    ids=["nul_in_text", "nul_in_document"],
)
def test_a_value_that_does_not_fit_is_named_and_nothing_changes(
    demo: Database, target: Database, tmp_path: Path, damage: str, column: str
) -> None:
    init_database(target)
    execute(target, ADD)
    (key,) = fetch_rows(demo, "SELECT id FROM test_cases ORDER BY id LIMIT 1 OFFSET 70")[0]
    with demo.connect() as connection:
        connection.exec_driver_sql(f"UPDATE test_cases SET {damage} WHERE id = {key}")
    plan = plan_restore(target, create_backup(demo, tmp_path / "backups").path)
    databases = names_of_databases(target)

    with pytest.raises(RestoreRefused, match=f"test_cases, id {key}, column {column}: ") as caught:
        restore(target, plan)

    assert caught.value.hint
    assert fetch_rows(target, COUNT) == [(250,)]
    assert names_of_databases(target) == databases


def test_killed_half_way_the_target_is_as_it_was_and_the_next_restore_tidies_up(
    demo: Database,
    target: Database,
    postgresql_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backup = move(demo, target, tmp_path / "backups")
    execute(target, ADD)
    databases = names_of_databases(target)
    target.close()
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # which remembers another
    command = [sys.executable, "-c", KILLED, postgresql_url, str(backup)]

    done = subprocess.run(command, cwd=CHECKOUT, check=False)

    assert done.returncode == -signal.SIGKILL
    assert fetch_rows(target, COUNT) == [(250,)]
    assert any(folder.iterdir())
    (left,) = names_of_databases(target) - databases
    notes: list[str] = []
    restore(target, plan_restore(target, backup), notify=notes.append)
    assert str(left) in notes[0]
    assert left not in names_of_databases(target)
    assert not any(folder.iterdir())
    assert fetch_rows(target, COUNT) == [(249,)]


KILLED = """
import os, signal, sys
from pathlib import Path
from qadb.operations.restore import plan_restore, restore
from qadb.operations.transfer import Transfer
from tests.support.databases import open_database

Transfer._continue_ids = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with open_database(sys.argv[1]) as database:
    restore(database, plan_restore(database, Path(sys.argv[2])))
"""


def names_of_databases(database: Database) -> set[object]:
    return {name for (name,) in fetch_rows(database, "SELECT datname FROM pg_database")}


def test_a_table_that_nobody_knows_is_named_and_not_lost(
    demo: Database, target: Database, tmp_path: Path
) -> None:
    execute(demo, "CREATE TABLE theirs (id INTEGER PRIMARY KEY)")
    backup = create_backup(demo, tmp_path / "backups").path

    with pytest.raises(RestoreRefused, match="theirs"):
        restore(target, plan_restore(target, backup))

    assert read_status(target).database.state == "empty"


def test_what_is_replaced_is_kept_with_its_settings(
    demo: Database, target: Database, tmp_path: Path
) -> None:
    name = target.url.database
    execute(
        target,
        "CREATE SCHEMA qa",
        f'ALTER DATABASE "{name}" SET search_path TO qa',
        f'ALTER DATABASE "{name}" SET statement_timeout TO 300001',
    )
    target.close()

    move(demo, target, tmp_path / "backups")

    assert read_status(target).database.state == "current"
    assert fetch_rows(target, "SELECT current_schema()") == [("qa",)]
    assert fetch_rows(target, "SHOW statement_timeout") == [("300001ms",)]


def test_a_role_that_may_make_databases_is_enough(
    demo: Database, postgresql_url: str, tmp_path: Path
) -> None:
    backup = create_backup(demo, tmp_path / "backups").path
    with ordinary_role(postgresql_url) as role:
        new = role.url(postgresql_url) + "_new"
        with open_database(new) as database:
            with pytest.raises(InsufficientPrivilege, match="makes a database"):
                restore(database, plan_restore(database, backup))
            superuser(postgresql_url, "ALTER ROLE {} CREATEDB", role.name)
            restore(database, plan_restore(database, backup))
            try:
                assert fetch_rows(database, COUNT) == [(249,)]
            finally:
                database.close()
                superuser(postgresql_url, "DROP DATABASE {}", str(database.url.database))


def test_a_plan_says_where_it_comes_from(demo: Database, target: Database, tmp_path: Path) -> None:
    plan = plan_restore(target, create_backup(demo, tmp_path / "backups").path)

    assert (plan.moved_from, plan.engine) == ("sqlite", "postgresql")
    assert read_status(target).database.state == "empty"


def test_a_dry_run_says_from_where_to_where(
    demo: Database, postgresql_url: str, tmp_path: Path, qadb: Program
) -> None:
    create_backup(demo, tmp_path / "backups")
    settings = {
        "QADB_DATABASE_URL": f"sqlite:///{demo.url.path}",
        "QADB_BACKUP_DIR": str(tmp_path / "backups"),
    }

    said = qadb("restore", "latest", "--to", postgresql_url, "--dry-run", **settings)
    document = qadb("restore", "latest", "--to", postgresql_url, "--json", **settings).document

    assert "from SQLite to PostgreSQL" in said.stdout
    assert (document["moved_from"], document["dry_run"]) == ("sqlite", False)


def test_the_way_back_is_refused(target: Database, tmp_path: Path) -> None:
    init_database(target)
    backup = create_backup(target, tmp_path / "backups").path

    with open_database(f"sqlite:///{tmp_path / 'new.sqlite3'}") as database:
        with pytest.raises(RestoreRefused, match=r"of postgresql, and .* is of sqlite"):
            plan_restore(database, backup)
        with pytest.raises(RestoreRefused, match=r"of postgresql, and .* is of sqlite"):
            verify_backup(database, backup, jobs=1)


def test_a_backup_of_a_file_is_verified_without_the_server(demo: Database, tmp_path: Path) -> None:
    backup = create_backup(demo, tmp_path / "backups").path

    with open_database("postgresql://nobody@127.0.0.1:1/x") as elsewhere:
        result = verify_backup(elsewhere, backup, jobs=1)

    assert result.manifest.engine == "sqlite"
    assert result.is_noted

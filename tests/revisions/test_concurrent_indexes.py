"""CREATE INDEX CONCURRENTLY: alone in its revision, and built anew where it was left unfinished."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.errors import MigrationFailed, QadbError
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.state import read_state
from tests.revisions.running import go_up
from tests.support.databases import execute, fetch_rows
from tests.support.program import CHECKOUT
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.database import Database

BUILD = """\
if op.get_context().dialect.name == "postgresql":
    with op.get_context().autocommit_block():
        op.create_index(
            "idx_parent_name", "parent", ["name"], unique=True, postgresql_concurrently=True
        )
"""
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_parent_name'::regclass"


AT_WORK = "SELECT pid FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for writers%'"
MOST_SECONDS = 60.0


def wait_until(is_so: Callable[[], object]) -> None:
    ends_at = time.monotonic() + MOST_SECONDS
    while not is_so():
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(0.05)


@contextmanager
def writing(url: str) -> Iterator[psycopg2.extensions.connection]:
    """A transaction that has written to the table: a build of an index waits for its end."""
    with closing(psycopg2.connect(url)) as connection:
        connection.cursor().execute("INSERT INTO parent VALUES (9, 'z')")
        yield connection


@pytest.fixture
def with_twins(small_postgresql: Database, folder: Path) -> Database:
    """Stands at 002, with two parents of one name, which no unique index can hold."""
    write_revision(folder, "003", "002", up=BUILD)
    write_revision(folder, "004", "003")
    go_up(small_postgresql, "002")
    execute(small_postgresql, "INSERT INTO parent VALUES (1, 'a'), (2, 'a')")
    return small_postgresql


def test_unfinished_index_is_named_and_built_anew_by_the_next_run(
    with_twins: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MigrationFailed, match="Revision 003 failed"):
        go_up(with_twins, "004")

    assert read_state(with_twins).revision == "002"
    assert fetch_rows(with_twins, VALID) == [(False,)]
    assert "idx_parent_name is left unfinished; the next run builds it anew" in caplog.text
    execute(with_twins, "DELETE FROM parent WHERE id = 2")
    caplog.clear()

    go_up(with_twins, "004")

    assert read_state(with_twins).state == "current"
    assert fetch_rows(with_twins, VALID) == [(True,)]
    assert "idx_parent_name was left unfinished; it is built anew" in caplog.text


def test_run_killed_while_it_builds_leaves_a_boundary_and_is_completed_by_the_next(
    with_twins: Database, postgresql_url: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    execute(with_twins, "DELETE FROM parent WHERE id = 2")
    command = [sys.executable, "-m", "tests.revisions.migrate_child"]
    with writing(postgresql_url):
        child = subprocess.Popen([*command, postgresql_url, str(folder), "004"], cwd=CHECKOUT)
        wait_until(lambda: fetch_rows(with_twins, AT_WORK))
        child.kill()
        child.wait()
        wait_until(lambda: not fetch_rows(with_twins, AT_WORK))  # nobody is left on the server

    assert read_state(with_twins).revision == "002"
    assert fetch_rows(with_twins, VALID) == [(False,)]

    go_up(with_twins, "004")

    assert read_state(with_twins).state == "current"
    assert fetch_rows(with_twins, VALID) == [(True,)]
    assert "idx_parent_name was left unfinished; it is built anew" in caplog.text


def test_build_that_is_still_at_work_on_the_server_is_waited_for(
    with_twins: Database, postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(with_twins, "DELETE FROM parent WHERE id = 2")
    run = threading.Thread(target=go_up, args=(with_twins, "004"))

    def build() -> None:
        statement = "CREATE UNIQUE INDEX CONCURRENTLY idx_parent_name ON parent (name)"
        with pytest.raises(psycopg2.Error):
            orphan.cursor().execute(statement)

    with closing(psycopg2.connect(postgresql_url)) as orphan, writing(postgresql_url):
        orphan.autocommit = True
        builder = threading.Thread(target=build)
        builder.start()
        wait_until(lambda: fetch_rows(with_twins, AT_WORK))
        run.start()
        wait_until(lambda: "idx_parent_name is being built by pid" in caplog.text)
        orphan.cancel()
        builder.join()
    run.join()

    assert read_state(with_twins).state == "current"
    assert fetch_rows(with_twins, VALID) == [(True,)]
    assert "idx_parent_name was left unfinished; it is built anew" in caplog.text


def test_index_that_serves_is_left_alone(with_twins: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up=BUILD.replace("unique=True", "if_not_exists=True"))
    execute(with_twins, "CREATE INDEX idx_parent_name ON parent (name)")
    before = fetch_rows(with_twins, "SELECT 'idx_parent_name'::regclass::oid")

    go_up(with_twins, "004")

    assert fetch_rows(with_twins, "SELECT 'idx_parent_name'::regclass::oid") == before


def test_nothing_is_said_where_nothing_is_left(
    with_twins: Database, caplog: pytest.LogCaptureFixture
) -> None:
    execute(with_twins, "DELETE FROM parent WHERE id = 2")

    go_up(with_twins, "004")

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "more",
    [
        f'op.execute("CREATE TABLE more (id INTEGER)")\n{BUILD}',
        f'{BUILD}op.execute("CREATE TABLE more (id INTEGER)")',
        BUILD.replace("    with", '    op.execute("CREATE TABLE more (id INTEGER)")\n    with'),
        BUILD + BUILD,
    ],
)
def test_revision_that_does_more_than_its_autocommit_block_is_refused(
    folder: Path, more: str
) -> None:
    write_revision(folder, "003", "002", up=more)

    with pytest.raises(QadbError, match=r"Revision 003 does more in upgrade\(\)"):
        read_catalogue(folder)


def test_another_engine_may_have_work_of_its_own_beside_the_block(folder: Path) -> None:
    other = BUILD + 'else:\n    op.create_index("idx_parent_name", "parent", ["name"])\n'
    write_revision(folder, "003", "002", up=f'"""Docstring."""\n{other}')

    assert read_catalogue(folder).head == "003"

"""What every backend promises: being there, being recognised, being measured, failing in words."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event, func, select, text

from qadb.backends.registry import load_backend
from qadb.database import Database
from qadb.errors import (
    ConflictError,
    DatabaseAbsent,
    DatabaseFailure,
    QadbError,
    ReadOnlySession,
)
from tests.backends.sample import PARENT, SAMPLE, insert
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.postgres_client import execute as drop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def absent(database_url: str) -> Iterator[Database]:
    """A database that is not there yet."""
    url = open_database(database_url).url
    if url.path is not None:
        with Database(url) as database:
            yield database
        return
    name = f'{url.database} Not "yet\'s" thére % now'
    with Database(url.with_database(name)) as database:
        yield database
    drop(database_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def test_absent_database_is_made_once_and_then_found_empty(absent: Database) -> None:
    assert not absent.exists()
    with pytest.raises(DatabaseAbsent) as caught, absent.connect():
        pass
    assert "qadb init" in (caught.value.hint or "")

    assert absent.create()
    assert not absent.create()

    assert absent.exists()
    assert tables_of(absent) == frozenset()


def test_looking_for_an_absent_database_does_not_make_it(absent: Database) -> None:
    for read_only in (True, False):
        with pytest.raises(DatabaseAbsent), absent.connect(read_only=read_only):
            pass

    assert not absent.exists()


def tables_of(database: Database) -> frozenset[str]:
    with database.connect(read_only=True) as connection:
        return database.backend.connector.list_tables(connection)


def test_list_tables_names_tables_and_views_and_nothing_else(sample: Database) -> None:
    execute(sample, "CREATE VIEW shown AS SELECT id FROM parent", "CREATE INDEX i ON parent (id)")

    assert tables_of(sample) == {SAMPLE.name, PARENT.name, "shown"}


def test_own_mark_is_not_taken_for_a_foreign_one(database: Database) -> None:
    connector = database.backend.connector
    with database.connect() as connection:
        assert not connector.is_marked_as_foreign(connection, database.schema)
        connector.mark_as_own(connection, database.schema)

    with database.connect(read_only=True) as connection:
        assert not connector.is_marked_as_foreign(connection, database.schema)


def test_server_version_is_plain_numbers_and_known_after_the_first_connection(
    database: Database,
) -> None:
    with database.connect(read_only=True) as connection:
        version = database.backend.connector.server_version(connection)

    assert re.fullmatch(r"\d+(\.\d+)+", version)
    assert database.server_version == version


def test_transaction_that_only_reads_sees_one_moment(sample: Database) -> None:
    with sample.connect(read_only=True) as reader:
        before = reader.scalar(select(func.count()).select_from(PARENT))
        execute(sample, "INSERT INTO parent VALUES (1)")
        after = reader.scalar(select(func.count()).select_from(PARENT))

    assert (before, after) == (0, 0)
    assert fetch_rows(sample, "SELECT id FROM parent") == [(1,)]


def test_user_name_is_the_role_or_the_systems_user(database: Database, database_url: str) -> None:
    with database.connect(read_only=True) as connection:
        found = database.backend.connector.user_name(connection)

    assert found == (urlsplit(database_url).username or getpass.getuser())


def test_sizes_count_rows_exactly_and_weigh_them(sample: Database) -> None:
    insert(sample, ("id", "select"), ((i, "x" * 50) for i in range(3000)))

    with sample.connect(read_only=True) as connection:
        measured = sample.backend.sizes.table_sizes(
            connection, (PARENT.name, SAMPLE.name), exact=True
        )
        whole = sample.backend.sizes.database_size(connection)

    assert [(size.name, size.rows, size.rows_are_exact) for size in measured] == [
        (PARENT.name, 0, True),
        (SAMPLE.name, 3000, True),
    ]
    if measured[1].size_bytes is not None:
        assert 3000 * 50 < measured[1].size_bytes <= whole
    assert whole > 0


def test_small_tables_are_counted_even_where_an_estimate_would_do(sample: Database) -> None:
    insert(sample, ("id",), ((i,) for i in range(7)))

    with sample.connect(read_only=True) as connection:
        (size,) = sample.backend.sizes.table_sizes(connection, (SAMPLE.name,), exact=False)

    assert (size.rows, size.rows_are_exact) == (7, True)


def test_measuring_a_table_that_is_missing_fails_in_words(database: Database) -> None:
    with pytest.raises(DatabaseFailure, match="nowhere"), database.connect() as connection:
        database.backend.sizes.table_sizes(connection, ("nowhere",), exact=True)


def test_connect_commits_on_success_and_rolls_back_on_error(sample: Database) -> None:
    execute(sample, "INSERT INTO parent VALUES (1)")

    def fail() -> None:
        with sample.connect() as connection:
            connection.execute(text("INSERT INTO parent VALUES (2)"))
            raise LookupError("the caller's own affair")

    with pytest.raises(LookupError):
        fail()

    assert fetch_rows(sample, "SELECT id FROM parent") == [(1,)]


def test_revisions_that_fail_leave_no_table(database: Database) -> None:
    def migrate() -> None:
        with database.migrating(lock_timeout_seconds=1) as connection:
            connection.execute(text("CREATE TABLE half (id INTEGER)"))
            connection.execute(text("CREATE TABLE half (id INTEGER)"))

    with pytest.raises(DatabaseFailure):
        migrate()

    assert tables_of(database) == frozenset()


def test_migrating_leaves_no_connection_behind(database: Database) -> None:
    opened: list[object] = []
    closed: list[object] = []
    with database.migrating(lock_timeout_seconds=1) as connection:
        event.listen(connection.engine, "close", lambda driver, _record: closed.append(driver))
        opened.append(connection.connection.driver_connection)
    assert closed == opened


def test_read_only_session_writes_nothing(sample: Database) -> None:
    with (
        pytest.raises(ReadOnlySession) as caught,
        sample.connect(read_only=True) as connection,
    ):
        connection.execute(text("INSERT INTO parent VALUES (1)"))

    assert caught.value.hint
    assert fetch_rows(sample, "SELECT id FROM parent") == []


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO parent VALUES (1)", ConflictError),
        ('INSERT INTO "Sample rows" (id, small) VALUES (1, -1)', ConflictError),
        ("SELECT * FROM nowhere", DatabaseFailure),
        ("SELEKT", DatabaseFailure),
    ],
)
def test_what_the_engine_refuses_comes_out_in_our_words(
    sample: Database, statement: str, kind: type[QadbError]
) -> None:
    execute(sample, "INSERT INTO parent VALUES (1)")

    with pytest.raises(kind) as caught:
        execute(sample, statement)

    assert type(caught.value) is kind
    assert caught.value.message.strip()
    assert "\n" not in caught.value.message


def test_conflict_names_table_or_constraint(sample: Database) -> None:
    insert(sample, ("id", "key"), [(1, "a")])

    with pytest.raises(ConflictError) as unique:
        insert(sample, ("id", "key"), [(2, "a")])
    with pytest.raises(ConflictError) as check:
        insert(sample, ("id", "small"), [(3, -1)])

    assert unique.value.table == SAMPLE.name
    assert check.value.constraint == "ck_small"


@pytest.mark.parametrize("value", ["half a \ud800 pair", 2**80])
def test_value_that_no_driver_takes_fails_in_our_words(sample: Database, value: object) -> None:
    column = "key" if isinstance(value, str) else "big"
    statement = text(f'INSERT INTO "Sample rows" (id, {column}) VALUES (1, :value)')

    with pytest.raises(DatabaseFailure), sample.connect() as connection:
        connection.execute(statement, {"value": value})

    assert fetch_rows(sample, "SELECT count(*) FROM parent") == [(0,)]


def test_value_that_its_type_refuses_fails_in_our_words(sample: Database) -> None:
    with pytest.raises(DatabaseFailure, match="does not fit"), sample.connect() as connection:
        connection.execute(SAMPLE.insert().values(id=1, amount=10**12))


def test_unknown_engine_has_no_backend() -> None:
    with pytest.raises(ModuleNotFoundError):
        load_backend("oracle")

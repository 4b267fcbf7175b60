"""Database: how it connects, waits, tries again, shares its engines and ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from qadb import retries as module
from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConflictError,
    DatabaseAbsent,
    DatabaseFailure,
    DatabaseUnreachable,
    LockNotAvailable,
    QadbError,
)
from qadb.schema import Schema
from qadb.settings import DatabaseUrl, load_settings
from tests.support.databases import execute, fetch_rows, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Base(DeclarativeBase):
    """Models of this module alone."""


class Thing(Base):
    """Something to store."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with a table for things; the test runs once an engine."""
    with open_database(database_url) as opened:
        opened.create()
        with opened.connect() as connection:
            Base.metadata.create_all(connection)
        yield opened


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that the module under test sees."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class FailingConnector:
    """Fails in the ways given, one call after the other, and then succeeds."""

    def __init__(self, failures: Sequence[QadbError]) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self, url: DatabaseUrl) -> bool:
        del url
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return True


def failing(
    monkeypatch: pytest.MonkeyPatch, *failures: QadbError, connect_retries: int = 5
) -> tuple[Database, FailingConnector]:
    """A database whose server fails before it answers."""
    database = Database(
        DatabaseUrl(engine="sqlite", is_memory=True), connect_retries=connect_retries
    )
    connector = FailingConnector(failures)
    for name in ("database_exists", "create_database"):
        monkeypatch.setattr(database.backend.connector, name, connector)
    return database, connector


def test_unreachable_server_is_asked_again_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    failures = [DatabaseUnreachable(f"{number}") for number in range(5)]
    database, connector = failing(monkeypatch, *failures)

    assert database.exists()

    assert connector.calls == 6
    ideal = [0.2, 0.4, 0.8, 1.6, 3.2]
    assert all(wish / 2 <= pause <= wish for pause, wish in zip(clock.pauses, ideal, strict=True))


def test_pauses_differ_so_that_clients_do_not_return_all_at_once(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    for _ in range(5):
        database, _connector = failing(monkeypatch, DatabaseUnreachable("down"))
        database.exists()

    assert len(set(clock.pauses)) > 1


def test_retries_end_with_the_last_failure(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    failures = [DatabaseUnreachable(f"failure {number}") for number in range(9)]
    database, connector = failing(monkeypatch, *failures, connect_retries=2)

    with pytest.raises(DatabaseUnreachable, match="failure 2"):
        database.create()

    assert (connector.calls, len(clock.pauses)) == (3, 2)


@pytest.mark.parametrize(
    "failure",
    [AuthenticationFailed("no"), DatabaseAbsent("no"), LockNotAvailable("no"), QadbError("no")],
)
@pytest.mark.parametrize(
    "use", [Database.exists, Database.create, lambda database: database.wait_until_reachable(60)]
)
def test_what_stays_wrong_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    failure: QadbError,
    use: Callable[[Database], object],
) -> None:
    database, connector = failing(monkeypatch, failure, failure)

    with pytest.raises(type(failure)) as caught:
        use(database)

    assert caught.value is failure
    assert (connector.calls, clock.pauses) == (1, [])


def test_waiting_ends_when_the_server_answers(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    failures = [DatabaseUnreachable("starting up")] * 4
    database, connector = failing(monkeypatch, *failures, connect_retries=0)

    database.wait_until_reachable(60)

    assert connector.calls == 5
    assert clock.now < 1000 + 4


@pytest.mark.parametrize("seconds", [0, 0.05, 1, 30, 7200])
def test_waiting_uses_its_time_up_and_no_more(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, seconds: float
) -> None:
    failures = [DatabaseUnreachable("down")] * 10_000
    database, connector = failing(monkeypatch, *failures)

    with pytest.raises(DatabaseUnreachable):
        database.wait_until_reachable(seconds)

    assert clock.now == pytest.approx(1000 + seconds)
    assert connector.calls == len(clock.pauses) + 1


def test_settings_reach_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": "sqlite:///qa.db",
        "DATABASE_POOL_SIZE": "3",
        "DATABASE_MAX_OVERFLOW": "4",
        "DATABASE_POOL_RECYCLE": "5",
        "DATABASE_POOL_TIMEOUT": "6",
        "DATABASE_CONNECT_RETRIES": "7",
        "DATABASE_ECHO": "true",
    }.items():
        monkeypatch.setenv(name, value)

    with Database.from_settings(load_settings(), application="qadb test") as database:
        assert database.url.path == tmp_path / "qa.db"
        assert database.connect_retries == 7
        assert database.options == ConnectionOptions(
            application="qadb test",
            pool_size=3,
            max_overflow=4,
            pool_recycle_seconds=5,
            pool_timeout_seconds=6.0,
            echo=True,
        )


def test_another_schema_may_be_given(sqlite_url: str) -> None:
    schema = Schema("other", "nowhere:metadata", Path("nowhere"))

    assert open_database(sqlite_url, schema).schema is schema


def test_session_commits_on_success(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        session.add(Thing(id=1, name="a"))

    assert fetch_rows(database, "SELECT id, name FROM things") == [(1, "a")]


def test_session_rolls_back_on_error(database: Database) -> None:
    def fail() -> None:
        with database.session(all_tenants=True) as session:
            session.add(Thing(id=1, name="a"))
            session.flush()
            raise LookupError("the caller's own affair")

    with pytest.raises(LookupError):
        fail()

    assert fetch_rows(database, "SELECT id FROM things") == []


def test_key_that_breaks_in_the_last_flush_is_a_conflict_and_leaves_nothing(
    database: Database,
) -> None:
    with pytest.raises(ConflictError) as caught, database.session(all_tenants=True) as session:
        session.add_all([Thing(id=1, name="a"), Thing(id=2, name="a")])

    assert caught.value.table == "things"
    assert fetch_rows(database, "SELECT id FROM things") == []


def test_read_only_session_reads(database: Database) -> None:
    execute(database, "INSERT INTO things VALUES (1, 'a')")

    with database.session(all_tenants=True, read_only=True) as session:
        assert session.get_one(Thing, 1).name == "a"


def test_mistakes_of_the_caller_stay_what_they_are(database: Database) -> None:
    with pytest.raises(InvalidRequestError), database.connect() as connection:
        connection.begin()


def test_server_is_asked_for_its_version_once(database: Database) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with Database(database.url) as fresh:
        event.listen(fresh.engine(), "before_cursor_execute", note)
        for _ in range(3):
            with fresh.connect():
                pass

    assert len([statement for statement in asked if "version" in statement]) == 1


def test_engines_are_made_once_and_again_after_closing(database: Database) -> None:
    first = database.engine()

    assert database.engine() is first
    assert database.engine(read_only=True) is not first

    database.close()

    assert database.engine() is not first
    assert fetch_rows(database, "SELECT count(*) FROM things") == [(0,)]


def test_threads_share_a_database(database: Database) -> None:
    failures: list[Exception] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 10):
                with database.session(all_tenants=True) as session:
                    session.add(Thing(id=number, name=f"{number}"))
        except Exception as error:  # noqa: BLE001 - to show it in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 60, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (failures, fetch_rows(database, "SELECT count(*) FROM things")) == ([], [(60,)])


def test_translated_serves_code_that_goes_its_own_way(database: Database) -> None:
    with (
        pytest.raises(DatabaseFailure),
        database.translated(),
        database.engine().connect() as connection,
    ):
        connection.execute(text("SELECT * FROM nowhere"))


def test_translated_takes_what_is_raised_past_sqlalchemy(database: Database) -> None:
    def go_past() -> None:
        with database.translated(), database.engine().connect() as connection:
            cursor = connection.connection.cursor()
            try:
                cursor.execute("SELECT * FROM nowhere")
            finally:
                cursor.close()

    with pytest.raises(DatabaseFailure):
        go_past()


def test_drivers_exception_is_kept_as_the_cause(database: Database) -> None:
    with pytest.raises(DatabaseFailure) as caught:
        execute(database, "SELECT * FROM nowhere")

    assert "nowhere" in str(caught.value.__cause__)


def test_command_refuses_a_database_in_memory() -> None:
    with pytest.raises(ConfigurationError, match="in-memory"):
        DatabaseUrl(engine="sqlite", is_memory=True).refuse_memory()
    DatabaseUrl(engine="sqlite", path=Path("/qa.db")).refuse_memory()

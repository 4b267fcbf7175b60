"""Large tables read by several sessions: one moment, whole or not at all."""

from __future__ import annotations

import io
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest

from qadb.backends.postgresql.dumping import large_tables, row_copying
from qadb.backends.postgresql.dumping.row_copying import TABLE_END
from qadb.backends.postgresql.programs.access import Access
from qadb.errors import (
    ConnectionLost,
    DatabaseFailure,
    DatabaseUnreachable,
)
from tests.backends.pieces_content import numbers_in, pieces_of
from tests.backends.postgresql_rich import (
    as_text,
    frozen,
    parsed,
    processes_of,
    write_out,
)
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    from qadb.settings import DatabaseUrl

pytestmark = pytest.mark.usefixtures("every_table_is_large")


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    with ordinary_role(postgresql_url) as ordinary:
        yield ordinary


def test_moment_is_one_for_every_session(url: DatabaseUrl, tmp_path: Path) -> None:
    """A writer changes two tables at a time, and moves rows about in them."""
    execute(as_text(url), "CREATE TABLE a AS SELECT generate_series(1, 20000) AS n")
    execute(as_text(url), "CREATE TABLE b AS SELECT n FROM a")
    ended = threading.Event()

    def write_pairs() -> None:
        with closing(psycopg2.connect(as_text(url))) as connection:
            cursor = connection.cursor()
            while not ended.is_set():
                cursor.execute("INSERT INTO a VALUES (0); INSERT INTO b VALUES (0)")
                for table in "ab":
                    cursor.execute(f"UPDATE {table} SET n = n WHERE n % 100 = 1")
                connection.commit()

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        with frozen(url, tmp_path) as moment:
            time.sleep(0.2)
            content = write_out(moment)
            query = "SELECT count(*), sum(n) FROM {}"
            counted = [moment.connection.exec_driver_sql(query.format(t)).one() for t in "ab"]
    finally:
        ended.set()
        writer.join()

    assert len(moment.tables) == 2
    rows: dict[str, list[int]] = {}
    for name, data in pieces_of(content):
        if name.endswith(".rows"):
            rows.setdefault(name.split("/")[1], []).extend(int(n) for n in data.splitlines())
    assert [(len(each), sum(each)) for each in rows.values()] == counted
    assert counted[0] == counted[1]


def test_whoever_wants_to_alter_a_table_waits_for_the_backup(
    large: DatabaseUrl, tmp_path: Path
) -> None:
    """And not the backup for them, whose sessions have their locks from the beginning."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"

    def alter() -> None:
        execute(as_text(large), "ALTER TABLE t ADD COLUMN more integer")

    altering = threading.Thread(target=alter)

    def on_bytes(_: int) -> None:
        copying = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY %'"
        if not altering.ident and len(fetch_column(as_text(large), copying)) == 2:
            altering.start()
            while not fetch_column(as_text(large), waiting):
                assert altering.is_alive()

    with frozen(large, tmp_path) as moment:
        content = write_out(moment, on_bytes)
        assert altering.is_alive()
    altering.join(30)

    assert numbers_in(content) == list(range(1, 1_000_001))


def test_sessions_that_find_no_room_leave_it_to_the_others(
    large: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    execute(as_text(large), "GRANT SELECT ON t TO {}", role.name)
    execute(as_text(large), "ALTER ROLE {} CONNECTION LIMIT 3", role.name)
    with frozen(parsed(role.url(as_text(large))), tmp_path) as moment:
        sink = io.BytesIO()
        moment.write(sink, lambda _: None, jobs=4)

    assert numbers_in(sink) == list(range(1, 1_000_001))


class Run:
    """A session's program, as far as it is asked."""

    def __init__(self, output: bytes) -> None:
        self.output = io.BytesIO(output)

    def finish(self) -> None:
        """It ended well."""

    def stop(self) -> None:
        """Nothing goes on."""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("others", ["still at work", "done"])
def test_rows_of_a_session_that_can_not_connect_are_never_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: str
) -> None:
    """Whoever could take them may just have ended; then it is a failure."""
    order = row_copying.CopyOrder(
        (large_tables.LargeTable("public", "t", ("n",), 4, 1),), "UTF8", "1", "1s", 18
    )
    numbers, scripts = count(), dict[int, str]()

    @contextmanager
    def run_program(*_: object, stdin: IO[bytes], **__: object) -> Iterator[Run]:
        number = next(numbers)
        scripts[number] = stdin.read().decode()
        if number == 0 and others == "still at work":
            wait_until(lambda: 1 in scripts and len(crew._scripts) == 1)
        if number == 1:
            if others == "done":
                wait_until(lambda: crew._at_work == 1)
            raise DatabaseUnreachable("too many connections")
        yield Run(b"1\n" + TABLE_END)

    monkeypatch.setattr(row_copying, "run_program", run_program)
    access = Access("", {})
    crew = row_copying._Crew(order, 2, tmp_path, access, parsed("postgresql://h/d"), tmp_path)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(crew.work)
        if others == "done":
            with pytest.raises(DatabaseUnreachable):
                list(crew.take_all())
        else:
            assert list(crew.take_all()) == [(1, b"1\n")] * 2
            assert scripts[2] == scripts[1] != scripts[0]


def test_no_session_shows_the_password(
    large: DatabaseUrl, role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(as_text(large), "GRANT SELECT ON t TO {}", role.name)
    url = role.url(as_text(large))
    monkeypatch.setenv("DATABASE_URL", url)
    seen: list[str] = []

    def look(_: int) -> None:
        for process in processes_of("psql"):
            with suppress(psutil.NoSuchProcess):  # it may be done before we are
                seen.append(f"{process.cmdline()} {process.environ()}")

    with frozen(parsed(url), tmp_path) as moment:
        write_out(moment, look)

    assert seen
    assert [each for each in seen if role.password in each or "DATABASE_URL" in each] == []


def test_killed_session_is_an_error_and_leaves_nothing(large: DatabaseUrl, tmp_path: Path) -> None:
    def kill(_: int) -> None:
        for process in processes_of("psql")[:1]:
            process.send_signal(signal.SIGKILL)

    with (
        frozen(large, tmp_path) as moment,
        pytest.raises(DatabaseFailure, match="ended by SIGKILL"),
    ):
        write_out(moment, kill)

    assert processes_of("psql") == []
    assert list(tmp_path.iterdir()) == []


def test_session_that_the_server_ends_is_a_lost_connection(
    large: DatabaseUrl, tmp_path: Path
) -> None:
    end_one = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY %' LIMIT 1"""

    def end(_: int) -> None:
        fetch_column(as_text(large), end_one)

    with frozen(large, tmp_path) as moment, pytest.raises(ConnectionLost):
        write_out(moment, end)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_sessions_end_when_their_rows_are_not_wanted_any_more(
    large: DatabaseUrl, tmp_path: Path, error: BaseException
) -> None:
    done = 0

    def fail(_: int) -> None:
        nonlocal done
        done += 1
        if done > 20:
            assert processes_of("psql")
            raise error

    with frozen(large, tmp_path) as moment:
        with pytest.raises(type(error)):
            write_out(moment, fail)
        assert processes_of("psql") == []

    assert list(tmp_path.iterdir()) == []

"""Large tables read by several sessions: one moment, whole or not at all."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest

from qadb.backends.postgresql.dumping import large_tables, row_copying
from qadb.backends.postgresql.programs.access import Access
from qadb.errors import (
    ConnectionLost,
    DatabaseFailure,
    DatabaseUnreachable,
)
from tests.backends.pieces_content import NUMBERS, numbers_in, numbers_of, ranges_of
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

    from qadb.settings import DatabaseUrl

pytestmark = pytest.mark.usefixtures("every_table_is_large")

ENOUGH = 20  # looks at a program


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
    for (table, _), data in ranges_of(content).items():
        rows.setdefault(table, []).extend(numbers_of(data))
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

    assert numbers_in(content) == list(NUMBERS)


def test_sessions_that_find_no_room_leave_it_to_the_others(
    large: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    execute(as_text(large), "GRANT SELECT ON t TO {}", role.name)
    execute(as_text(large), "ALTER ROLE {} CONNECTION LIMIT 3", role.name)
    with frozen(parsed(role.url(as_text(large))), tmp_path) as moment:
        sink = io.BytesIO()
        moment.write(sink, lambda _: None, jobs=4)

    assert numbers_in(sink) == list(NUMBERS)


# A psql of which some find no place, and some are slow; a row is a range's start and who read it.
PSQL = """#!{python}
import pathlib, sys, time
numbers = pathlib.Path({numbers!r})
number = len(list(numbers.iterdir()))
while True:
    try:
        (numbers / str(number)).touch(exist_ok=False)
        break
    except FileExistsError:
        number += 1
if number in {refused}:
    time.sleep({patience})
    sys.exit("connection to server failed: FATAL:  sorry, too many clients already")
for line in sys.stdin:
    if line.startswith("COPY"):
        time.sleep(number in {slow} and 1.0)
        print(line.split(chr(39))[1][1:].split(",")[0], number)
    if line.startswith(chr(92) + "echo"):
        print(line.split()[1])
    sys.stdout.flush()
"""


@pytest.fixture
def crew(tmp_path: Path) -> Callable[..., row_copying._Crew]:
    """Makes two sessions for a table of four ranges; some find no place, after some time."""

    def make(
        *, refused: tuple[int, ...] = (), slow: tuple[int, ...] = (), patience: float = 0.0
    ) -> row_copying._Crew:
        numbers = tmp_path / "numbers"
        numbers.mkdir()
        psql = tmp_path / "psql"
        psql.write_text(
            PSQL.format(
                python=sys.executable,
                numbers=str(numbers),
                refused=refused,
                slow=slow,
                patience=patience,
            )
        )
        psql.chmod(0o700)
        table = large_tables.LargeTable("public", "t", ("n",), False, 4, 1)
        order = row_copying.CopyOrder((table,), "UTF8", "1", "1s", 18)
        return row_copying._Crew(order, 2, psql, Access("", {}), parsed("postgresql://h/d"))

    return make


@pytest.mark.parametrize("patience", [0.0, 2.0], ids=["others at work", "others done"])
def test_a_session_that_can_not_connect_leaves_all_to_the_others(
    crew: Callable[..., row_copying._Crew], patience: float
) -> None:
    made = crew(refused=(0,), patience=patience)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(made.work) for _ in range(2)]
        assert list(made.take_all()) == [(1, n + 1, b"%d 1\n" % n) for n in range(4)]

    assert [each.result() for each in futures] == [None, None]


def test_it_is_an_error_where_no_session_can_connect(
    crew: Callable[..., row_copying._Crew],
) -> None:
    made = crew(refused=(0, 1))
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(made.work)
        with pytest.raises(DatabaseUnreachable, match="too many clients"):
            list(made.take_all())


def test_all_sessions_have_work_until_the_end(crew: Callable[..., row_copying._Crew]) -> None:
    """Whichever is quick reads more."""
    made = crew(slow=(0,))
    with ThreadPoolExecutor(2) as pool:
        pool.submit(made.work)
        pool.submit(made.work)
        found = [piece.data.split() for piece in made.take_all()]

    assert sorted(start for start, _ in found) == [b"0", b"1", b"2", b"3"]
    assert [session for _, session in found].count(b"1") == 3


def test_no_session_shows_the_password(
    large: DatabaseUrl, role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(as_text(large), "GRANT SELECT ON t TO {}", role.name)
    url = role.url(as_text(large))
    monkeypatch.setenv("DATABASE_URL", url)
    seen: list[str] = []

    def look(_: int) -> None:
        for process in processes_of("psql") if len(seen) < ENOUGH else ():
            with suppress(psutil.NoSuchProcess):  # it may be done before we are
                seen.append(f"{process.cmdline()} {process.environ()}")

    with frozen(parsed(url), tmp_path) as moment:
        write_out(moment, look)

    assert seen
    assert [each for each in seen if role.password in each or "DATABASE_URL" in each] == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such work")
def test_sessions_are_batch_work_and_who_copies_is_so_no_longer(
    large: DatabaseUrl, tmp_path: Path
) -> None:
    chosen = os.sched_getscheduler(0)  # some run their tests at another than the usual policy
    seen: set[int] = set()

    def look(_: int) -> None:
        for process in processes_of("psql") if not seen else ():
            with suppress(ProcessLookupError):
                seen.add(os.sched_getscheduler(process.pid))

    with frozen(large, tmp_path) as moment:
        write_out(moment, look)

    assert seen == {os.SCHED_BATCH if chosen == os.SCHED_OTHER else chosen}
    assert os.sched_getscheduler(0) == chosen


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

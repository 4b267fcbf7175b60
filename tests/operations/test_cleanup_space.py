"""cleanup gives the space back, or says why not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import insert

from qadb.models import AuditLog
from qadb.operations.cleanup import CleanupOptions, cleanup
from qadb.operations.init import init_database
from tests.support.aged import NOW, add_runs, ago
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.backends.base_cleanup import Space
    from qadb.database import Database

DEFAULTS = CleanupOptions(now=NOW)
FAST = CleanupOptions(now=NOW, is_fast=True)
MUCH = 1_000_000


class Room(NamedTuple):
    """A SQLite database and its file."""

    database: Database
    file: Path

    @property
    def size(self) -> int:
        """The file's, with its log."""
        log = self.file.with_name(f"{self.file.name}-wal")
        return self.file.stat().st_size + (log.stat().st_size if log.exists() else 0)


@pytest.fixture
def room(sqlite_url: str) -> Iterator[Room]:
    with open_database(sqlite_url) as database:
        init_database(database)
        yield Room(database, sqlite_file(sqlite_url))


@pytest.fixture
def served(postgresql_url: str) -> Iterator[Database]:
    with open_database(postgresql_url) as database:
        init_database(database)
        yield database


def fill_log(database: Database, *ages: float, rows: int = 1500) -> None:
    """Add large entries of the audit log, so many of each age, one age after the other."""
    for age in ages:
        row = {
            "table_name": "x",
            "record_id": str(age),
            "action_type": "UPDATE",
            "new_values": {"text": "".join(f"{n:x}" for n in range(400))},
            "created_at": ago(age),
        }
        with database.connect() as connection:
            connection.execute(insert(AuditLog), [row] * rows)


def empty_pages(database: Database) -> int:
    return int(str(fetch_rows(database, "PRAGMA freelist_count")[0][0]))


def table_size(database: Database, table: str = "audit_logs") -> int:
    query = f"SELECT pg_total_relation_size('{table}')"
    return int(str(fetch_rows(database, query)[0][0]))


def test_file_gets_smaller_by_what_the_report_says(room: Room) -> None:
    fill_log(room.database, 800, 1)
    cleanup(room.database, CleanupOptions(now=ago(365)))  # moves the log into the file
    before = room.size

    report = cleanup(room.database, DEFAULTS)

    assert report.space is not None
    assert report.space.method == "incremental_vacuum"
    assert report.freed_bytes is not None
    assert report.freed_bytes > MUCH
    assert before - room.size == report.freed_bytes
    assert (empty_pages(room.database), report.space.reusable_bytes) == (0, 0)
    assert fetch_rows(room.database, "PRAGMA integrity_check") == [("ok",)]


def test_fast_cleanup_writes_the_file_anew_and_says_so_before(room: Room) -> None:
    fill_log(room.database, 800, 1)
    cleanup(room.database, CleanupOptions(now=ago(365)))
    before, said = room.size, list[str]()

    report = cleanup(room.database, FAST, notify=said.append)

    assert report.space is not None
    assert report.space.method == "vacuum"
    assert before - room.size == report.freed_bytes
    assert said == ["Writing the file anew; writers wait until that is done."]
    assert empty_pages(room.database) == 0


def test_file_with_few_gaps_is_left_alone(room: Room) -> None:
    fill_log(room.database, 1)
    fill_log(room.database, 800, rows=20)

    report = cleanup(room.database, DEFAULTS)

    assert report.space is not None
    assert (report.space.method, report.freed_bytes) == ("none", 0)
    assert report.space.explanation is not None
    assert report.space.explanation.startswith("Less than a tenth of the file is empty")
    assert report.space.reusable_bytes == empty_pages(room.database) * 4096
    assert report.space.reusable_bytes > 0


def test_gaps_that_an_earlier_cleanup_left_are_closed_by_the_next(room: Room) -> None:
    fill_log(room.database, 800, 1)
    with room.database.connect() as connection:  # as one that was killed before it came to that
        connection.exec_driver_sql(
            "INSERT INTO audit_context (id, is_cleanup) VALUES (1, 1) ON CONFLICT DO NOTHING"
        )
        connection.exec_driver_sql("DELETE FROM audit_logs WHERE record_id = '800'")
        connection.exec_driver_sql("DELETE FROM audit_context")
    assert empty_pages(room.database) > 100

    report = cleanup(room.database, DEFAULTS)

    assert report.deleted == 0
    assert report.freed_bytes is not None
    assert report.freed_bytes > MUCH
    assert empty_pages(room.database) == 0


def test_vacuum_stops_when_time_is_out_and_the_next_cleanup_goes_on(room: Room) -> None:
    fill_log(room.database, 800, 1)
    cleaner = room.database.backend.cleaner
    genuine, moments = cleaner.reclaim, iter([1.0, 0.0])

    with pytest.MonkeyPatch.context() as patch:

        def hurry(*arguments: object, **named: object) -> object:
            return genuine(*arguments, **{**named, "time_left": lambda: next(moments)})  # type: ignore[arg-type]  # handed on

        patch.setattr(cleaner, "reclaim", hurry)
        stopped = cleanup(room.database, DEFAULTS)
    assert not stopped.complete
    assert empty_pages(room.database) > 0

    report = cleanup(room.database, DEFAULTS)

    assert (report.complete, report.deleted) == (True, 0)
    assert empty_pages(room.database) < 100


def test_file_made_without_incremental_vacuum_is_explained_and_fast_shortens_it(
    room: Room,
) -> None:
    fill_log(room.database, 800, 1)
    with room.database.engine().connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA auto_vacuum = NONE")
        driver.execute("VACUUM")

    polite = cleanup(room.database, DEFAULTS)
    before = room.size
    fast = cleanup(room.database, FAST)

    assert polite.space is not None
    assert (polite.space.method, polite.freed_bytes) == ("none", 0)
    assert "qadb cleanup --fast" in str(polite.space.explanation)
    assert fast.freed_bytes is not None
    assert fast.freed_bytes > MUCH
    assert before - room.size >= fast.freed_bytes


def test_disk_without_room_for_a_copy_is_not_filled(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_log(room.database, 800, 1)
    usage = shutil.disk_usage(room.file.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    report = cleanup(room.database, FAST)

    assert report.space is not None
    assert report.space.method == "incremental_vacuum"
    assert empty_pages(room.database) == 0


def test_writer_is_let_in_while_the_file_is_shortened(room: Room, sqlite_url: str) -> None:
    fill_log(room.database, 800, rows=800)
    add_runs(room.database, 1)

    with open_database(sqlite_url) as other:
        gaps: list[int] = []

        def write(_: object) -> None:
            execute(other, "UPDATE test_runs SET branch = 'x'")
            gaps.append(empty_pages(other))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("qadb.backends.sqlite.cleaner.time.sleep", write)
            report = cleanup(room.database, DEFAULTS)

    assert report.complete
    assert any(0 < gap < max(gaps) for gap in gaps)
    assert empty_pages(room.database) == 0


def test_many_pages_go_at_once(room: Room) -> None:
    fill_log(room.database, 800, 1)
    pauses: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qadb.backends.sqlite.cleaner.time.sleep", pauses.append)
        report = cleanup(room.database, DEFAULTS)
    assert (report.freed_bytes or 0) > MUCH
    assert len(pauses) < 100


@pytest.mark.parametrize("options", [DEFAULTS, FAST], ids=["polite", "fast"])
def test_writer_that_keeps_the_file_leaves_its_space_to_the_next_cleanup(
    room: Room, sqlite_url: str, options: CleanupOptions
) -> None:
    fill_log(room.database, 800, 1)
    reclaim = (cleaner := room.database.backend.cleaner).reclaim

    def keep_and_reclaim(*arguments: Any, **rest: Any) -> Space:
        with open_database(sqlite_url) as other, other.connect():
            return reclaim(*arguments, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaner, "reclaim", keep_and_reclaim)
        report = cleanup(room.database, options, lock_timeout_seconds=0.05)
    assert (report.complete, report.deleted, report.freed_bytes) == (True, 1500, 0)
    assert report.space is not None
    assert "next cleanup" in str(report.space.explanation)
    assert cleanup(room.database, options).deleted == 0
    assert empty_pages(room.database) < 100


def test_server_gives_back_what_lay_at_the_end(served: Database) -> None:
    for age in (1, 100):
        execute(
            served,
            "INSERT INTO llm_round_table_results (id, result_id, prompt, created_at) SELECT"
            " gen_random_uuid(), gen_random_uuid(), repeat('word', 400),"
            f" '{ago(age).isoformat()}' FROM generate_series(1, 1000)",
        )
    before = table_size(served, "llm_round_table_results")

    report = cleanup(served, DEFAULTS)

    assert report.space is not None
    assert report.space.method == "vacuum"
    assert report.freed_bytes is not None
    assert report.freed_bytes > MUCH
    assert before - table_size(served, "llm_round_table_results") == report.freed_bytes


def test_server_says_that_what_lay_in_between_is_for_new_rows(served: Database) -> None:
    fill_log(served, 800, 1)
    before = table_size(served)

    report = cleanup(served, DEFAULTS)

    assert report.space is not None
    assert report.freed_bytes == 0
    assert "VACUUM FULL" in str(report.space.explanation)
    fill_log(served, 2, rows=1200)
    assert table_size(served) <= before + 65_536


def test_nothing_is_vacuumed_where_nothing_went(served: Database) -> None:
    report = cleanup(served, DEFAULTS)

    assert report.space is not None
    assert (report.space.method, report.freed_bytes) == ("none", 0)


def test_table_that_somebody_else_looks_after_is_passed_over_and_named(
    served: Database, postgresql_url: str
) -> None:
    fill_log(served, 800, rows=10)
    said: list[str] = []
    with open_database(postgresql_url) as other, other.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE audit_logs IN SHARE UPDATE EXCLUSIVE MODE")
        report = cleanup(served, DEFAULTS, notify=said.append)

    assert report.tables["audit_logs"].deleted == 10
    assert len(said) == 1
    assert "audit_logs" in said[0]

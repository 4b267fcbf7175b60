"""A rebuilt file is copied into the live one while it is checked; the check has the last word."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import claiming, live_file
from qadb.backends.sqlite.live_file import STEP_PAGES
from qadb.errors import BackupDamaged
from qadb.settings import DatabaseUrl
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.backends.sqlite.claiming import FileClaim

BIG, SMALL = STEP_PAGES * 3, 10


def make(path: Path, name: str, *, pages: int, page_size: int = 4096) -> DatabaseUrl:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("CREATE TABLE named (name, filling)")
        connection.executemany(
            "INSERT INTO named VALUES (?, zeroblob(?))", [(name, page_size)] * (pages // 2)
        )
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")
    return DatabaseUrl("sqlite", path=path)


def name_in(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT DISTINCT name FROM named").fetchone()[0])


def put(claim: FileClaim, rebuilt: DatabaseUrl, check: Callable[[], object]) -> None:
    claim.put_in_place(
        rebuilt, is_damaged=False, disconnect=False, drop_previous=False, wait_until_sound=check
    )


@pytest.mark.parametrize(
    ("pages", "page_size"), [(BIG, 4096), (SMALL, 4096), (SMALL, 8192)], ids=str
)
def test_nothing_is_replaced_before_the_check_has_ended(
    tmp_path: Path, pages: int, page_size: int
) -> None:
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=pages, page_size=page_size)
    seen: list[str] = []

    put(claim, rebuilt, lambda: seen.append(name_in(live)))

    assert seen == ["former"]
    assert name_in(live) == "new"


@pytest.mark.parametrize("pages", [BIG, SMALL])
def test_a_check_that_finds_damage_leaves_the_former_as_it_was(tmp_path: Path, pages: int) -> None:
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=pages)

    def find_damage() -> None:
        raise BackupDamaged("It is damaged.")

    with pytest.raises(BackupDamaged):
        put(claim, rebuilt, find_damage)

    assert name_in(live) == "former"
    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO named VALUES ('former', '')")  # nobody holds a lock


def test_time_that_the_check_takes_is_none_that_somebody_holds_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_file, "BUSY_SECONDS", 0.5)
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=SMALL, page_size=8192)
    holds = threading.Event()

    def hold_for_a_moment() -> None:
        with closing(sqlite3.connect(live, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            holds.set()
            time.sleep(0.1)

    holder = threading.Thread(target=hold_for_a_moment)

    def check() -> None:
        time.sleep(1)
        holder.start()
        assert holds.wait(30)

    put(claim, rebuilt, check)
    holder.join()

    assert name_in(live) == "new"


def test_a_large_file_is_synced_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, int]] = []

    @contextmanager
    def note(path: Path, size_bytes: int) -> Iterator[None]:
        asked.append((path, size_bytes))
        yield

    monkeypatch.setattr(live_file, "early_sync", note)
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=BIG)

    put(claim, rebuilt, lambda: None)

    assert rebuilt.path is not None
    assert asked == [(live, rebuilt.path.stat().st_size)]


def test_what_fails_is_no_lock() -> None:
    """Nobody is told that nobody else can write where we can't either."""
    told: list[str] = []
    witnesses = live_file.Witnesses(lambda: told.append("locked"), lambda: told.append("sound"))
    with open_folder() as folder:
        folder.chmod(0o777)
        live, rebuilt = folder / "live.sqlite3", folder / "rebuilt.sqlite3"
        make(live, "former", pages=SMALL)
        make(rebuilt, "new", pages=BIG)
        live.chmod(0o444)
        rebuilt.chmod(0o666)
        with as_nobody(), pytest.raises(sqlite3.OperationalError, match="readonly"):
            live_file.copy_into(rebuilt, live, witnesses)
        assert name_in(live) == "former"

    assert told == []

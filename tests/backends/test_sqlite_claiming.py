"""A rebuilt file is copied into the live one while it is checked and that one saved.

Whoever checks and saves has the last word.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import claiming
from qadb.backends.sqlite.copying import PAGES_AT_ONCE
from qadb.errors import BackupDamaged, StorageFull
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.backends.sqlite.claiming import FileClaim

BIG, SMALL = PAGES_AT_ONCE * 3, 10


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


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("WAL", ["being copied", "former", "checked"]), ("DELETE", ["former", "checked"])],
)
def test_a_file_without_a_log_is_saved_before_anything_is_copied(
    tmp_path: Path, mode: str, expected: list[str]
) -> None:
    """A log leaves readers what they read: there the backup may go on beside."""
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=BIG)
    with closing(sqlite3.connect(live)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    asked: list[str] = []

    def save() -> bool:
        with closing(sqlite3.connect(live, timeout=0)) as writer:
            try:
                writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                asked.append("being copied")
        asked.append(name_in(live))
        return True

    claim.put_in_place(
        rebuilt,
        is_damaged=False,
        disconnect=False,
        drop_previous=False,
        wait_until_saved=save,
        wait_until_sound=lambda: asked.append("checked"),
    )

    assert asked == expected
    assert name_in(live) == "new"


@pytest.mark.parametrize("pages", [BIG, SMALL])
def test_a_former_that_turns_out_to_be_damaged_is_set_aside(tmp_path: Path, pages: int) -> None:
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=pages)

    aside = claim.put_in_place(
        rebuilt,
        is_damaged=False,
        disconnect=False,
        drop_previous=False,
        wait_until_saved=lambda: False,
    )

    assert name_in(live) == "new"
    assert aside is not None
    assert name_in(Path(aside)) == "former"


def test_a_file_that_can_not_be_read_any_more_is_replaced_only_when_it_is_saved(
    tmp_path: Path,
) -> None:
    """It could be when it was looked at first, so somebody still saves it."""
    live = tmp_path / "live.sqlite3"
    live.write_bytes(b"no database" * 100)
    claim = claiming.FileClaim(DatabaseUrl("sqlite", path=live), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=SMALL)

    def fail() -> bool:
        raise StorageFull("There is no room.")

    def put_in_place(save: Callable[[], bool]) -> str | None:
        return claim.put_in_place(
            rebuilt,
            is_damaged=False,
            disconnect=False,
            drop_previous=False,
            wait_until_saved=save,
        )

    with pytest.raises(StorageFull):
        put_in_place(fail)
    assert live.read_bytes().startswith(b"no database")

    assert put_in_place(lambda: False) is not None
    assert name_in(live) == "new"


def test_time_that_saving_takes_is_none_that_somebody_holds_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "BUSY_SECONDS", 0.5)
    live = tmp_path / "live.sqlite3"
    claim = claiming.FileClaim(make(live, "former", pages=SMALL), live)
    rebuilt = make(tmp_path / "rebuilt.sqlite3", "new", pages=SMALL)
    holds = threading.Event()

    def hold_for_a_moment() -> None:
        with closing(sqlite3.connect(live, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            holds.set()
            time.sleep(0.1)

    holder = threading.Thread(target=hold_for_a_moment)

    def save() -> bool:
        time.sleep(1)
        holder.start()
        return holds.wait(30)

    claim.put_in_place(
        rebuilt, is_damaged=False, disconnect=False, drop_previous=False, wait_until_saved=save
    )
    holder.join()

    assert name_in(live) == "new"

"""Pages that differ are all written or none: what fails or dies half-way is undone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from qadb.backends.sqlite import live_file
from qadb.backends.sqlite.differing_pages import write_differing
from qadb.backends.sqlite.live_file import Witnesses
from qadb.errors import BackupDamaged, DatabaseInUse
from tests.backends.rebuilt_pages import (
    CHANGES,
    ROWS,
    change,
    copy,
    make,
    read,
    require_same,
    write_at_once,
)
from tests.support.sqlite_shells import find_shells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fail(live: Path, source: Path, do: Callable[[], object]) -> None:
    """Fail before the commit; the former database is whole, and nobody holds a lock of it."""
    former = read(live)
    locked: list[bool] = []
    with pytest.raises((BackupDamaged, KeyboardInterrupt, sqlite3.OperationalError)):
        write_differing(source, live, Witnesses(lambda: locked.append(True), do))

    assert locked == [True]
    assert read(live) == former
    change(live, "UPDATE named SET name = name WHERE id = 1")
    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert find_shells() == []


@pytest.mark.parametrize("error", [BackupDamaged("It is damaged."), KeyboardInterrupt()], ids=repr)
def test_what_is_found_unsound_is_undone(tmp_path: Path, error: BaseException) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["shorter"])

    def find_damage() -> None:
        raise error

    fail(live, source, find_damage)


def test_a_shell_that_is_killed_leaves_the_former(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["shorter"])

    def kill() -> None:
        (shell,) = find_shells()
        shell.kill()
        shell.wait()

    fail(live, source, kill)


def test_a_rebuilt_file_that_is_cut_off_leaves_the_former(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["longer"])
    former = read(live)
    witnesses = Witnesses(lambda: os.truncate(source, 2 * 4096), lambda: pytest.fail("it is sound"))

    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        write_differing(source, live, witnesses)

    assert read(live) == former
    assert find_shells() == []


def test_killed_itself_it_leaves_the_former_and_no_shell(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["longer"])
    code = f"""
import time
from pathlib import Path
from qadb.backends.sqlite.differing_pages import write_differing
from qadb.backends.sqlite.live_file import Witnesses
def wait():
    print("written", flush=True)
    time.sleep(60)
write_differing(Path({str(source)!r}), Path({str(live)!r}), Witnesses(list, wait))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        children = psutil.Process(process.pid).children()
        assert len(find_shells(process.pid)) == 1
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)

    assert alive == []
    assert len(read(live)) == ROWS
    change(live, "UPDATE named SET name = name WHERE id = 1")


def test_who_writes_for_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_file, "BUSY_SECONDS", 0.2)
    live = make(tmp_path / "live.sqlite3")
    source = copy(live, tmp_path / "rebuilt.sqlite3")
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseInUse, match="is locked by"):
            write_at_once(source, live)


def test_the_writer_waits_for_who_writes(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = copy(live, tmp_path / "rebuilt.sqlite3")
    hold = f"""
import sqlite3, time
c = sqlite3.connect({str(live)!r}, isolation_level=None)
c.execute("BEGIN IMMEDIATE")
c.execute("DELETE FROM named WHERE id = 3")
print("writing", flush=True)
time.sleep(0.5)
c.execute("COMMIT")
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert write_at_once(source, live) == ["locked", "sound"]

    require_same(live, source)

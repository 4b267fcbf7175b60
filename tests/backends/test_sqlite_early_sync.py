"""A large file and its log are synced while they are written, by a process that ends in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from queue import Queue
from typing import TYPE_CHECKING

import psutil

from qadb.backends.sqlite import early_sync, syncing_process

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LARGE = 1 << 30

HOLD = """
import sys
from pathlib import Path
from qadb.backends.sqlite.early_sync import early_sync
with early_sync(Path(sys.argv[1]), 1 << 30):
    print("begun", flush=True)
    input()
"""


def syncing() -> list[psutil.Process]:
    """The processes that sync files for this one."""
    children = psutil.Process().children()
    return [each for each in children if "syncing_process" in " ".join(each.cmdline())]


def test_a_process_of_its_own_syncs_the_file_and_its_log(tmp_path: Path) -> None:
    path = tmp_path / "qa.sqlite3"

    with early_sync.early_sync(path, LARGE):
        (process,) = syncing()
        assert process.cmdline()[-2:] == [f"{path}-wal", str(path)]

    assert syncing() == []
    assert not process.is_running()


def test_what_is_small_takes_no_process(tmp_path: Path) -> None:
    with early_sync.early_sync(tmp_path / "qa.sqlite3", 1 << 20):
        assert syncing() == []


def test_without_an_interpreter_the_work_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))

    with early_sync.early_sync(tmp_path / "qa.sqlite3", LARGE):
        assert syncing() == []


def test_it_ends_with_whoever_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "qa.sqlite3")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        (process,) = psutil.Process(holder.pid).children()
        holder.send_signal(signal.SIGKILL)

    process.wait(timeout=30)


def test_files_are_synced_again_and_again_also_those_that_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, later = tmp_path / "there", tmp_path / "later"
    there.touch()
    syncs: Queue[int] = Queue()
    monkeypatch.setattr(syncing_process, "_sync", lambda file: syncs.put(os.fstat(file).st_ino))
    until, end = os.pipe()
    thread = threading.Thread(
        target=syncing_process.sync_again_and_again, args=([later, there],), kwargs={"until": until}
    )
    thread.start()
    try:
        of_there = there.stat().st_ino
        assert [syncs.get(timeout=30), syncs.get(timeout=30)] == [of_there, of_there]
        later.touch()
        while syncs.get(timeout=30) != later.stat().st_ino:
            pass
    finally:
        os.close(end)
        thread.join()
        os.close(until)

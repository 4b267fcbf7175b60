"""SQLite's shell as a process: what it prints, why it failed, and its end."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from qadb.backends.sqlite import sqlite_shell
from qadb.backends.sqlite.errors import translate
from qadb.settings import DatabaseUrl
from tests.support.sqlite_shells import find_shells

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A file in WAL mode, with a table of two rows."""
    path = tmp_path / "live.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE named AS SELECT 1 AS id UNION SELECT 2")
    return path


def test_ctrl_c_is_not_told_to_the_shell(live: Path) -> None:
    """Else it would end without a word while we say what happened."""
    with sqlite_shell.open_in_shell(live) as shell:
        assert shell is not None
        (process,) = find_shells()
        assert os.getsid(process.pid) != os.getsid(0)
        assert shell.run("SELECT 1; SELECT 2;") == ["1", "2"]


def run_in_shell(live: Path, statement: str) -> None:
    with sqlite_shell.open_in_shell(live) as shell:
        assert shell is not None
        shell.run(statement)


@pytest.mark.parametrize("waits", [False, True])
def test_a_long_statement_is_stopped(live: Path, *, waits: bool) -> None:
    holder = sqlite3.connect(live, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    wait = ".timeout 30000\nBEGIN IMMEDIATE;"
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n;"
    )

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_in_shell(live, wait if waits else endless)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        holder.close()

    assert find_shells() == []
    assert time.monotonic() - started < 20


def test_a_statement_that_fails_says_why_and_ends_the_others(live: Path) -> None:
    with sqlite_shell.open_in_shell(live) as shell:
        assert shell is not None
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match=r"^no such table: absent"):
                shell.run("SELECT * FROM absent; DELETE FROM named;")
        assert shell.run("SELECT count(*) FROM named;") == ["2"]


def test_a_page_that_the_disk_does_not_give_is_an_io_error(live: Path) -> None:
    with closing(sqlite3.connect(live)) as connection:
        connection.execute("CREATE TABLE large AS SELECT randomblob(100000) AS body")

    def read_while_it_is_cut_off() -> None:
        with sqlite_shell.open_in_shell(live) as shell:
            assert shell is not None
            shell.run("PRAGMA mmap_size = 1000000; BEGIN; SELECT count(*) FROM named;")
            os.truncate(live, live.stat().st_size // 2)
            shell.run("SELECT hex(body) FROM large;")

    with pytest.raises(sqlite3.OperationalError, match="disk I/O error") as caught:
        read_while_it_is_cut_off()

    assert caught.value.sqlite_errorname == "SQLITE_IOERR"
    said = translate(caught.value, DatabaseUrl("sqlite", path=live))
    assert said.message == f"SQLite failed on {live}: disk I/O error."
    assert said.hint == "Look at the disk, and at what the system's log says of it."


ENDLESS = """
import sys
from pathlib import Path
from qadb.backends.sqlite.sqlite_shell import open_in_shell
numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
with open_in_shell(Path(sys.argv[1])) as shell:
    print("begun", flush=True)
    shell.run(f"{numbers} SELECT sum(i) FROM n;")
"""


def test_a_long_statement_ends_with_whoever_was_killed(live: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(live)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        shells = find_shells(owner.pid)
        owner.kill()

    assert len(shells) == 1
    _, alive = psutil.wait_procs(shells, timeout=20)
    assert alive == []


def test_a_shell_that_somebody_killed_has_ended(live: Path) -> None:
    def run_in_killed() -> None:
        with sqlite_shell.open_in_shell(live) as shell:
            assert shell is not None
            find_shells()[0].kill()
            shell.run("SELECT 1;")

    with pytest.raises(sqlite3.OperationalError, match="SQLite's shell has ended"):
        run_in_killed()


def test_where_no_process_may_watch_there_is_no_shell(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(process: subprocess.Popen[bytes]) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(sqlite_shell, "watched", refuse)

    with sqlite_shell.open_in_shell(live) as shell:
        assert shell is None

    assert find_shells() == []

"""A file is taken for frozen only where nothing can be written to it, and then nothing is."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from qadb.backends.sqlite import file_reading_process, frozen_file
from qadb.backends.sqlite.frozen_file import freeze_file
from qadb.backends.values import ConnectionOptions
from qadb.errors import DatabaseFailure
from qadb.settings import DatabaseUrl
from tests.support.unprivileged import NOBODY, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.backends.sqlite.frozen_file import FrozenFile

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems' locks don't say whose they are: a copy is made"
)

# Each transaction changes many pages that belong together, and the log goes into the file at once.
WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("PRAGMA synchronous = OFF")
print("ready", flush=True)
while True:
    connection.execute("UPDATE t SET n = n + 1")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "qa.db")


def make(path: Path) -> Path:
    """A database whose rows all hold the same number, on some hundred pages."""
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n INTEGER, filling)")
        connection.executemany("INSERT INTO t VALUES (0, zeroblob(?))", [(2000,)] * 300)
    return path


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        yield connection


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Somebody in this process who goes on reading what there is now."""
    with opened(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM t").fetchone()
        yield


def write(path: Path) -> None:
    """Leave a change in the log."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        connection.execute("UPDATE t SET n = n + 1")
        connection.commit()


def _readers() -> list[psutil.Process]:
    """The processes that read a file for this one."""
    children = psutil.Process().children()
    return [each for each in children if "file_reading_process" in " ".join(each.cmdline())]


def _commands_of_readers() -> list[str]:
    return [" ".join(each.cmdline()) for each in _readers()]


@contextmanager
def freezing(path: Path) -> Iterator[FrozenFile | None]:
    with freeze_file(DatabaseUrl("sqlite", path=path), ConnectionOptions()) as frozen:
        yield frozen


def content_of(frozen: FrozenFile | None, path: Path) -> bytes:
    assert frozen is not None
    return b"".join(frozen.read(path.stat().st_size))


def numbers_in(content: bytes, folder: Path) -> list[tuple[int]]:
    copy = folder / "copy.db"
    copy.write_bytes(content)
    with opened(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT DISTINCT n FROM t").fetchall()


def test_what_others_write_stays_out_of_the_file_until_the_end(path: Path) -> None:
    with freezing(path) as frozen:
        before = content_of(frozen, path)
        write(path)
        with opened(path) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 1, "it is busy"
        assert content_of(frozen, path) == before

    with opened(path) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_a_log_that_somebody_left_is_moved_into_the_file_first(path: Path, tmp_path: Path) -> None:
    with opened(path) as somebody:  # whoever closes last would do it
        somebody.execute("SELECT count(*) FROM t").fetchone()
        write(path)
        with freezing(path) as frozen:
            assert numbers_in(content_of(frozen, path), tmp_path) == [(1,)]


def test_a_file_that_misses_what_the_log_has_is_not_taken(path: Path) -> None:
    """The reader keeps the log from going into the file altogether."""
    with opened(path) as somebody:
        somebody.execute("SELECT count(*) FROM t").fetchone()
        write(path)
        with reading(path):
            write(path)
            with freezing(path) as frozen:
                assert frozen is None


def test_another_reader_of_this_process_is_not_taken_for_ours(path: Path) -> None:
    """It holds the lock that we would need, and may let it go at any time."""
    with reading(path):
        write(path)
        with freezing(path) as frozen:
            assert frozen is None


def test_a_file_without_a_log_is_not_taken(path: Path) -> None:
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")

    with freezing(path) as frozen:
        assert frozen is None


def test_a_large_file_is_not_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log would become long meanwhile, and every commit of others slow."""
    monkeypatch.setattr(frozen_file, "MOST_BYTES", path.stat().st_size - 1)
    with freezing(path) as frozen:
        assert frozen is None
    monkeypatch.setattr(frozen_file, "MOST_BYTES", path.stat().st_size)
    with freezing(path) as frozen:
        assert frozen is not None


def test_it_tells_whether_it_lies_in_memory(path: Path) -> None:
    """Some file systems can't tell of what was just read."""
    path.read_bytes()
    with path.open("rb") as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
            can_tell = True
        except OSError:
            can_tell = False

    with freezing(path) as frozen:
        assert frozen is not None
        assert frozen.is_in_memory() == can_tell


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_reader_who_may_not_write_the_logs_index_is_not_certain() -> None:
    """It holds the first lock, too, and may read the log all the same."""
    with open_folder() as folder:
        path = make(folder / "qa.db")
        with reading(path):
            assert _is_certain_to_another_process(path)
            path.with_name("qa.db-shm").chmod(0o444)
            assert not _is_certain_to_another_process(path, NOBODY)


def _is_certain_to_another_process(path: Path, user: int | None = None) -> bool:
    reader = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            if user is not None and os.geteuid() == 0:
                os.setresuid(user, user, user)
            file = os.open(path, os.O_RDONLY)
            os._exit(file_reading_process._is_frozen_by(reader, str(path), file))
        finally:
            os._exit(2)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1)
    return status == 1


def test_a_file_that_another_was_put_in_place_of_is_not_taken(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.db"
    with opened(other) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n)")
    start = frozen_file._start_reader

    def start_and_replace(path: Path, stack: ExitStack) -> object:
        started = start(path, stack)
        while not any(str(path) in command for command in _commands_of_readers()):
            time.sleep(0.001)
        time.sleep(0.2)  # it has the file open by now; where not, it opens the other, rightly
        other.rename(path)
        return started

    monkeypatch.setattr(frozen_file, "_start_reader", start_and_replace)
    with freezing(path) as frozen:
        assert frozen is None


def test_no_process_stays_where_it_is_not_certain(path: Path) -> None:
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    with freezing(path):
        assert _readers() == []


def test_bytes_that_can_not_be_handed_on_are_copied(path: Path, tmp_path: Path) -> None:
    """As from one file to another, which the system refuses."""
    script, given = str(file_reading_process.__file__), tmp_path / "given"
    order = file_reading_process.READ + file_reading_process.NUMBER.pack(path.stat().st_size)
    with given.open("wb") as file:
        command = [sys.executable, "-I", script, str(path), "1"]
        subprocess.run(command, input=order, stdout=file, check=True)

    assert given.read_bytes() == path.read_bytes()


def test_no_interpreter_means_that_it_is_not_certain(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in (None, "", "/nowhere/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", program)
        with freezing(path) as frozen:
            assert frozen is None


def test_it_is_one_moment_while_somebody_writes_and_empties_the_log(
    path: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITE, str(path)]
    seen: list[tuple[int]] = []
    with ExitStack() as stack:
        writer = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(writer.kill)
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(30):
            with freezing(path) as frozen:
                if frozen is None:
                    continue  # it was never certain just then, and a copy would be made
                first = content_of(frozen, path)
                time.sleep(0.01)
                assert content_of(frozen, path) == first
                assert (
                    numbers_in(first, tmp_path)
                    == frozen.connection.exec_driver_sql("SELECT DISTINCT n FROM t").fetchall()
                )
                seen += numbers_in(first, tmp_path)
        assert writer.poll() is None

    assert len(set(seen)) > 5


def test_a_reader_that_is_killed_is_told(path: Path) -> None:
    with freezing(path) as frozen:
        assert frozen is not None
        for process in _readers():
            process.kill()
        with pytest.raises(DatabaseFailure, match="can't be read to its end"):
            list(frozen.read(1 << 24))


def test_a_file_that_is_shorter_than_it_says_is_told(path: Path) -> None:
    with freezing(path) as frozen:
        assert frozen is not None
        with pytest.raises(DatabaseFailure, match="can't be read to its end"):
            list(frozen.read(path.stat().st_size + 1))

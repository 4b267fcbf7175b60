"""A rebuilt file's pages are written into the live one where they differ, in one transaction."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from qadb.backends.sqlite import differing_pages, live_file, sqlite_shell
from qadb.backends.sqlite.differing_pages import write_differing
from qadb.backends.sqlite.live_file import Witnesses
from qadb.errors import BackupDamaged, DatabaseInUse
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 400  # a page each
READ = "SELECT id, name, length(filling) FROM named ORDER BY id"


def make(
    path: Path, *, mode: str = "wal", page_size: int = 4096, auto_vacuum: str = "NONE"
) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
        connection.execute("CREATE TABLE named (id INTEGER PRIMARY KEY, name TEXT, filling BLOB)")
        connection.execute("CREATE INDEX ix_named_name ON named (name)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO named VALUES (?, 'common', zeroblob(?))",
            [(row, page_size // 2 + 200) for row in range(ROWS)],
        )
        connection.execute("COMMIT")
        connection.execute("VACUUM")  # so that the next one moves few pages
        connection.execute(f"PRAGMA journal_mode = {mode}")
    return path


def change(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def copy(path: Path, new: Path) -> Path:
    new.write_bytes(path.read_bytes())
    return new


def read(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(READ).fetchall()


def require_same(live: Path, source: Path) -> None:
    """Require what SQLite finds in both files, and every page but the first, to be the same."""
    with closing(sqlite3.connect(live)) as ours, closing(sqlite3.connect(source)) as theirs:
        assert ours.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert list(ours.iterdump()) == list(theirs.iterdump())
        (size,) = theirs.execute("PRAGMA page_size").fetchone()
        for pragma in ("page_count", "freelist_count", "user_version", "application_id"):
            ask = f"PRAGMA {pragma}"
            assert ours.execute(ask).fetchone() == theirs.execute(ask).fetchone()
        (pages,) = ours.execute("PRAGMA page_count").fetchone()
    assert live.read_bytes()[size:] == source.read_bytes()[size:]
    assert int.from_bytes(live.read_bytes()[28:32], "big") == pages


def write_at_once(source: Path, live: Path) -> list[str]:
    told: list[str] = []
    witnesses = Witnesses(lambda: told.append("locked"), lambda: told.append("sound"))
    if not write_differing(source, live, witnesses):
        assert told == []
        return ["not written"]
    return told


CHANGES = {
    "nothing": [],
    "a row": ["UPDATE named SET name = 'rare' WHERE id = 200"],
    "longer": [
        "INSERT INTO named SELECT id + 1000, 'more', filling FROM named WHERE id < 60",
        "PRAGMA user_version = 7",
    ],
    "shorter": ["DELETE FROM named WHERE id >= 330", "VACUUM"],
    "free pages": ["DELETE FROM named WHERE id >= 330"],
    "schema": [
        "CREATE TABLE added (a)",
        "INSERT INTO added VALUES (1)",
        "DROP INDEX ix_named_name",
    ],
}


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("changes", CHANGES.values(), ids=list(CHANGES))
def test_the_live_file_becomes_the_rebuilt_one(
    tmp_path: Path, changes: list[str], page_size: int
) -> None:
    live = make(tmp_path / "it's live%20 é.sqlite3", page_size=page_size)
    source = change(copy(live, tmp_path / "it's rebuilt%20.sqlite3"), *changes)

    assert write_at_once(source, live) == ["locked", "sound"]

    require_same(live, source)
    assert not live.with_name(f"{live.name}-wal").exists()
    change(live, "INSERT INTO named VALUES (-1, 'written', x'00')")
    require_same(change(source, "INSERT INTO named VALUES (-1, 'written', x'00')"), live)


@pytest.mark.parametrize("name", ["longer", "shorter", "schema"])
def test_and_back_again(tmp_path: Path, name: str) -> None:
    source = make(tmp_path / "rebuilt.sqlite3")
    live = change(copy(source, tmp_path / "live.sqlite3"), *CHANGES[name])

    assert write_at_once(source, live) == ["locked", "sound"]

    require_same(live, source)


def test_what_the_log_alone_has_is_replaced_too(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = copy(live, tmp_path / "rebuilt.sqlite3")
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("UPDATE named SET name = 'in the log' WHERE id = 7")
        assert live.read_bytes() == source.read_bytes()

        assert write_at_once(source, live) == ["locked", "sound"]

        assert other.execute("SELECT name FROM named WHERE id = 7").fetchone() == ("common",)
    require_same(live, source)


def test_who_has_the_file_open_reads_the_schema_anew(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["schema"])
    change(live, "CREATE TABLE gone (a)", "CREATE TABLE gone_too (a)")
    with closing(sqlite3.connect(source)) as theirs, closing(sqlite3.connect(live)) as other:
        versions = [c.execute("PRAGMA schema_version").fetchone()[0] for c in (theirs, other)]
        assert versions[0] == versions[1]  # where it would not be noticed otherwise
        assert other.execute("SELECT count(*) FROM gone").fetchone() == (0,)

        assert write_at_once(source, live) == ["locked", "sound"]

        assert other.execute("SELECT a FROM added").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            other.execute("SELECT count(*) FROM gone")


def test_a_reader_reads_the_former_to_the_end_of_its_transaction(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["shorter"])
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert len(other.execute(READ).fetchall()) == ROWS
        assert write_at_once(source, live) == ["locked", "sound"]
        assert len(other.execute(READ).fetchall()) == ROWS
        other.execute("COMMIT")
        assert len(other.execute(READ).fetchall()) == 330
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    require_same(live, source)


def shells() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.name() == "sqlite3_shell"]


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
    assert shells() == []


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
        (shell,) = shells()
        shell.kill()
        shell.wait()

    fail(live, source, kill)


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
        assert [each.name() for each in children] == ["sqlite3_shell"]
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


@pytest.mark.parametrize(
    ("live_kind", "source_kind"),
    [
        ({"mode": "delete"}, {}),
        ({}, {"mode": "delete"}),
        ({"page_size": 8192}, {}),
        ({"auto_vacuum": "FULL"}, {}),
    ],
    ids=str,
)
def test_files_of_other_kinds_are_left_alone(
    tmp_path: Path, live_kind: dict[str, str], source_kind: dict[str, str]
) -> None:
    live = make(tmp_path / "live.sqlite3", **live_kind)  # type: ignore[arg-type]
    source = make(tmp_path / "rebuilt.sqlite3", **source_kind)  # type: ignore[arg-type]
    former = live.read_bytes()

    assert write_at_once(source, live) == ["not written"]

    assert live.read_bytes() == former


def test_a_file_that_differs_much_is_left_alone(tmp_path: Path) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), "UPDATE named SET name = 'other'")

    assert write_at_once(source, live) == ["not written"]

    assert {name for _, name, _ in read(live)} == {"common"}


def test_without_a_shell_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = make(tmp_path / "live.sqlite3")
    source = copy(live, tmp_path / "rebuilt.sqlite3")
    for program in (None, str(tmp_path / "absent"), sys.executable):
        monkeypatch.setattr(sqlite_shell, "_find_program", lambda program=program: program)
        assert write_at_once(source, live) == ["not written"]


def test_without_room_for_what_the_shell_says_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    live = make(tmp_path / "live.sqlite3")

    assert write_at_once(copy(live, tmp_path / "rebuilt.sqlite3"), live) == ["not written"]


def test_a_file_that_one_may_not_write_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        folder.chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))  # that is not the reason
        live = make(folder / "live.sqlite3")
        source = copy(live, folder / "rebuilt.sqlite3")
        source.chmod(0o666)
        live.chmod(0o444)
        with as_nobody():
            assert write_at_once(source, live) == ["not written"]


def test_pages_that_differ_are_written_and_no_others(tmp_path: Path) -> None:
    """What the log takes tells how many there were."""
    live = make(tmp_path / "live.sqlite3")
    source = change(
        copy(live, tmp_path / "rebuilt.sqlite3"), "UPDATE named SET filling = x'01' WHERE id = 9"
    )
    log = live.with_name(f"{live.name}-wal")
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute(READ).fetchall()  # so that the log stays
        assert write_at_once(source, live) == ["locked", "sound"]
        frames = log.stat().st_size // 4096

    assert 1 <= frames <= 3


def test_more_pages_than_one_batch_are_all_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differing_pages, "_BATCH_BYTES", 3 * 4096)
    live = make(tmp_path / "live.sqlite3")
    source = change(copy(live, tmp_path / "rebuilt.sqlite3"), *CHANGES["longer"])

    assert write_at_once(source, live) == ["locked", "sound"]

    require_same(live, source)

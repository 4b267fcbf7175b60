"""Restoring where the file is damaged, can't be written, or a restore was killed before."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import claiming
from qadb.errors import DatabaseInUse, InsufficientPrivilege, QadbError, StorageFull
from qadb.operations.restore import plan_restore, restore
from tests.operations.sqlite.scene import ADD, COUNT, is_sound, put_back, somebody_else
from tests.support.databases import fetch_rows, open_database
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from qadb.database import Database


def smash_header(live: Path) -> None:
    with live.open("r+b") as file:
        file.write(b"\0" * 100)


def smash_middle(live: Path) -> None:
    size = live.stat().st_size
    with live.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))


def turn_format(live: Path) -> None:
    """Make the schema format one that no SQLite knows."""
    with live.open("r+b") as file:
        file.seek(47)
        file.write(b"\xff")


def cut_short(live: Path) -> None:
    os.truncate(live, 5000)


@pytest.mark.parametrize("damage", [smash_header, smash_middle, turn_format, cut_short])
def test_a_damaged_file_is_set_aside_and_replaced(
    database: Database, backup: Path, live: Path, damage: object
) -> None:
    database.close()
    damage(live)  # type: ignore[operator]  # a function
    damaged = live.read_bytes()

    aside = put_back(database, backup)

    assert aside is not None
    assert Path(aside).read_bytes() == damaged
    assert fetch_rows(database, COUNT) == [(249,)]
    assert is_sound(live)
    assert live.stat().st_mode & 0o777 == 0o644


def test_a_log_without_its_file_is_set_aside_too(
    database: Database, backup: Path, live: Path
) -> None:
    database.close()
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute(ADD.replace("QQ", "XX"))
        log = live.with_name(live.name + "-wal").read_bytes()
    live.unlink()
    live.with_name(live.name + "-wal").write_bytes(log)

    put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(249,)]
    assert is_sound(live)


def test_a_damaged_file_that_somebody_has_open_is_left(
    database: Database, backup: Path, live: Path
) -> None:
    database.close()
    smash_header(live)
    hold = f"f = open({str(live)!r}); print('holding', flush=True); input()"
    with (
        somebody_else(hold) as holder,
        pytest.raises(DatabaseInUse, match=f"pid {holder.pid}"),
    ):
        put_back(database, backup)

    assert live.read_bytes()[:100] == b"\0" * 100


def test_mode_and_owner_stay(database: Database, backup: Path, live: Path) -> None:
    database.close()
    live.chmod(0o640)
    smash_header(live)

    put_back(database, backup)

    assert live.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_may_not_be_written_is_said_first(database: Database, backup: Path) -> None:
    with open_folder() as folder:
        folder.chmod(0o555)
        copy = folder.parent / f"{folder.name}.qadb"
        copy.write_bytes(backup.read_bytes())
        copy.chmod(0o644)
        try:
            with as_nobody(), open_database(f"sqlite:///{folder / 'x.sqlite3'}") as target:
                plan = plan_restore(target, copy)
                with pytest.raises(InsufficientPrivilege, match="can't be written"):
                    restore(target, plan)
        finally:
            copy.unlink()


def test_a_full_disk_leaves_the_database_as_it_was(
    database: Database, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    from qadb.backends.sqlite import rebuilding

    monkeypatch.setattr(rebuilding, "_write", write_nothing)
    with pytest.raises(StorageFull):
        put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(250,)]


RESTORE = """
import sys
from pathlib import Path
from tests.support.databases import open_database
from qadb.operations.restore import RestoreOptions, plan_restore, restore
backup = Path(sys.argv[2])
with open_database(sys.argv[1]) as database:
    plan = plan_restore(database, backup)
    print("go", flush=True)
    restore(database, plan, RestoreOptions())
"""


def test_what_a_killed_restore_left_is_removed_by_the_next(
    database: Database, backup: Path, live: Path
) -> None:
    code = (
        "import os, signal\nfrom qadb.operations import verify as r\n"
        "r.check_rebuilt = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code + RESTORE, f"sqlite:///{live}", str(backup)], check=False
    )
    assert child.returncode == -signal.SIGKILL
    assert [p for p in live.parent.iterdir() if p.name.endswith(".restoring")]
    said: list[str] = []

    restore(database, plan_restore(database, backup), notify=said.append)

    assert not [p for p in live.parent.iterdir() if p.name.endswith(".restoring")]
    assert [line for line in said if "interrupted" in line]


def test_a_file_that_cannot_be_opened_is_no_damaged_one(
    database: Database, backup: Path, live: Path
) -> None:
    """Something in the place of a sidecar says nothing about the file: it is not set aside."""
    database.close()
    live.with_name(live.name + "-wal").mkdir()
    before = live.read_bytes()
    claim = claiming.FileClaim(database.url, live)
    source = live.with_name("source.sqlite3")
    source.write_bytes(before)

    with pytest.raises(QadbError):
        claim.put_in_place(
            type(database.url)("sqlite", path=source),
            is_damaged=False,
            disconnect=False,
            drop_previous=False,
        )

    assert live.read_bytes() == before
    assert not [path for path in live.parent.iterdir() if ".damaged-" in path.name]

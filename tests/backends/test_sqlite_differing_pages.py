"""A rebuilt file's pages are written into the live one where they differ, in one transaction."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import differing_pages, sqlite_shell
from tests.backends.rebuilt_pages import (
    CHANGES,
    READ,
    ROWS,
    change,
    copy,
    make,
    read,
    require_same,
    write_at_once,
)
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from pathlib import Path


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

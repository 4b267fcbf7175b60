"""The checks of a SQLite file: a file that fails each, and one that just passes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from qadb.backends.base_file_health import FreePages
from qadb.backends.sqlite import file_facts
from qadb.settings.parsing import parse_database_url
from tests.health.asking import ask, limits
from tests.support.databases import open_database, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database

ALL = [f"QADB-Q{number:02}" for number in range(1, 9)]


@pytest.fixture
def raw(file_url: str) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else's program to the same file."""
    with closing(sqlite3.connect(sqlite_file(file_url), isolation_level=None)) as connection:
        yield connection


def let_connections_run(database: Database, statement: str) -> None:
    """Have each new connection run a statement, as other software's would."""
    engine = database.engine(read_only=True)
    event.listen(engine, "connect", lambda connection, _: connection.execute(statement))


@pytest.mark.parametrize("name", ALL)
def test_a_file_as_it_is_made_passes(file: Database, name: str) -> None:
    result = ask(file, name)

    assert (result.status, result.hint) == ("ok", None)


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist"])
def test_another_journal_mode_is_a_warning(
    file: Database, raw: sqlite3.Connection, mode: str
) -> None:
    raw.execute(f"PRAGMA journal_mode = {mode}").fetchall()

    result = ask(file, "QADB-Q01")

    assert result.status == "warn"
    assert result.hint == "PRAGMA journal_mode = WAL"
    raw.execute(result.hint).fetchall()
    assert ask(file, "QADB-Q01").status == "ok"


@pytest.mark.parametrize(
    ("level", "status"), [("OFF", "crit"), ("NORMAL", "warn"), ("FULL", "ok"), ("EXTRA", "ok")]
)
def test_connections_that_do_not_wait_for_the_disk_fail(
    file: Database, level: str, status: str
) -> None:
    let_connections_run(file, f"PRAGMA synchronous = {level}")

    result = ask(file, "QADB-Q02")

    assert result.status == status
    assert level.lower() in result.message


def test_connections_without_foreign_keys_are_critical(file: Database) -> None:
    let_connections_run(file, "PRAGMA foreign_keys = OFF")

    result = ask(file, "QADB-Q03")

    assert (result.status, result.value) == ("crit", 1)


def test_a_log_that_grows_beyond_its_limit_fails(file: Database, raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE more (filler)")
    raw.execute("INSERT INTO more VALUES (randomblob(500000))")

    assert ask(file, "QADB-Q04").status == "ok"
    tight = limits("QADB-Q04", warn=100_000, crit=500_000)
    result = ask(file, "QADB-Q04", settings=tight)
    assert result.status == "crit"
    assert result.value is not None
    assert result.value > 500_000

    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ask(file, "QADB-Q04", settings=tight).value == 0


@pytest.mark.parametrize(
    ("size_bytes", "status"), [(99_999_999, "ok"), (100_000_000, "warn"), (1_000_000_000, "crit")]
)
def test_how_long_a_log_is_too_long(
    file: Database, monkeypatch: pytest.MonkeyPatch, size_bytes: int, status: str
) -> None:
    monkeypatch.setattr(file_facts, "log_size", lambda _: size_bytes)

    assert ask(file, "QADB-Q04").status == status


def test_a_file_that_is_mostly_empty_is_a_warning_until_it_is_vacuumed(
    file: Database, raw: sqlite3.Connection
) -> None:
    raw.execute("CREATE TABLE more (filler)")
    raw.execute("INSERT INTO more VALUES (zeroblob(12000000))")
    assert ask(file, "QADB-Q05").status == "ok"
    raw.execute("DELETE FROM more")

    result = ask(file, "QADB-Q05")
    assert result.status == "warn"
    assert result.value is not None
    assert result.value > 90
    assert result.hint == "PRAGMA incremental_vacuum"

    raw.execute("VACUUM")
    assert ask(file, "QADB-Q05").value == 0


@pytest.mark.parametrize(
    ("free", "size", "gives_back", "status"),
    [
        (24_900_000, 100_000_000, True, "ok"),
        (25_000_000, 100_000_000, True, "warn"),
        (9_999_999, 10_000_000, True, "ok"),  # too little to matter
        (25_000_000, 100_000_000, False, "warn"),
    ],
)
def test_free_pages_need_size_and_percentage(
    file: Database,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    size: int,
    status: str,
    *,
    gives_back: bool,
) -> None:
    found = FreePages(free, size, gives_back)
    monkeypatch.setattr(file_facts, "free_pages", lambda _: found)

    result = ask(file, "QADB-Q05")

    assert result.status == status
    if status == "warn":
        assert result.hint == ("PRAGMA incremental_vacuum" if gives_back else "VACUUM")


def test_whether_a_file_gives_room_back_is_read_from_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "plain.sqlite3")) as connection:
        connection.execute("CREATE TABLE plain (id)")
    with (
        open_database(f"sqlite:///{tmp_path / 'plain.sqlite3'}") as database,
        database.connect(read_only=True) as connection,
    ):
        assert not file_facts.free_pages(connection).gives_back


@pytest.mark.parametrize(("mark", "status"), [(0, "warn"), (42, "crit")])
def test_a_file_with_another_mark_or_none_fails(
    file: Database, raw: sqlite3.Connection, mark: int, status: str
) -> None:
    raw.execute(f"PRAGMA application_id = {mark}")

    result = ask(file, "QADB-Q06")

    assert result.status == status
    assert result.hint == f"PRAGMA application_id = {file.schema.application_id}"
    raw.execute(result.hint)
    assert ask(file, "QADB-Q06").status == "ok"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ext4", "ok"),
        ("overlay", "ok"),
        ("tmpfs", "ok"),
        ("fuse.gocryptfs", "ok"),
        ("nfs", "crit"),
        ("nfs4", "crit"),
        ("cifs", "crit"),
        ("smb3", "crit"),
        ("fuse.sshfs", "crit"),
    ],
)
def test_a_file_on_another_machine_is_critical(
    file: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    mounts = tmp_path / "mounts"
    place = str(sqlite_file_of(file).parent).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {place} {kind} rw 0 0\n")
    monkeypatch.setattr(file_facts, "MOUNTS", mounts)

    result = ask(file, "QADB-Q07")

    assert result.status == status
    assert result.message.endswith(f": {kind}.")


def sqlite_file_of(database: Database) -> Path:
    """The file behind its links."""
    assert database.url.path is not None
    return database.url.path.resolve()


def test_the_deepest_and_latest_mount_of_a_file_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(file_facts, "MOUNTS", mounts)
    url = parse_database_url("sqlite:////data/my qa/db.sqlite3", source="test", base_dir=tmp_path)
    mounts.write_text(
        "x /data/my\\040qa nfs rw 0 0\n"
        "x / ext4 rw 0 0\n"
        "x /data/my\\040qa xfs rw 0 0\n"
        "x /data/my cifs rw 0 0\n"
        "x /data cifs rw 0 0\n"
    )

    assert file_facts.file_system(url) == "xfs"


def test_where_nobody_tells_what_the_file_lies_on_the_check_is_left_out(
    file: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_facts, "MOUNTS", tmp_path / "nowhere")

    result = ask(file, "QADB-Q07")

    assert (result.status, result.hint) == ("skipped", None)


def test_a_file_that_every_user_may_change_is_a_warning(file: Database) -> None:
    path = sqlite_file_of(file)
    path.chmod(0o664)
    assert ask(file, "QADB-Q08").status == "ok"
    path.chmod(0o666)

    result = ask(file, "QADB-Q08")

    assert (result.status, result.value) == ("warn", 1)
    assert result.details == (f"{path}: mode 0666, any user may change it",)
    assert result.hint == f"chmod o-w {path}"


@pytest.mark.parametrize(("mode", "status"), [(0o755, "ok"), (0o777, "warn"), (0o1777, "ok")])
def test_a_folder_that_every_user_may_change_is_a_warning(
    file: Database, mode: int, status: str
) -> None:
    sqlite_file_of(file).parent.chmod(mode)

    result = ask(file, "QADB-Q08")

    assert result.status == status


def test_a_log_beside_the_file_is_as_open_as_its_mode(
    file: Database, raw: sqlite3.Connection
) -> None:
    raw.execute("CREATE TABLE more (id)")
    path = sqlite_file_of(file)
    log = path.with_name(f"{path.name}-wal")
    log.chmod(0o646)

    assert ask(file, "QADB-Q08").details == (f"{log}: mode 0646, any user may change it",)

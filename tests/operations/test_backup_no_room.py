"""No room at any point: one sentence, nothing left behind, and the database as it was."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import list_backups
from qadb.operations.backup import create_backup
from qadb.operations.init import init_database
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file
from tests.support.program import Ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.program import Program


def limits(database: Database) -> list[int]:
    """KiB up to which files may grow: the copy of a database fits, and not what it is put in."""
    size = sqlite_file(database.url.shown).stat().st_size
    return [1, 50, 500, size // 1024 + 1, 2 * size // 1024]


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with open_database(sqlite_url) as database:
        init_database(database)
        database.close()
        yield database


def run_limited(qadb: Program, kib: int, *words: str, **variables: str) -> Ended:
    """Run where no file may be larger: the nearest to a full disk that needs nobody's rights."""
    limited = ["bash", "-c", f'ulimit -f {kib}; exec "$@"', "bash", *qadb.command(*words)]
    done = subprocess.run(
        limited,
        cwd=qadb.folder,
        # Python would keep the part of a compiled module that had room.
        env=qadb.environment(PYTHONDONTWRITEBYTECODE="1", **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def is_told_in_a_sentence(ended: Ended) -> bool:
    """SQLite calls a file that may not grow an I/O error, where a full disk is called so."""
    lines = ended.stderr.splitlines()
    return (
        ended.exit_code == 1
        and len([line for line in lines if line.startswith("Error:")]) == 1
        and not [line for line in lines if not line.startswith(("Error:", "Hint:"))]
        and ("I/O error" in lines[0] or "too large" in lines[0])
    )


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_backup_is_whole_or_not_there(
    qadb: Program, database: Database, tmp_path: Path, compression: str
) -> None:
    place = tmp_path / "backups"
    words = ("backup", str(place), "--verify", "--compress", compression)
    found = []
    for kib in limits(database):
        before = visible(place)
        ended = run_limited(qadb, kib, *words, QADB_DATABASE_URL=database.url.shown)
        found.append(ended.exit_code)
        if ended.exit_code:
            assert is_told_in_a_sentence(ended), (kib, ended)
            assert visible(place) == before
    assert found == sorted(found, reverse=True)
    assert {found[0], found[-1]} == {0, 1}
    for backup in list_backups(place):
        with ArchiveReader(backup.path) as archive:
            archive.check_seal()


def test_restore_changes_all_or_nothing(qadb: Program, database: Database, tmp_path: Path) -> None:
    backup = create_backup(database, tmp_path / "a.qadb").path
    execute(database, "DELETE FROM countries WHERE code = 'DE'")
    database.close()
    beside = visible(tmp_path)
    words = ("restore", str(backup), "--yes", "--no-safety-backup")
    found = []
    for kib in limits(database):
        ended = run_limited(qadb, kib, *words, QADB_DATABASE_URL=database.url.shown)
        found.append(ended.exit_code)
        assert is_told_in_a_sentence(ended) or ended.exit_code == 0, (kib, ended)
        rows = fetch_rows(database, "SELECT 1 FROM countries WHERE code = 'DE'")
        assert bool(rows) == (ended.exit_code == 0)
        assert fetch_rows(database, "PRAGMA integrity_check") == [("ok",)]
        database.close()
        assert visible(tmp_path) == beside
    assert found == sorted(found, reverse=True)
    assert {found[0], found[-1]} == {0, 1}

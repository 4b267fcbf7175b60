"""A rehearsal runs pending revisions on a copy of the data, and touches nothing else."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ConfigurationError, ExitCode, MigrationFailed, StorageFull
from qadb.operations import rehearse as operation
from qadb.operations.rehearse import RowChange, rehearse
from tests.revisions.running import go_up
from tests.support.databases import dump, execute, open_database
from tests.support.program import ProgramInside
from tests.support.revision_folders import schema_of, write_revision
from tests.support.revisions import BEFORE_HEAD, HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database

PARENT = 'op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20))")'
FEWER = 'op.execute("DELETE FROM parent WHERE id > 20")'
UNIQUE = 'op.create_index("i", "parent", ["name"], unique=True)'


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of the test's own."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def filled(sqlite_url: str, folder: Path) -> Iterator[Database]:
    """Stands at 001 with 30 rows, two of them alike; 002 and 003 are pending."""
    write_revision(folder, "001", None, up=PARENT)
    write_revision(folder, "002", "001", up=FEWER, title="Fewer")
    write_revision(folder, "003", "002", up='op.execute("CREATE TABLE more (id INTEGER)")')
    with open_database(sqlite_url, schema_of(folder)) as database:
        database.create()
        go_up(database, "001")
        rows = ", ".join(f"({n}, '{n % 29}')" for n in range(30))
        execute(database, f"INSERT INTO parent VALUES {rows}")
        yield database


def test_each_revision_is_told_with_its_time_and_the_rows_that_change(
    filled: Database, sqlite_url: str, temporary: Path
) -> None:
    before = dump(sqlite_url, None)

    result = rehearse(filled)

    assert (result.from_revision, result.to_revision) == ("001", "003")
    assert [(step.revision, step.changes) for step in result.steps] == [
        ("002", {"parent": RowChange(30, 21)}),
        ("003", {}),
    ]
    assert result.steps[0].title == "Fewer"
    assert all(step.elapsed_seconds > 0 for step in result.steps)
    assert dump(sqlite_url, None) == before
    assert list(temporary.iterdir()) == []


def test_revision_that_fails_on_these_data_is_told_and_nothing_is_touched(
    filled: Database, folder: Path, temporary: Path
) -> None:
    write_revision(folder, "002", "001")
    write_revision(folder, "003", "002", up=UNIQUE)
    filled.close()
    file = Path(str(filled.url.path))
    before = sha256(file.read_bytes()).hexdigest()

    with pytest.raises(MigrationFailed) as caught:
        rehearse(filled)

    assert caught.value.message.startswith("The rehearsal failed. Revision 003 failed: ")
    assert "the database itself is as it was" in (caught.value.hint or "")
    filled.close()
    assert sha256(file.read_bytes()).hexdigest() == before
    assert list(temporary.iterdir()) == []


def test_copy_needs_room(
    filled: Database, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.setattr(operation, "_ROOM", 1e12)

    with pytest.raises(StorageFull, match="bytes in"):
        rehearse(filled)

    assert list(temporary.iterdir()) == []


def test_server_makes_no_copies(postgresql_url: str, folder: Path) -> None:
    write_revision(folder, "001", None, up=PARENT)
    write_revision(folder, "002", "001", up=FEWER)
    with open_database(postgresql_url, schema_of(folder)) as database:
        go_up(database, "001")

        with pytest.raises(ConfigurationError, match="which a server does not do") as caught:
            rehearse(database)

    assert caught.value.exit_code == ExitCode.USAGE


def test_command_tells_what_happened(sqlite_url: str, tmp_path: Path) -> None:
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": sqlite_url})
    qadb("init", "-q")
    qadb("rollback", "--yes", "-q")

    text, document = qadb("migrate", "--rehearse"), qadb("migrate", "--rehearse", "--json").document

    assert text.exit_code == ExitCode.OK
    assert "Rehearsed on a copy of " in text.stdout
    assert (document["from"], document["to"], document["dry_run"]) == (BEFORE_HEAD, HEAD, True)
    assert [step["revision"] for step in document["rehearsal"]] == [HEAD]
    assert qadb("status", "--json").document["revision"] == BEFORE_HEAD
    qadb("migrate", "-q")
    assert "nothing to do" in qadb("migrate", "--rehearse").stdout
    assert qadb("migrate", "--rehearse", "--sql").exit_code == ExitCode.USAGE

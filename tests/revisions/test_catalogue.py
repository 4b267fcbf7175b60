"""The list of revisions, read from their files without Alembic."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ExitCode, QadbError, RevisionNotFound
from qadb.models import schema
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.environment import script_directory
from tests.support.program import CHECKOUT
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from pathlib import Path


def test_revisions_come_in_order_with_their_titles(folder: Path) -> None:
    found = read_catalogue(folder).revisions

    assert [(r.revision, r.down_revision, r.title) for r in found] == [
        ("001", None, "Parents"),
        ("002", "001", "Children"),
    ]
    assert len({r.checksum for r in found}) == 2


@pytest.mark.parametrize(
    "text",
    [
        '"""Odd."""\ndown_revision = "002"\nrevision = "003"\n',
        '"""Odd.\n\ndown_revision is 002\n"""\nrevision = "003"\ndown_revision = "002"\n',
        '"""Odd."""\nrevision = "003"\ndown_revision = (\n    "002"\n)\n',
        '"""Odd."""\nX = """\ndown_revision\n"""\nrevision = "003"\ndown_revision = "002"\n',
    ],
)
def test_revision_that_is_written_in_another_way_is_read_too(folder: Path, text: str) -> None:
    (folder / "versions" / "003.py").write_text(text)

    newest = read_catalogue(folder).revisions[-1]

    assert (newest.revision, newest.down_revision, newest.title) == ("003", "002", "Odd")


@pytest.mark.parametrize(
    ("back", "expected"),
    [("pass", False), ("...", False), ('"""Nothing."""', False), ("print()", True)],
)
def test_revision_knows_whether_its_way_down_does_something(
    folder: Path, back: str, expected: bool
) -> None:
    write_revision(folder, "003", "002", back=back)

    assert read_catalogue(folder).revisions[-1].takes_back() is expected


def test_alembic_sees_the_same_single_line_in_the_real_revisions() -> None:
    script = script_directory(schema)

    assert script.get_heads() == [read_catalogue(schema.migrations).head]
    assert [r.revision for r in reversed(list(script.walk_revisions()))] == [
        r.revision for r in read_catalogue(schema.migrations).revisions
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("2", "002"), ("02", "002"), ("002", "002"), ("head", "002"), ("base", None)],
)
def test_numbers_are_understood_with_and_without_zeros(
    folder: Path, name: str, meant: str | None
) -> None:
    assert read_catalogue(folder).resolve(name) == meant


@pytest.mark.parametrize("name", ["3", "0", "two", "", "-1", "00002"])
def test_unknown_name_is_refused_with_the_known_ones(folder: Path, name: str) -> None:
    with pytest.raises(RevisionNotFound) as caught:
        read_catalogue(folder).resolve(name)

    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint == "There are: base, 001, 002, head."


def test_two_revisions_after_one_are_refused(folder: Path) -> None:
    write_revision(folder, "003", "001")

    with pytest.raises(QadbError, match="002 and 003 both follow 001"):
        read_catalogue(folder)


def test_revision_that_follows_nothing_known_is_refused(folder: Path) -> None:
    write_revision(folder, "004", "003")

    with pytest.raises(QadbError, match="do not form one line"):
        read_catalogue(folder)


def test_folder_without_revisions_has_no_head(tmp_path: Path) -> None:
    assert read_catalogue(tmp_path).head is None


def test_reading_revisions_does_not_import_alembic() -> None:
    code = (
        "import sys; from qadb.models import schema;"
        "from qadb.revisions.catalogue import read_catalogue; read_catalogue(schema.migrations);"
        "sys.exit('alembic' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=CHECKOUT).returncode == 0

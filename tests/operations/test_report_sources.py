"""Which files a name stands for, and how their bytes are opened."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ReportError
from qadb.operations.report_files import open_report
from qadb.operations.report_sources import ReportSource, find_sources
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"<testsuite/>\n" * 100_000


class FakeStdin(io.TextIOWrapper):
    """A pipe: its bytes come once."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


def found(*names: Path | str) -> list[tuple[str, bool]]:
    return [(one.name, one.was_named) for one in find_sources([str(name) for name in names])]


def named(path: Path) -> ReportSource:
    return ReportSource(str(path), path, was_named=True)


def reason(source: ReportSource) -> str:
    with pytest.raises(ReportError) as caught, open_report(source):
        pass
    return caught.value.reason


def test_folder_stands_for_its_reports_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.xml", "a.xml", "deep/er/c.xml.gz", "notes.txt", "data.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.xml").mkdir()

    expected = [str(tmp_path / name) for name in ("a.xml", "b.xml", "deep/er/c.xml.gz")]
    assert found(tmp_path) == [(name, False) for name in expected]


def test_glob_that_the_shell_left_alone_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x/1.xml", "x/2.txt", "y/z/3.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    assert found("*/1.xml") == [("x/1.xml", False)]
    assert found("**/*.xml") == [("x/1.xml", False), ("y/z/3.xml", False)]
    assert found(tmp_path / "?" / "*.txt") == [(str(tmp_path / "x/2.txt"), False)]


def test_file_whose_name_looks_like_a_glob_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "shard[1].xml"
    path.touch()

    assert found(path) == [(str(path), True)]


@pytest.mark.parametrize("name", ["missing.xml", "no*match.xml", "a**b", "", "x" * 5000, "-"])
def test_name_that_stands_for_nothing_is_kept_to_be_explained(name: str) -> None:
    assert found(name) == [("<stdin>" if name == "-" else name, True)]


def test_file_named_twice_is_one_and_naming_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.touch()

    assert found(tmp_path, path) == [(str(path), True)]
    assert found(path, tmp_path) == [(str(path), True)]


def test_report_is_measured_and_read_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "r.xml"
    path.write_bytes(CONTENT)
    seen: list[tuple[int, int]] = []

    with open_report(named(path), lambda done, total: seen.append((done, total))) as report:
        assert report.size_bytes == len(CONTENT)
        assert report.sha256 == sha256(CONTENT).hexdigest()
        assert report.head == CONTENT[:4096]
        assert report.read_again().read(10) == CONTENT[:10]
        assert report.read_again().read() == CONTENT
        report.check_unchanged()

    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_packed_report_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "r.xml"
    path.write_bytes(gzip.compress(CONTENT))

    with open_report(named(path)) as report:
        assert report.sha256 == sha256(CONTENT).hexdigest()
        assert report.read_again().read() == CONTENT


@pytest.mark.parametrize("content", [CONTENT, gzip.compress(CONTENT)], ids=["plain", "packed"])
def test_stdin_is_kept_and_read_again(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", FakeStdin(content))

    with open_report(ReportSource("<stdin>", None, was_named=True)) as report:
        assert report.read_again().read() == CONTENT
        assert report.read_again().read() == CONTENT
        report.check_unchanged()


def test_named_pipe_is_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(CONTENT),))
    writer.start()

    with open_report(named(path)) as report:
        assert report.read_again().read() == CONTENT
    writer.join()


def test_closed_stdin_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert reason(ReportSource("<stdin>", None, was_named=True)) == "can't be read: stdin is closed"


def test_what_can_not_be_opened_is_said_in_words(tmp_path: Path) -> None:
    cut = tmp_path / "cut.xml.gz"
    cut.write_bytes(gzip.compress(CONTENT)[:-200])
    broken = tmp_path / "broken.xml.gz"
    broken.write_bytes(b"\x1f\x8b\x08\x00" + b"no gzip at all")

    assert reason(named(tmp_path / "missing.xml")) == "there is no such file"
    assert reason(named(tmp_path)) == "is a folder that holds no *.xml or *.xml.gz"
    assert reason(find_sources([""])[0]) == "is an empty name"
    assert reason(named(cut)).startswith("is a damaged gzip file: ")
    assert reason(named(broken)).startswith("is a damaged gzip file: ")
    assert "too long" in reason(named(tmp_path / ("x" * 300)))


def test_file_or_folder_that_may_not_be_read_is_said_in_words() -> None:
    with open_folder() as folder:
        secret = folder / "secret.xml"
        secret.write_bytes(CONTENT)
        secret.chmod(0)
        closed = folder / "closed"
        closed.mkdir(mode=0)
        with as_nobody():
            assert reason(named(secret)) == "can't be read: Permission denied"
            (inside,) = find_sources([str(closed / "report.xml")])
            assert reason(inside) == "can't be read: Permission denied"


@pytest.mark.parametrize("change", ["grows", "is rewritten"])
def test_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "r.xml"
    path.write_bytes(CONTENT)
    os.utime(path, (0, 0))

    with open_report(named(path)) as report:
        report.check_unchanged()
        with path.open("ab" if change == "grows" else "wb") as file:
            file.write(b"<more/>")
        with pytest.raises(ReportError, match="was written to while it was read"):
            report.check_unchanged()


def test_file_that_is_replaced_while_it_is_read_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "r.xml"
    path.write_bytes(CONTENT)

    with open_report(named(path)) as report:
        (tmp_path / "new.xml").write_bytes(b"<new/>")
        (tmp_path / "new.xml").replace(path)
        assert report.read_again().read() == CONTENT
        report.check_unchanged()


def test_gzip_that_breaks_between_two_readings_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.xml.gz"
    path.write_bytes(gzip.compress(os.urandom(3_000_000)))

    with open_report(named(path)) as report:
        os.truncate(path, 2_000_000)
        with pytest.raises(ReportError) as caught:
            report.read_again().read()

    assert caught.value.message.startswith(f"{path}: is a damaged gzip file: ")

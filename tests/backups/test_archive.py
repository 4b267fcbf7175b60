"""A backup's file: whole or refused, and readable by anybody's tools."""

from __future__ import annotations

import hashlib
import random
import zipfile
from typing import TYPE_CHECKING

import pytest

from qadb.backups.archive import ArchiveReader
from qadb.backups.compression import COMPRESSIONS, SUFFIXES, Compression
from qadb.backups.manifest import FORMAT, parse_manifest
from qadb.errors import BackupDamaged, BackupNotFound, QadbError, RestoreRefused
from tests.backups.making import make_manifest, write_archive

if TYPE_CHECKING:
    from pathlib import Path

LONG = random.Random(1).randbytes(300_000) + bytes(3_000_000)


def read_all(path: Path, size: int = 1 << 16) -> bytes:
    with ArchiveReader(path) as archive, archive.content() as content:
        pieces = []
        while piece := content.read(size):
            assert len(piece) <= size
            pieces.append(piece)
        return b"".join(pieces)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("content", [b"", b"x", LONG], ids=["empty", "short", "long"])
def test_content_and_manifest_come_back_as_they_were(
    tmp_path: Path, compression: Compression, content: bytes
) -> None:
    path = tmp_path / "a.qadb"
    sha256 = write_archive(path, content, compression=compression, piece=70_001)

    assert read_all(path) == content
    with ArchiveReader(path) as archive:
        assert archive.manifest == make_manifest(
            compression=compression, content_bytes=len(content)
        )
        assert archive.check_seal() == sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("size", [100, 1 << 16, 1 << 20, 1 << 24])
def test_content_is_read_in_pieces_of_any_size(
    tmp_path: Path, compression: Compression, size: int
) -> None:
    path = tmp_path / "a.qadb"
    content = b"".join(b"%d,%d;" % (n, n * n % 977) for n in range(400_000))
    write_archive(path, content, compression=compression, piece=1 << 20)

    assert read_all(path, size) == content


def test_any_zip_tool_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "a.qadb"
    write_archive(path, LONG, compression="none")

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["database.sqlite3", "manifest.json"]
        assert archive.read("database.sqlite3") == LONG


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_content_is_named_for_its_compression(tmp_path: Path, compression: Compression) -> None:
    path = tmp_path / "a.qadb"
    write_archive(path, compression=compression)

    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == "database.sqlite3" + SUFFIXES[compression]


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    path, broken = tmp_path / "a.qadb", tmp_path / "b.qadb"
    write_archive(path, b"some rows" * 20)
    whole = path.read_bytes()

    for place in range(len(whole)):
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BackupDamaged), ArchiveReader(broken) as archive:
            archive.check_seal()


def test_a_file_cut_off_anywhere_or_with_more_at_its_end_is_refused(tmp_path: Path) -> None:
    path, broken = tmp_path / "a.qadb", tmp_path / "b.qadb"
    write_archive(path, b"some rows" * 20)
    whole = path.read_bytes()

    for wrong in [*(whole[:length] for length in range(len(whole))), whole + b"\0", whole * 2]:
        broken.write_bytes(wrong)
        with pytest.raises(BackupDamaged, match=r"b\.qadb"), ArchiveReader(broken) as archive:
            archive.check_seal()


def test_content_that_does_not_decompress_is_damaged(tmp_path: Path) -> None:
    for compression in ("zstd", "gzip"):
        path = tmp_path / f"{compression}.qadb"
        manifest = make_manifest(compression=compression)
        write_archive(path, LONG, compression="none", manifest=manifest)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("database.sqlite3" + SUFFIXES[compression], b"no stream" * 1000)

        with pytest.raises(BackupDamaged, match="decompress"):
            read_all(path)


def test_a_stream_that_ends_too_early_is_damaged(tmp_path: Path) -> None:
    whole = tmp_path / "whole.qadb"
    write_archive(whole, LONG)
    with zipfile.ZipFile(whole) as archive:
        stream = archive.read("database.sqlite3.zst")
    path = tmp_path / "cut.qadb"
    with zipfile.ZipFile(path, "w") as cut:
        cut.writestr("database.sqlite3.zst", stream[:-100])
        cut.writestr("manifest.json", make_manifest().to_bytes())
        cut.comment = b"qadb sha256 " + b"0" * 64

    with pytest.raises(BackupDamaged, match="too early"):
        read_all(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.qadb"
    path.write_bytes(content)

    with pytest.raises(BackupDamaged, match=r"a\.qadb"):
        ArchiveReader(path)


def test_a_zip_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.qadb"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")

    with pytest.raises(BackupDamaged, match="no seal"):
        ArchiveReader(path)


def test_a_missing_file_and_a_folder_are_told_apart_from_damage(tmp_path: Path) -> None:
    for path in (tmp_path / "none.qadb", tmp_path, tmp_path / "none" / "a.qadb"):
        with pytest.raises(BackupNotFound):
            ArchiveReader(path)


def test_a_manifest_of_a_later_format_asks_for_a_newer_qadb() -> None:
    text = (
        make_manifest()
        .to_bytes()
        .replace(f'"format": {FORMAT}'.encode(), f'"format": {FORMAT + 1}'.encode())
    )

    with pytest.raises(RestoreRefused) as caught:
        parse_manifest(text)

    assert "Upgrade qadb" in (caught.value.hint or "")


def test_a_manifest_with_fields_of_a_later_qadb_is_read() -> None:
    text = make_manifest().to_bytes().replace(b'"format"', b'"mood": "fine", "format"')

    assert parse_manifest(text) == make_manifest()


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"format": "x"}', make_manifest().to_bytes()[:-20]]
)
def test_a_manifest_that_says_nothing_is_damage(text: bytes) -> None:
    with pytest.raises(QadbError):
        parse_manifest(text)

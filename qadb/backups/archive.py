"""A backup's file: a ZIP of the content and its manifest, sealed with a SHA-256 of all before it.

Any ZIP tool opens it, so that a backup outlives qadb. The members are stored as they are: the
content is compressed already. The seal is the ZIP's comment, which is the file's very end, so a
file that was cut off anywhere has none.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self

from qadb.backups.compression import SUFFIXES, CompressingSink, DecompressingSource
from qadb.backups.manifest import parse_manifest
from qadb.backups.read_ahead import read_ahead
from qadb.disk import write_in_pieces
from qadb.errors import BackupDamaged, BackupNotFound, InsufficientPrivilege

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource
    from qadb.backups.compression import Compression
    from qadb.backups.manifest import Manifest

MANIFEST = "manifest.json"

_SEAL_LABEL = b"qadb sha256 "
_OPEN_SEAL = _SEAL_LABEL + b"0" * 64
_READ_BYTES = 1 << 20
# What zipfile and its helpers raise on bytes that are no ZIP.
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    struct.error,
    EOFError,
    KeyError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)


class _SealingFile:
    """Hashes what passes, and writes the hash where the ZIP writes its comment.

    It can't seek: what is written stays as it was hashed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file
        self._hash = hashlib.sha256()
        self.is_sealed = False

    def write(self, data: bytes) -> int:
        if bytes(data[: len(_OPEN_SEAL)]) == _OPEN_SEAL and len(data) == len(_OPEN_SEAL):
            data = _SEAL_LABEL + self._hash.hexdigest().encode()
            self.is_sealed = True
        self._hash.update(data)
        if self._file is not None:
            write_in_pieces(self._file, data)
        return len(data)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def let_go(self) -> None:
        """Write nothing any more."""
        self._file = None

    @property
    def sha256(self) -> str:
        """Of all that was written so far."""
        return self._hash.hexdigest()


class ArchiveWriter:
    """Writes a backup's file from beginning to end; a context manager."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = _SealingFile(file)
        self._zip = zipfile.ZipFile(self._file, "w")  # type: ignore[call-overload]  # write and flush are all it needs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A ZIP that is not closed wants to be complete when it is forgotten, in a closed file.
        self._file.let_go()

    @contextmanager
    def content(
        self, name: str, compression: Compression, *, jobs: int
    ) -> Iterator[CompressingSink]:
        """Take the content; it is complete when the block ends well."""
        member = zipfile.ZipInfo(name + SUFFIXES[compression])
        with self._zip.open(member, "w", force_zip64=True) as stored:
            sink = CompressingSink(stored, compression, jobs=jobs)
            yield sink
            sink.finish()

    def finish(self, manifest: Manifest) -> str:
        """Add the manifest and the seal; returns the SHA-256 of the whole file."""
        self._zip.writestr(zipfile.ZipInfo(MANIFEST), manifest.to_bytes())
        self._zip.comment = _OPEN_SEAL
        self._zip.close()
        if not self._file.is_sealed:
            raise AssertionError("this Python writes a ZIP's comment in another way")
        return self._file.sha256


class ArchiveReader:
    """Reads a backup's file.

    Attributes:
        path: the file.
        manifest: what it says of itself; believe it once `check_seal` has returned.
        seal: the SHA-256 of all but the file's end, as the file states it.

    Raises:
        BackupNotFound: there is no such file.
        BackupDamaged: it is no backup, or not a whole one.
        RestoreRefused: a newer qadb wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path):
            self._file = path.open("rb")
            try:
                self._zip = zipfile.ZipFile(self._file)
                self.seal = _parse_seal(self._zip.comment)
                self.manifest = parse_manifest(self._zip.read(MANIFEST))
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return os.fstat(self._file.fileno()).st_size

    def check_seal(self, on_bytes: Callable[[int], None] = lambda _: None) -> str:
        """Read all of the file; returns its SHA-256.

        Args:
            on_bytes: told how much was read so far.

        Raises:
            BackupDamaged: a byte is not what was written.
        """
        with _explained(self.path):
            found, whole = self._hash(on_bytes)
        if found != self.seal:
            raise BackupDamaged(
                f"{self.path} is damaged: its content does not match its seal.",
                hint="Take another backup; qadb backup --list shows those there are.",
            )
        return whole

    def _hash(self, on_bytes: Callable[[int], None]) -> tuple[str, str]:
        left = self.size_bytes - len(_OPEN_SEAL)
        done, digest = 0, hashlib.sha256()
        self._file.seek(0)
        while left > 0:
            data = self._file.read(min(_READ_BYTES, left))
            if not data:
                raise EOFError("it became shorter")
            digest.update(data)
            left -= len(data)
            done += len(data)
            on_bytes(done)
        sealed = digest.copy()
        digest.update(self._file.read())
        return sealed.hexdigest(), digest.hexdigest()

    @contextmanager
    def content(self) -> Iterator[ByteSource]:
        """Give the content back, decompressed."""
        name = self.manifest.content + SUFFIXES[self.manifest.compression]
        with _explained(self.path):
            member = self._zip.open(name)
        stored = _CheckedSource(member, self.path)
        with member, read_ahead(DecompressingSource(stored, self.manifest.compression)) as source:
            yield source


class _CheckedSource:
    """A member of the ZIP whose broken bytes are a damaged backup."""

    def __init__(self, member: ByteSource, path: Path) -> None:
        self._member = member
        self._path = path

    def read(self, size: int, /) -> bytes:
        with _explained(self._path):
            return self._member.read(size)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into one of ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupNotFound(
            f"There is no backup {path}.", hint="See which there are: qadb backup --list"
        ) from error
    except PermissionError as error:
        raise InsufficientPrivilege(
            f"{path} can't be read by this user.", hint="Check the file's owner and mode."
        ) from error
    except IsADirectoryError as error:
        raise BackupNotFound(f"{path} is a folder, not a backup.") from error
    except (*_UNREADABLE, OSError) as error:
        raise BackupDamaged(
            f"{path} is no whole backup: {error}.",
            hint="Take another backup; qadb backup --list shows those there are.",
        ) from error


def _parse_seal(comment: bytes) -> str:
    if len(comment) != len(_OPEN_SEAL) or not comment.startswith(_SEAL_LABEL):
        raise ValueError("it has no seal")
    return comment.removeprefix(_SEAL_LABEL).decode("ascii")

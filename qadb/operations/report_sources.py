"""The files that ``ingest`` was asked for: folders, globs and stdin expanded, gzip unpacked."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import sys
import tempfile
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from qadb.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STDIN = "-"
CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 4096
_SPOOL_BYTES = 8 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_FOLDER_PATTERNS = ("*.xml", "*.xml.gz")


@dataclass(frozen=True, slots=True)
class ReportSource:
    """One report to read.

    Attributes:
        name: as the user would name it.
        path: None for stdin.
        was_named: the user named this file; False for one found in a folder, where other files may
            lie as well.
    """

    name: str
    path: Path | None
    was_named: bool


def find_sources(names: Sequence[str]) -> tuple[ReportSource, ...]:
    """Expand what the user named, in order; a folder's files sorted by name.

    A name that matches nothing is kept: opening it says what is wrong.
    """
    sources: dict[str, ReportSource] = {}
    for name in names:
        for source in _expand(name):
            sources.setdefault(source.name, source)
    return tuple(sources.values())


def _expand(name: str) -> Iterator[ReportSource]:
    path = Path(name)
    if name == STDIN:
        yield ReportSource("<stdin>", None, was_named=True)
    elif path.is_dir():
        found = {file for pattern in _FOLDER_PATTERNS for file in path.rglob(pattern)}
        yield from (ReportSource(str(file), file, was_named=False) for file in sorted(found))
    elif not path.exists() and any(mark in name for mark in "*?["):
        matches = sorted(_glob(path))
        yield from (ReportSource(str(match), match, was_named=False) for match in matches)
        if not matches:
            yield ReportSource(name, path, was_named=True)
    else:
        yield ReportSource(name, path, was_named=True)


def _glob(pattern: Path) -> Iterator[Path]:
    anchor = Path(pattern.anchor) if pattern.anchor else Path()
    parts = pattern.parts[1:] if pattern.anchor else pattern.parts
    return (path for path in anchor.glob(str(Path(*parts))) if path.is_file())


@dataclass(frozen=True, slots=True)
class OpenReport:
    """A report that is open for reading, unpacked, from its beginning.

    Attributes:
        head: the first bytes of the unpacked content.
        bytes: size of the unpacked content.
        sha256: of the unpacked content, in hexadecimal.
    """

    stream: BinaryIO
    head: bytes
    bytes: int
    sha256: str


@contextlib.contextmanager
def open_report(
    source: ReportSource, on_read: Callable[[int, int], None] = lambda _done, _total: None
) -> Iterator[OpenReport]:
    """Open, hash and rewind a report; stdin is kept in a temporary file meanwhile.

    Args:
        source: what to open.
        on_read: called with bytes read and bytes in all, as the unpacked content is read.

    Raises:
        ReportError: it can't be opened, or is a damaged gzip file.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = _open_file(source, stack)
            is_packed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            content = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if is_packed else file
            size, digest = _measure(content)
            content.seek(0)
            head = content.read(HEAD_BYTES)
            content.seek(0)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(source, error) from error
        reader = _CountingReader(source, content, lambda done: on_read(done, size))
        yield OpenReport(cast("BinaryIO", reader), head, size, digest)


def _open_file(source: ReportSource, stack: contextlib.ExitStack) -> IO[bytes]:
    if source.path is not None:
        return stack.enter_context(source.path.open("rb"))
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed by the stack
    stack.callback(spool.close)
    shutil.copyfileobj(sys.stdin.buffer, spool, CHUNK_BYTES)
    spool.seek(0)
    return cast("IO[bytes]", spool)


def _measure(content: IO[bytes]) -> tuple[int, str]:
    digest = sha256()
    size = 0
    while chunk := content.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _unreadable(source: ReportSource, error: BaseException) -> ReportError:
    if isinstance(error, FileNotFoundError):
        return ReportError("there is no such file", file=source.name)
    if isinstance(error, (gzip.BadGzipFile, EOFError, zlib.error)):
        return ReportError(f"is a damaged gzip file: {error}", file=source.name)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ReportError(f"can't be read: {reason}", file=source.name)


class _CountingReader:
    """Reads on, tells how far it is, and names the file when reading fails."""

    def __init__(
        self, source: ReportSource, content: IO[bytes], on_bytes: Callable[[int], None]
    ) -> None:
        self._source = source
        self._content = content
        self._on_bytes = on_bytes
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        try:
            chunk = self._content.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self._source, error) from error
        self._position += len(chunk)
        self._on_bytes(self._position)
        return chunk

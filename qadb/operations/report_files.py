"""A report's bytes: opened, unpacked, hashed, and read as often as it takes.

Owns gzip, pipes, and the words for what can't be read. What the bytes mean is the readers' work.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from qadb.errors import ReportError
from qadb.operations.report_sources import FOLDER_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qadb.operations.report_sources import ReportSource

CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 4096
_SPOOL_BYTES = 8 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_READ_ERRORS = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class OpenReport:
    """A report that is open, measured, and can be read from its beginning again and again.

    Attributes:
        head: the first bytes of the unpacked content.
        size_bytes: size of the unpacked content.
        sha256: of the unpacked content, in hexadecimal.
        read_again: makes a reader from the beginning; ends the one before.
        check_unchanged: raises ReportError when somebody has written to the file meanwhile.
    """

    head: bytes
    size_bytes: int
    sha256: str
    read_again: Callable[[], ReportStream]
    check_unchanged: Callable[[], None]


class ReportStream:
    """Reads on, tells how far it is, and names the file when reading fails."""

    def __init__(
        self, source: ReportSource, content: IO[bytes], on_bytes: Callable[[int], None]
    ) -> None:
        self._source = source
        self._content = content
        self._on_bytes = on_bytes
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end; raises ReportError."""
        try:
            chunk = self._content.read(size)
        except _READ_ERRORS as error:
            raise _unreadable(self._source, error) from error
        self._position += len(chunk)
        self._on_bytes(self._position)
        return chunk


@contextlib.contextmanager
def open_report(
    source: ReportSource, on_read: Callable[[int, int], None] = lambda _done, _total: None
) -> Iterator[OpenReport]:
    """Open, unpack and hash a report; what comes from a pipe is kept in a temporary file.

    Args:
        source: what to open.
        on_read: called with bytes read and bytes in all, as the unpacked content is read.

    Raises:
        ReportError: it can't be opened, or is a damaged gzip file.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = _open_file(source, stack)
            written_at = _written_at(file)
            content = _unpacked(file)
            size_bytes, digest = _measure(content)
            content.seek(0)
            head = content.read(HEAD_BYTES)
        except _READ_ERRORS as error:
            raise _unreadable(source, error) from error

        def read_again() -> ReportStream:
            content.seek(0)
            return ReportStream(source, content, lambda done: on_read(done, size_bytes))

        def check_unchanged() -> None:
            if _written_at(file) != written_at:
                raise ReportError("was written to while it was read", file=source.name)

        yield OpenReport(head, size_bytes, digest, read_again, check_unchanged)


def _open_file(source: ReportSource, stack: contextlib.ExitStack) -> IO[bytes]:
    if source.path is None:
        if sys.stdin is None:
            raise OSError("stdin is closed")
        return _spooled(sys.stdin.buffer, stack)
    if not source.name:
        raise ReportError("is an empty name", file="''")
    file = stack.enter_context(source.path.open("rb"))
    return file if file.seekable() else _spooled(file, stack)


def _spooled(pipe: BinaryIO, stack: contextlib.ExitStack) -> IO[bytes]:
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed by the stack
    stack.callback(spool.close)
    shutil.copyfileobj(pipe, spool, CHUNK_BYTES)
    spool.seek(0)
    return cast("IO[bytes]", spool)


def _written_at(file: IO[bytes]) -> tuple[int, int] | None:
    """When a real file was written to, and its size; a spool is our own."""
    if isinstance(file, tempfile.SpooledTemporaryFile):
        return None
    status = os.fstat(file.fileno())
    return status.st_mtime_ns, status.st_size


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    is_packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")) if is_packed else file


def _measure(content: IO[bytes]) -> tuple[int, str]:
    digest = sha256()
    size_bytes = 0
    while chunk := content.read(CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()


def _unreadable(source: ReportSource, error: BaseException) -> ReportError:
    if isinstance(error, FileNotFoundError):
        return ReportError("there is no such file", file=source.name)
    if isinstance(error, IsADirectoryError):
        patterns = " or ".join(FOLDER_PATTERNS)
        return ReportError(f"is a folder that holds no {patterns}", file=source.name)
    if isinstance(error, (gzip.BadGzipFile, EOFError, zlib.error)):
        return ReportError(f"is a damaged gzip file: {error}", file=source.name)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ReportError(f"can't be read: {reason}", file=source.name)

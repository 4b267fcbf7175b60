"""Reads a source ahead in a thread, so that decompressing goes on while somebody else writes."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.backends.base_backups import ByteSource

_PIECE_BYTES = 1 << 20
_PIECES = 4  # that wait to be taken
_LOOK_SECONDS = 0.05


@contextmanager
def read_ahead(source: ByteSource) -> Iterator[ByteSource]:
    """Give a source that is read in a thread until the block ends; it fails where that one does."""
    reader = _Reader(source)
    reader.thread.start()
    try:
        yield reader
    finally:
        reader.end()


class _Reader:
    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._ready: Queue[bytes | BaseException] = Queue(_PIECES)
        self._left = b""
        self._at = 0
        self._has_ended = self._is_over = False
        self.thread = Thread(target=self._work, name="qadb-read-ahead", daemon=True)

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end."""
        if self._at == len(self._left) and not self._has_ended:
            self._take()
        data = self._left[self._at : self._at + size]
        self._at += len(data)
        return data

    def end(self) -> None:
        """Stop reading; what was read and not taken is forgotten."""
        self._is_over = True
        while self.thread.is_alive():
            with suppress(Empty):
                while True:
                    self._ready.get_nowait()
            self.thread.join(_LOOK_SECONDS)

    def _take(self) -> None:
        found = self._ready.get()
        if isinstance(found, BaseException):
            self._has_ended = True
            raise found
        self._left, self._at = found, 0
        self._has_ended = not found

    def _work(self) -> None:
        try:
            while not self._is_over:
                data = self._source.read(_PIECE_BYTES)
                self._ready.put(data)
                if not data:
                    return
        except BaseException as error:  # noqa: BLE001 - told to whoever reads
            self._ready.put(error)

"""Compression of a backup's content: zstd, gzip or none, as streams of bytes."""

from __future__ import annotations

import os
import sys
import zlib
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args

from qadb.errors import BackupDamaged

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.backends.base_backups import ByteSink, ByteSource

Compression: TypeAlias = Literal["zstd", "gzip", "none"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)

SUFFIXES: Mapping[str, str] = {"zstd": ".zst", "gzip": ".gz", "none": ""}
"""What is added to the content's name, so that anybody's tools know what to do with it."""

ZSTD_LEVEL = 1  # four times smaller already, at the speed of a disk
_HASH_LOG = 12  # a table that stays in a core's first cache: a twelfth less time, nothing larger
_JOB_BYTES = 4 << 20  # that a thread takes at once: with half of it, both of two wait now and again
GZIP_LEVEL = 6
_GZIP_WINDOW = zlib.MAX_WBITS | 16  # with gzip's own header
_READ_BYTES = 1 << 20
_MOST_WORKERS = 4  # each holds some megabytes; beyond, the disk is the limit


class _Coder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    """No compression, in the shape of one."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class CompressingSink:
    """Compresses what is written and hands it on; `finish` completes the stream.

    Attributes:
        raw_bytes: how much was written so far, before compression.
    """

    def __init__(self, sink: ByteSink, compression: Compression, *, jobs: int) -> None:
        self.raw_bytes = 0
        self._sink = sink
        self._coder = _make_coder(compression, jobs)

    def write(self, data: bytes, /) -> int:
        """Take all of the data."""
        compressed = self._coder.compress(data)
        if compressed:
            self._sink.write(compressed)
        self.raw_bytes += len(data)
        return len(data)

    def finish(self) -> None:
        """Write the end of the stream."""
        self._sink.write(self._coder.flush())


def _make_coder(compression: Compression, jobs: int) -> _Coder:
    if compression == "none":
        return _Plain()
    if compression == "gzip":
        return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: ZSTD_LEVEL,
        zstd.CompressionParameter.hash_log: _HASH_LOG,
        zstd.CompressionParameter.checksum_flag: 1,
        zstd.CompressionParameter.nb_workers: min(jobs, _MOST_WORKERS),
        zstd.CompressionParameter.job_size: _JOB_BYTES,
    }
    return zstd.ZstdCompressor(options=options)


class DecompressingSource:
    """Reads a compressed stream as what it was before; what can't be decompressed is damaged."""

    def __init__(self, source: ByteSource, compression: Compression) -> None:
        self._source = source
        self._coder = _make_decoder(compression)
        self._has_ended = False

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        while not self._has_ended:
            data = self._read_some(size)
            if data:
                return data
        return b""

    def _read_some(self, size: int) -> bytes:
        if self._coder is None:
            data = self._source.read(size)
            self._has_ended = not data
            return data
        try:
            return self._decode(self._coder, size)
        except (zstd.ZstdError, zlib.error, EOFError) as error:
            raise BackupDamaged(f"The backup's content can't be decompressed: {error}.") from error

    def _decode(self, coder: _Decoder, size: int) -> bytes:
        if coder.eof:
            self._has_ended = True
            return b""
        compressed = b""
        if coder.needs_input:
            compressed = self._source.read(_READ_BYTES)
            if not compressed:
                raise EOFError("it ends too early")
        return coder.decompress(compressed, size)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecoder:
    """zlib's decoder in the shape of the other: it gives back what it had no room to decode."""

    def __init__(self) -> None:
        self._coder = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._coder.eof

    @property
    def needs_input(self) -> bool:
        return not self._coder.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._coder.decompress(self._coder.unconsumed_tail + data, max_length)


def _make_decoder(compression: Compression) -> _Decoder | None:
    if compression == "none":
        return None
    return _GzipDecoder() if compression == "gzip" else zstd.ZstdDecompressor()


def choose_jobs() -> int:
    """How many threads compress, unless somebody says: as many as there are cores to use."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    return min(os.cpu_count() or 1, _MOST_WORKERS)

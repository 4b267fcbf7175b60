"""How much memory compression takes is bounded, however many jobs there are."""

from __future__ import annotations

import sys

import pytest

from qadb.backups.compression import CompressingSink

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Nowhere:
    """Takes data and keeps none."""

    def write(self, data: bytes, /) -> None:
        pass


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (3, 3), (64, 4)])
def test_few_threads_compress_for_many_jobs(
    monkeypatch: pytest.MonkeyPatch, jobs: int, workers: int
) -> None:
    asked: list[int] = []
    genuine = zstd.ZstdCompressor

    def note(*, options: dict[int, int]) -> zstd.ZstdCompressor:
        asked.append(options[zstd.CompressionParameter.nb_workers])
        return genuine(options=options)

    monkeypatch.setattr(zstd, "ZstdCompressor", note)

    CompressingSink(Nowhere(), "zstd", jobs=jobs).finish()

    assert asked == [workers]

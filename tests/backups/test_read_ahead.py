"""A source that is read ahead: the same bytes, the same failure, and no thread left."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest

from qadb.backups import read_ahead as module
from qadb.backups.read_ahead import read_ahead
from qadb.errors import BackupDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [each.name for each in threading.enumerate() if "read-ahead" in each.name] == []


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE_BYTES", 10)


class Failing(io.BytesIO):
    """Fails where it would end."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise BackupDamaged("it ends too early")
        return data


@pytest.mark.parametrize("size", [1, 3, 10, 1000])
@pytest.mark.parametrize("length", [0, 1, 10, 95, 1000])
def test_every_byte_comes_in_its_order(size: int, length: int) -> None:
    data = bytes(n % 251 for n in range(length))
    found = []
    with read_ahead(io.BytesIO(data)) as source:
        while piece := source.read(size):
            assert len(piece) <= size
            found.append(piece)
        assert source.read(size) == b""

    assert b"".join(found) == data


def test_failure_comes_where_it_was() -> None:
    with read_ahead(Failing(b"x" * 25)) as source:
        assert [len(source.read(10)) for _ in range(3)] == [10, 10, 5]
        with pytest.raises(BackupDamaged, match="too early"):
            source.read(10)
        assert source.read(10) == b""


@pytest.mark.parametrize("source", [io.BytesIO(b"x" * 10_000), Failing(b"x" * 10)])
def test_whoever_has_enough_ends_it(source: io.BytesIO) -> None:
    with read_ahead(source) as ahead:
        assert ahead.read(1) == b"x"

    assert source.tell() <= 10 * (module._PIECES + 2)


def test_source_that_is_not_read_at_all_is_no_matter() -> None:
    with pytest.raises(LookupError), read_ahead(io.BytesIO(b"x" * 10_000)):
        raise LookupError

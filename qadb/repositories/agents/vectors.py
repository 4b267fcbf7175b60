"""Vectors as bytes, and the nearest of many that pass by.

Stored vectors are little-endian float32 numbers, whatever the machine. Search needs NumPy, which
comes with the extra ``vector``; writing and reading vectors does not.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from qadb.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

NUMBER_BYTES = 4


def to_bytes(vector: Iterable[float]) -> bytes:
    """Return a vector as it is stored: rounded to float32.

    Raises:
        ValueError: it is empty, or a number is not finite or too large.
    """
    numbers = [float(number) for number in vector]
    if not numbers:
        raise ValueError("a vector has one number or more")
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a vector has finite numbers only")
    try:
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError:
        raise ValueError("a vector has numbers that fit into float32") from None


def from_bytes(stored: bytes) -> tuple[float, ...]:
    """Return the numbers of a stored vector.

    Raises:
        ValueError: the bytes are none.
    """
    if not stored or len(stored) % NUMBER_BYTES:
        raise ValueError(f"a vector has four bytes a number, not {len(stored)} in all")
    return struct.unpack(f"<{len(stored) // NUMBER_BYTES}f", stored)


class NearestVectors:
    """Keeps the vectors of the largest cosine similarity among those that it is shown.

    Vectors that have no direction (all zeros) or hold what is no number are passed over. Ties go by
    the key.

    Args:
        vector: what they are compared with.
        k: how many are kept.

    Raises:
        ValueError: the vector has no direction, or numbers that are not finite.
        MissingDependency: NumPy is not installed.
    """

    def __init__(self, vector: Sequence[float], k: int) -> None:
        try:
            import numpy as np  # noqa: PLC0415 - an extra, and slow to load
        except ImportError:
            raise MissingDependency(
                "Searching among vectors needs NumPy.", hint="Run: pip install 'qadb[vector]'"
            ) from None
        self._np = np
        asked = np.asarray([float(number) for number in vector], dtype=np.float64)
        if not np.isfinite(asked).all():
            raise ValueError("a vector has finite numbers only")
        largest = np.abs(asked).max(initial=0.0)
        if largest == 0:
            raise ValueError("a vector of zeros is near to nothing")
        asked /= largest  # squares of the largest numbers would overflow
        self._asked = asked / np.linalg.norm(asked)
        self._k = k
        self._best: list[tuple[float, UUID]] = []

    @property
    def dimension(self) -> int:
        """How many numbers each vector has."""
        return len(self._asked)

    def add(self, keys: Sequence[UUID], stored: Sequence[bytes]) -> None:
        """Compare a batch of stored vectors of the same dimension."""
        np = self._np
        rows = np.frombuffer(b"".join(stored), dtype="<f4").reshape(len(stored), self.dimension)
        exact = rows.astype(np.float64)
        with np.errstate(all="ignore"):
            # Row by row: BLAS sums up in an order that depends on a row's place, which breaks ties.
            products = (exact * self._asked).sum(axis=1)
            similarities = products / np.sqrt((exact * exact).sum(axis=1))
        (usable,) = np.nonzero(np.isfinite(similarities))
        values = np.clip(similarities[usable], -1.0, 1.0)
        if len(values) > self._k:
            bound = np.partition(values, len(values) - self._k)[len(values) - self._k]
            usable, values = usable[values >= bound], values[values >= bound]
        found = [
            (-value, keys[place])
            for place, value in zip(usable.tolist(), values.tolist(), strict=True)
        ]
        self._best = sorted([*self._best, *found])[: self._k]

    def best(self) -> list[tuple[UUID, float]]:
        """Return the keys with their similarities, -1 to 1, the nearest first."""
        return [(key, -negative) for negative, key in self._best]

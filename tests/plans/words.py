"""SQL for the values of a row by its number: spread, skewed, chosen by share.

The words that both engines have are functions here; those that differ are an engine's `Words`.
Nothing is random, so every database is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

ROWS = 100_000

# A prime above the number of rows: multiples of a row's number are then all different.
_MODULUS = 100_003
_MULTIPLIERS = (7919, 15_485, 32_452, 48_611, 49_979, 67_867, 86_028, 99_991)

_FIRST_MOMENT = 1_764_547_200  # 2025-12-01 00:00 UTC
_SECONDS_A_ROW = 300


def spread(salt: str) -> str:
    """A whole number from 0 to the modulus, evenly spread and in another order for each salt."""
    multiplier = _MULTIPLIERS[crc32(salt.encode()) % len(_MULTIPLIERS)]
    return f"((n * {multiplier} + {len(salt)}) % {_MODULUS})"


def skewed(salt: str, count: int) -> str:
    """A whole number below ``count``, the small ones far more often than the large ones."""
    even = spread(salt)
    return f"({even} * {even} / {_MODULUS} * {even} / {_MODULUS} * {count} / {_MODULUS})"


def chosen(salt: str, shares: dict[str | None, int]) -> str:
    """One of some texts, each with its share of a thousand; None is NULL."""
    branches, below = [], 0
    for text, share in shares.items():
        below += share
        value = "NULL" if text is None else f"'{text}'"
        branches.append(f"WHEN {spread(salt)} % 1000 < {below} THEN {value}")
    return f"CASE {' '.join(branches)} END"


def sometimes(salt: str, value: str, *, one_in: int) -> str:
    """The value in one of so many rows, else NULL."""
    return f"CASE WHEN {spread(salt)} % {one_in} = 0 THEN {value} END"


@dataclass(frozen=True, slots=True)
class Words:
    """What the engines spell differently; ``{}`` is a whole number in SQL."""

    numbers: str
    moment_form: str
    uuid_form: str
    digest_form: str

    def moment(self, number: str) -> str:
        """A moment that ascends with the number, five minutes a row."""
        return self.moment_form.format(f"{_FIRST_MOMENT} + {number} * {_SECONDS_A_ROW}")

    def uuid(self, number: str) -> str:
        """A UUID."""
        return self.uuid_form.format(number)

    def digest(self, number: str) -> str:
        """64 hexadecimal digits."""
        return self.digest_form.format(number)


WORDS = {
    "sqlite": Words(
        numbers=f"""WITH RECURSIVE numbers(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ROWS})""",
        moment_form="strftime('%Y-%m-%dT%H:%M:%f000Z', {}, 'unixepoch')",
        uuid_form="printf('%032x', {})",
        digest_form="printf('%064x', {})",
    ),
    "postgresql": Words(
        numbers=f"WITH numbers(n) AS (SELECT generate_series(1, {ROWS}::bigint))",
        moment_form="to_timestamp({})",
        uuid_form="lpad(to_hex({}), 32, '0')::uuid",
        digest_form="lpad(to_hex({}), 64, '0')",
    ),
}

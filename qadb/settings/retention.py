"""Retention in a TOML file: a table's days, or a table of days and keep_last, by table.

Which tables have a policy is the schema's to know; what is checked here is the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOR_EVER = "never"
MOST_DAYS = 36_500
MOST_KEPT = 1_000_000

_KEYS = ("days", "keep_last")


@dataclass(frozen=True, slots=True)
class RetentionSetting:
    """What a file says of one table.

    Attributes:
        days: None where it says nothing, or that nothing ever goes.
        is_for_ever: it says that nothing ever goes.
        keep_last: None where it says nothing.
        source: the file, for people.
    """

    days: int | None
    is_for_ever: bool
    keep_last: int | None
    source: str

    @property
    def shown(self) -> str:
        """What it says, on one line."""
        days = FOR_EVER if self.is_for_ever else self.days
        said = (("days", days), ("keep_last", self.keep_last))
        return ", ".join(f"{key} = {value}" for key, value in said if value is not None)


def read_retention(content: Mapping[str, object], source: str) -> dict[str, RetentionSetting]:
    """Read the settings by table.

    Raises:
        ConfigurationError: a value is no number of days, or a key is unknown.
    """
    return {table: _read(table, value, source) for table, value in content.items()}


def _read(table: str, value: object, source: str) -> RetentionSetting:
    label = f"retention.{table} in {source}"
    said = value if isinstance(value, dict) else {"days": value}
    for key in said:
        if key not in _KEYS:
            raise ConfigurationError(
                f"{label} has the unknown key '{key}'.", hint=f"Write {' or '.join(_KEYS)}."
            )
    days = said.get("days")
    is_for_ever = days == FOR_EVER
    return RetentionSetting(
        days=None if is_for_ever else _number(days, 1, MOST_DAYS, label),
        is_for_ever=is_for_ever,
        keep_last=_number(said.get("keep_last"), 0, MOST_KEPT, label),
        source=source,
    )


def _number(value: object, lowest: int, highest: int, label: str) -> int | None:
    """A whole number in its range; a bool is none."""
    if value is None or (type(value) is int and lowest <= value <= highest):
        return value
    return _refuse(label)


def _refuse(label: str) -> NoReturn:
    raise ConfigurationError(
        f"{label} is no retention.",
        hint=f"Write days (1 to {MOST_DAYS}), '{FOR_EVER}', or {{days = …, keep_last = …}}.",
    )

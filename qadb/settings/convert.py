"""Conversion: from a value as written to what it means, or a message that says what to write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from qadb.errors import ConfigurationError
from qadb.settings.raw import BOOLEANS, RawValue

if TYPE_CHECKING:
    from qadb.settings.definitions import Variable

_TENANT = r"[a-z0-9][a-z0-9_-]{0,49}"


def to_integer(variable: Variable, raw: RawValue) -> int:
    """Read a whole number in the variable's range."""
    text = str(raw.value).strip()
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None
    if number is None or number < variable.minimum:
        _refuse(raw, f"a whole number, {_spoken_range(variable)}")
    if variable.maximum is not None and number > variable.maximum:
        _refuse(raw, f"a whole number, {_spoken_range(variable)}")
    return number


def to_boolean(raw: RawValue) -> bool:
    """Read a boolean in the usual words."""
    text = str(raw.value).strip().lower()
    if text not in BOOLEANS:
        _refuse(raw, "true or false (also yes, no, on, off, 1, 0)")
    return BOOLEANS[text]


def to_choice(variable: Variable, raw: RawValue) -> str:
    """Read one of the variable's words, in any case."""
    text = str(raw.value).strip().lower()
    if text not in variable.choices:
        _refuse(raw, f"one of {', '.join(variable.choices)}")
    return text


def to_tenant(raw: RawValue) -> str:
    """Read a tenant's slug."""
    text = str(raw.value).strip()
    if not re.fullmatch(_TENANT, text):
        _refuse(
            raw, "1 to 50 lower-case letters, digits, '-' and '_', beginning with letter or digit"
        )
    return text


def _spoken_range(variable: Variable) -> str:
    if variable.maximum is None:
        return f"{variable.minimum} or more"
    return f"{variable.minimum} to {variable.maximum}"


def _refuse(raw: RawValue, wanted: str) -> NoReturn:
    raise ConfigurationError(f"{raw.label} is {str(raw.value)!r}.", hint=f"Write {wanted}.")

"""`qadb.toml` and `[tool.qadb]` in pyproject.toml: keys, their types, and where they went wrong."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from qadb.errors import ConfigurationError
from qadb.settings.definitions import TOML_DATABASE_KEYS, TOML_KEYS, Scalar, Variable
from qadb.settings.health import HealthSettings, read_health
from qadb.settings.raw import Level, RawValue, read_text
from qadb.settings.retention import RetentionSetting, read_retention

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_WANTED_TYPES: dict[str, tuple[type, str]] = {
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
}
_TEXT: tuple[type, str] = (str, "a string")
_HEALTH = "health"
_RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Table:
    """qadb's table of a file; its content may hold secrets."""

    path: Path
    source: str
    content: Mapping[str, object] = field(repr=False)


def read_own_table(path: Path) -> Table:
    """The whole of a `qadb.toml`."""
    return Table(path, str(path), _parse(path, read_text(path)))


def read_project_table(path: Path) -> Table | None:
    """`[tool.qadb]` of a pyproject.toml, or None; a file that never says qadb is not parsed."""
    text = read_text(path)
    if "qadb" not in text:
        return None
    tool = _parse(path, text).get("tool")
    content = tool.get("qadb") if isinstance(tool, dict) else None
    if content is None:
        return None
    if not isinstance(content, dict):
        raise ConfigurationError(f"tool.qadb in {path} is not a table.")
    return Table(path, f"{path} [tool.qadb]", content)


def read_level(table: Table) -> Level:
    """Check a table's keys and types and name its values as variables.

    Raises:
        ConfigurationError: a key is unknown, stands twice, or has a value of another type.
    """
    level: dict[str, RawValue] = {}
    for key, variable, value in _entries(table):
        label = f"{key} in {table.source}"
        if variable.name in level:
            raise ConfigurationError(f"{label} says again what {level[variable.name].label} says.")
        checked = _check_type(variable, value, label=label)
        level[variable.name] = RawValue(checked, table.source, label, table.path.parent)
    return level


def read_checks(table: Table) -> HealthSettings:
    """What a table says about checks."""
    return read_health(table.content.get(_HEALTH, {}), table.source)


def read_retention_of(table: Table) -> dict[str, RetentionSetting]:
    """What the nested table ``retention`` says, by table of the database.

    Raises:
        ConfigurationError: it says what is no retention.
    """
    content = table.content.get(_RETENTION, {})
    if not isinstance(content, dict):
        raise ConfigurationError(f"{_RETENTION} in {table.source} must be a table.")
    return read_retention(content, table.source)


def _entries(table: Table) -> Iterator[tuple[str, Variable, object]]:
    """The keys with their variables, those of the nested table ``database`` dotted."""
    for key, value in table.content.items():
        if key == _HEALTH:
            continue
        if key == "database" and isinstance(value, dict):
            for inner_key, inner_value in value.items():
                if inner_key not in TOML_DATABASE_KEYS:
                    _refuse_key(table, f"database.{inner_key}")
                yield f"database.{inner_key}", TOML_DATABASE_KEYS[inner_key], inner_value
        elif key == _RETENTION:
            continue  # no variable: see read_retention_of
        elif key in TOML_KEYS:
            yield key, TOML_KEYS[key], value
        else:
            _refuse_key(table, key)


def _refuse_key(table: Table, key: str) -> NoReturn:
    known = [
        *TOML_KEYS,
        _HEALTH,
        _RETENTION,
        *(f"database.{name}" for name in TOML_DATABASE_KEYS),
    ]
    close = get_close_matches(key, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else "`qadb config` lists what can be set."
    raise ConfigurationError(f"{table.source} has the unknown key '{key}'.", hint=hint)


def _check_type(variable: Variable, value: object, *, label: str) -> Scalar:
    wanted, spoken = _WANTED_TYPES.get(variable.kind, _TEXT)
    # A bool is an int to Python, and neither is the other here.
    if not isinstance(value, str | int | bool) or type(value) is not wanted:
        raise ConfigurationError(f"{label} must be {spoken}.")
    return value


def _parse(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        where = f"{path}:{line[1]}" if line else str(path)
        # Not chained: from Python 3.14 on the exception carries the document.
        raise ConfigurationError(f"{where} is not valid TOML: {error}.") from None

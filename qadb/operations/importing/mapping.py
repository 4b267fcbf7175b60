"""A mapping file: which tables and columns of somebody's own SQLite database become which of ours.

Owns its form and what may be wrong with it. Everything is checked before a row is read.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from qadb.errors import ConfigurationError
from qadb.operations.importing.foreign_values import converter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sqlalchemy import Column, MetaData, Table

TABLE_KEYS = ("to", "columns", "defaults")
COLUMN_KEYS = ("to", "values")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """One column of the source.

    Attributes:
        to: ours.
        values: what its values, as text, are called here; others stay what they are.
        convert: makes a value one of our column's type; raises ValueError.
        default: stands where the source has NULL; already of our type.
    """

    source: str
    to: str
    values: Mapping[str, object]
    convert: Callable[[object], object]
    default: object


@dataclass(frozen=True, slots=True)
class TableMap:
    """One table of the source.

    Attributes:
        to: ours.
        constants: values of our columns that the source lacks, already of their types.
    """

    source: str
    to: Table
    columns: tuple[ColumnMap, ...]
    constants: Mapping[str, object]

    @property
    def targets(self) -> tuple[str, ...]:
        """Our columns, in the order in which `row` has them."""
        return (*(each.to for each in self.columns), *self.constants)

    def row(self, values: Iterable[object]) -> list[object]:
        """Convert a source's row; raises ValueError, which names the column."""
        return [
            *(_value(each, value) for each, value in zip(self.columns, values, strict=True)),
            *self.constants.values(),
        ]


def _value(column: ColumnMap, value: object) -> object:
    if value is None:
        return column.default
    try:
        return column.convert(column.values.get(str(value), value))
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{column.source}: {error}") from error


def read_mapping(path: Path, metadata: MetaData) -> tuple[TableMap, ...]:
    """Read a mapping file; our tables come parents first.

    Raises:
        ConfigurationError: it can't be read, or names what there is not; file and key are named.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}.") from error
    reader = _Reader(path, metadata)
    reader.check_keys("", document, ("tables",))
    tables = reader.table("tables", document.get("tables"))
    if not tables:
        raise ConfigurationError(
            f"{path} maps no table.", hint="Begin with: [tables.theirs], to = 'ours'"
        )
    found = [reader.read_table(name, value) for name, value in tables.items()]
    order = {each.name: place for place, each in enumerate(metadata.sorted_tables)}
    return tuple(sorted(found, key=lambda each: order[each.to.name]))


def refuse_unknown(path: Path, key: str, found: str, known: Iterable[str], what: str) -> NoReturn:
    """Raise for a name that is not there, with the nearest one."""
    nearest = get_close_matches(found, list(known), n=1, cutoff=0.0)
    raise ConfigurationError(
        f"{path}, {key}: there is no {what} '{found}'.",
        hint=f"The nearest is '{nearest[0]}'." if nearest else None,
    )


class _Reader:
    """Reads the parts of one file, and names file and key of what is wrong."""

    def __init__(self, path: Path, metadata: MetaData) -> None:
        self._path = path
        self._metadata = metadata

    def check_keys(self, key: str, found: Mapping[str, object], known: Iterable[str]) -> None:
        for name in found:
            if name not in known:
                refuse_unknown(self._path, f"{key}.{name}".strip("."), name, known, "key")

    def table(self, key: str, value: object) -> dict[str, object]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ConfigurationError(f"{self._path}, {key}: a table is needed.")
        return value

    def text(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise ConfigurationError(f"{self._path}, {key}: a name in quotes is needed.")
        return value

    def read_table(self, source: str, value: object) -> TableMap:
        key = f"tables.{source}"
        content = self.table(key, value)
        self.check_keys(key, content, TABLE_KEYS)
        name = self.text(f"{key}.to", content.get("to"))
        if name not in self._metadata.tables:
            refuse_unknown(self._path, f"{key}.to", name, self._metadata.tables, "table")
        to = self._metadata.tables[name]
        defaults = {
            column: self._default(f"{key}.defaults.{column}", to, column, given)
            for column, given in self.table(f"{key}.defaults", content.get("defaults")).items()
        }
        columns = tuple(
            self._column(f"{key}.columns.{each}", to, each, given, defaults)
            for each, given in self.table(f"{key}.columns", content.get("columns")).items()
        )
        self._check_targets(key, columns)
        taken = {each.to for each in columns}
        constants = {each: given for each, given in defaults.items() if each not in taken}
        self._check_required(key, to, taken | {*constants})
        return TableMap(source, to, columns, constants)

    def _column(
        self, key: str, to: Table, source: str, value: object, defaults: Mapping[str, object]
    ) -> ColumnMap:
        content = value if isinstance(value, dict) else {"to": value}
        self.check_keys(key, content, COLUMN_KEYS)
        column = self._ours(key, to, self.text(key, content.get("to")))
        values = self.table(f"{key}.values", content.get("values"))
        convert = converter_of(column.type)
        return ColumnMap(source, column.name, values, convert, defaults.get(column.name))

    def _ours(self, key: str, to: Table, name: str) -> Column[object]:
        if name not in to.columns:
            refuse_unknown(self._path, key, name, to.columns.keys(), f"column of {to.name}")
        return to.columns[name]

    def _default(self, key: str, to: Table, name: str, value: object) -> object:
        column = self._ours(key, to, name)
        try:
            return converter_of(column.type)(value)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise ConfigurationError(f"{self._path}, {key}: {error}.") from error

    def _check_targets(self, key: str, columns: tuple[ColumnMap, ...]) -> None:
        if not columns:
            raise ConfigurationError(f"{self._path}, {key}.columns: at least one is needed.")
        first: dict[str, str] = {}
        for each in columns:
            if each.to in first:
                raise ConfigurationError(
                    f"{self._path}, {key}.columns.{each.source}: {each.to} is what "
                    f"{first[each.to]} becomes already."
                )
            first[each.to] = each.source

    def _check_required(self, key: str, to: Table, given: set[str]) -> None:
        """Without them every single row would be rejected."""
        required = [
            each.name
            for each in to.columns
            if not (each.nullable or each.server_default or each.identity or each.name in given)
        ]
        if required:
            raise ConfigurationError(
                f"{self._path}, {key}: {to.name} needs {', '.join(required)}.",
                hint=f"Map a column of theirs to it, or give a value in [{key}.defaults].",
            )

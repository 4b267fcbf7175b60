"""Rows as Parquet: the columns' types, writing, and comparing what was written.

Times are UTC, decimals exact, UUIDs text; JSON and lists are JSON text. It takes the extra
``archive``, and loads it when the first row is written.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    TypeDecorator,
    Uuid,
)

from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

COMPRESSION = "zstd"


def load_pyarrow() -> tuple[ModuleType, ModuleType]:
    """Load the library and its part for Parquet.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        arrow = import_module("pyarrow")  # not by name: it comes without types
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigurationError(
            "--archive writes Parquet, which needs pyarrow.",
            hint="Install it with: pip install 'qadb[archive]'",
        ) from error
    return arrow, parquet


class TableFile:
    """One table's rows on their way into a file.

    Args:
        table: whose rows; all columns but computed ones.
        path: the file; it is made with the first rows.
    """

    def __init__(self, table: Table, path: Path) -> None:
        self._arrow, self._parquet = load_pyarrow()
        self._path = path
        self._columns = stored_columns(table)
        types = [(name, *_convert(self._arrow, kind)) for name, kind in self._columns]
        fields = [self._arrow.field(name, kind) for name, kind, _ in types]
        self._schema = self._arrow.schema(fields)
        self._finish = [finish for _, _, finish in types]
        self._writer = self._parquet.ParquetWriter(path, self._schema, compression=COMPRESSION)
        self.rows = 0

    def write(self, rows: Sequence[Sequence[object]]) -> None:
        """Add rows, as values in the order of `stored_columns`."""
        batch = self._batch(rows)
        self._writer.write_table(batch, row_group_size=max(len(rows), 1))
        self.rows += len(rows)

    def close(self) -> None:
        """Complete the file."""
        self._writer.close()

    def reader(self) -> Comparison:
        """What compares the file's rows with rows."""
        return Comparison(self._parquet.ParquetFile(self._path), self._batch)

    def _batch(self, rows: Sequence[Sequence[object]]) -> object:
        columns = zip(*rows, strict=True) if rows else [() for _ in self._columns]
        arrays = [
            self._arrow.array(map(finish, values) if finish else values, field.type)
            for values, finish, field in zip(columns, self._finish, self._schema, strict=True)
        ]
        return self._arrow.Table.from_arrays(arrays, schema=self._schema)


class Comparison:
    """Compares a file, group by group, with rows that are read anew."""

    def __init__(self, file: object, batch: Callable[[Sequence[Sequence[object]]], object]) -> None:
        self._file: Any = file
        self._batch = batch
        self._group = 0

    def next_equals(self, rows: Sequence[Sequence[object]]) -> bool:
        """Tell whether the next group has exactly these rows."""
        if self._group >= self._file.num_row_groups:
            return False
        found = self._file.read_row_group(self._group)
        self._group += 1
        return bool(found.equals(self._batch(rows)))

    def is_at_end(self) -> bool:
        """Every group was compared."""
        return self._group == int(self._file.num_row_groups)


def stored_columns(table: Table) -> list[tuple[str, TypeEngine[object]]]:
    """Names and types of what is archived: all but what the database computes."""
    return [(column.name, column.type) for column in table.columns if column.computed is None]


def _convert(
    arrow: ModuleType, kind: TypeEngine[Any]
) -> tuple[object, Callable[[object], object] | None]:
    """The type in the file, and what turns a value into it where that takes more than the value."""
    plain = kind.impl if isinstance(kind, TypeDecorator) else kind
    if isinstance(plain, JSON):
        return arrow.string(), _as_json
    if isinstance(plain, Uuid):
        return arrow.string(), _as_text
    return _plain_type(arrow, plain), None


def _plain_type(arrow: ModuleType, plain: object) -> object:
    if isinstance(plain, Boolean):
        return arrow.bool_()
    if isinstance(plain, DateTime):
        return arrow.timestamp("us", tz="UTC")
    if isinstance(plain, Float):
        return arrow.float64()
    if isinstance(plain, Numeric):
        return arrow.decimal128(plain.precision or 38, plain.scale or 0)
    for integer, size in ((SmallInteger, 16), (BigInteger, 64), (Integer, 32)):
        if isinstance(plain, integer):
            return getattr(arrow, f"int{size}")()
    return arrow.binary() if isinstance(plain, LargeBinary) else arrow.string()


def _as_json(value: object) -> str | None:
    if value is None:
        return None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)

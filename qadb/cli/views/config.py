"""`qadb config`: every setting and where its value came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qadb.settings import SettingValue


def config_document(values: Mapping[str, SettingValue]) -> dict[str, object]:
    """Return the JSON fields."""
    return {"values": values}


def config_text(values: Mapping[str, SettingValue]) -> Iterator[Block]:
    """Return a table of the values, secrets hidden already."""
    columns = [Column("Setting"), Column("Value"), Column("Source")]
    rows = [(name, _spell(value.value), value.source) for name, value in values.items()]
    yield Table(columns, rows)


def _spell(value: str | float | bool | None) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)

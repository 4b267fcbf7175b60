"""The database in parts: `DATABASE__TYPE`, `__HOST`, `__PORT`, `__NAME`, `__USER`, `__PASSWORD`.

Parts are taken as they are: nothing in them is percent-encoded, and each may come from another
level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError
from qadb.settings.convert import to_integer
from qadb.settings.definitions import PARTS, VARIABLES
from qadb.settings.parsing import engine_name, sqlite_file
from qadb.settings.postgresql_url import parse_hosts
from qadb.settings.url import DatabaseUrl, EngineName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.settings.raw import RawValue

_SERVER_PARTS = ("DATABASE__HOST", "DATABASE__PORT", "DATABASE__USER", "DATABASE__PASSWORD")


def build_from_parts(parts: Mapping[str, RawValue]) -> DatabaseUrl:
    """Build the URL from the parts that are set.

    Raises:
        ConfigurationError: the engine can't be told, or a part is wrong.
    """
    if _engine_of(parts) == "sqlite":
        return _build_sqlite(parts)
    hosts_raw, port_raw = parts.get("DATABASE__HOST"), parts.get("DATABASE__PORT")
    port = "" if port_raw is None else str(to_integer(VARIABLES["DATABASE__PORT"], port_raw))
    return DatabaseUrl(
        engine="postgresql",
        user=_text(parts, "DATABASE__USER"),
        password=_text(parts, "DATABASE__PASSWORD"),
        hosts=parse_hosts(
            (_text(parts, "DATABASE__HOST") or "").strip(),
            port,
            source=hosts_raw.label if hosts_raw else "DATABASE__HOST",
        ),
        database=_text(parts, "DATABASE__NAME"),
    )


def spoken_source(parts: Mapping[str, RawValue]) -> str:
    """Name the parts that make the URL."""
    return f"parts: {', '.join(name for name in PARTS if name in parts)}"


def _engine_of(parts: Mapping[str, RawValue]) -> EngineName:
    """The stated engine; without one, anything that only a server has means PostgreSQL."""
    stated = parts.get("DATABASE__TYPE")
    if stated is not None:
        return engine_name(str(stated.value), source=stated.label)
    if any(name in parts for name in _SERVER_PARTS):
        return "postgresql"
    raise ConfigurationError(
        f"{parts['DATABASE__NAME'].label} is set, and no DATABASE__TYPE says what it names.",
        hint="Set DATABASE__TYPE to sqlite (a file) or postgresql (a database).",
    )


def _build_sqlite(parts: Mapping[str, RawValue]) -> DatabaseUrl:
    name = parts.get("DATABASE__NAME")
    if name is None:
        raise ConfigurationError(
            f"{parts['DATABASE__TYPE'].label} is sqlite, and DATABASE__NAME is not set.",
            hint="Set DATABASE__NAME to the database's file.",
        )
    return sqlite_file(str(name.value).strip(), source=name.label, base_dir=name.base_dir)


def _text(parts: Mapping[str, RawValue], name: str) -> str | None:
    raw = parts.get(name)
    return None if raw is None else str(raw.value)

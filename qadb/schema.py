"""Schema: what one database should be.

Joins the metadata, the migrations, the retention and the names that mark a database as managed. It
is loaded by name and loads its metadata only when somebody asks, because most commands need the
marks alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import MetaData

    from qadb.checks import Asked, Check
    from qadb.retention import Retention


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database should hold and how qadb recognises it as its own.

    Attributes:
        name: short name, shown to people.
        metadata_name: ``package.module:attribute`` of the SQLAlchemy ``MetaData``.
        migrations: the Alembic folder.
        version_table: table that holds the current revision.
        history_table: table that holds every applied step.
        application_id: SQLite's ``PRAGMA application_id`` of a managed file.
        unmapped: tables, columns and indexes that one engine needs beside the metadata's own, such
            as a full-text index; revisions make them, and Alembic is not to take them for strays.
        checks_name: ``package.module:attribute`` of the schema's own checks, if it has any.
        retention_name: ``package.module:attribute`` of the `Retention`; without one nothing goes.
    """

    name: str
    metadata_name: str
    migrations: Path
    version_table: str = "qadb_version"
    history_table: str = "qadb_history"
    application_id: int = 0x71616462  # "qadb"
    unmapped: frozenset[str] = frozenset()
    checks_name: str | None = None
    retention_name: str = "qadb.retention:NOTHING_GOES"

    @property
    def retention(self) -> Retention:
        """How long rows stay; loaded on first use."""
        retention: Retention = _load(self.retention_name)
        return retention

    @property
    def metadata(self) -> MetaData:
        """The tables, constraints and indexes; imports the models on first use."""
        metadata: MetaData = _load(self.metadata_name)
        return metadata

    @property
    def checks(self) -> tuple[Check[Asked], ...]:
        """The schema's own checks, loaded on first use."""
        if self.checks_name is None:
            return ()
        checks: tuple[Check[Asked], ...] = _load(self.checks_name)
        return checks

    @property
    def own_tables(self) -> frozenset[str]:
        """Tables that belong to the tool and are no part of the model."""
        return frozenset({self.version_table, self.history_table})


def load_schema(name: str = "qadb.models:schema") -> Schema:
    """Load a schema by ``package.module:attribute``."""
    schema = _load(name)
    if not isinstance(schema, Schema):
        raise TypeError(f"{name} is no Schema")
    return schema


def _load(name: str) -> Any:  # noqa: ANN401 - whoever asks knows
    module_name, attribute = name.split(":")
    return getattr(import_module(module_name), attribute)


def find_migrations(package_dir: Path) -> Path:
    """Find the Alembic folder: inside an installed package, else beside it in a checkout."""
    installed = package_dir / "_migrations"
    return installed if installed.is_dir() else package_dir.parent / "migrations"

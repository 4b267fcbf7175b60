"""Databases that init and migrate must leave alone, and how to make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.databases import execute

if TYPE_CHECKING:
    from qadb.database import Database

SOMEBODY_ELSES = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('002')",
    "CREATE TABLE users (name VARCHAR(20))",
    "INSERT INTO users VALUES ('ada')",
)


def fill_with_foreign_tables(database: Database) -> None:
    """Somebody's own application, which uses Alembic and has got to a revision 002 too."""
    database.create()
    execute(database, *SOMEBODY_ELSES)


def stand_at(database: Database, *revisions: str) -> None:
    """Make the version table say something else than what the tables show."""
    table = database.schema.version_table
    rows = [f"INSERT INTO {table} VALUES ('{revision}')" for revision in revisions]
    execute(database, f"DELETE FROM {table}", *rows)

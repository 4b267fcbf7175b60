"""Ordinary PostgreSQL roles for tests, dropped afterwards with whatever they own."""

from __future__ import annotations

import secrets
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from tests.support.databases import with_login
from tests.support.postgres_client import execute

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Role:
    """A role that may sign in, and no more unless the test grants it."""

    name: str
    password: str

    def url(self, url: str) -> str:
        """The same database for this role."""
        return with_login(url, self.name, quote(self.password, safe=""))


@contextmanager
def ordinary_role(url: str, *, password: str | None = None) -> Iterator[Role]:
    """Make a role through a superuser's URL; the database of that URL is cleaned of it."""
    role = Role(f"qadb_test_role_{secrets.token_hex(4)}", password or secrets.token_hex(8))
    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(role.name), sql.Literal(role.password)
    )
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)
    try:
        yield role
    finally:
        execute(url, "DROP OWNED BY {} CASCADE", role.name)
        execute(url, "DROP ROLE {}", role.name)

"""A PostgreSQL database with one of everything that a backup has to carry, and how to take one."""

from __future__ import annotations

import io
import os
import re
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

import psutil

from qadb.backends.postgresql import dumper, restorer
from qadb.backends.values import ConnectionOptions
from tests.backends.sample import ignore_holder
from tests.support.databases import open_database
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from qadb.backends.postgresql.restoring.claiming import PlaceClaim
    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer

Content: TypeAlias = "tuple[io.BytesIO, Mapping[str, object]]"
"""What `Snapshot.write` has written, and the details."""

OPTIONS = ConnectionOptions(application="qadb backup")

# {role}: an ordinary role; {database}: the database's own name.
STATEMENTS = """
CREATE SCHEMA "Other place";
CREATE TABLE "Other place".numbers (
    id integer GENERATED ALWAYS AS IDENTITY (START WITH 100) PRIMARY KEY,
    value integer NOT NULL CHECK (value > 0),
    double integer GENERATED ALWAYS AS (value * 2) STORED);
INSERT INTO "Other place".numbers (value) SELECT generate_series(1, 500);
CREATE VIEW large_numbers AS SELECT * FROM "Other place".numbers WHERE value > 400;
CREATE TABLE measured (at date NOT NULL, value integer) PARTITION BY RANGE (at);
CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON measured (value);
INSERT INTO measured SELECT '2026-01-01'::date + n, n FROM generate_series(0, 99) AS n;
CREATE SEQUENCE tickets START 7;
SELECT nextval('tickets'), nextval('tickets');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'no more than these'; END$$;
CREATE TABLE guarded (id integer PRIMARY KEY, owner text);
INSERT INTO guarded VALUES (1, 'one'), (2, 'two');
CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON guarded TO {role} USING (owner = current_user);
GRANT USAGE ON SCHEMA "Other place" TO {role};
GRANT SELECT ON guarded, "Other place".numbers TO {role};
ALTER DATABASE {database} SET work_mem = '7MB';
ALTER DATABASE {database} SET search_path = public, "Other place";
ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '90s';
COMMENT ON DATABASE {database} IS 'ours; it''s "quoted"';
REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;
GRANT CREATE, TEMPORARY ON DATABASE {database} TO {role};
"""


def make_rich(url: str, role: str) -> None:
    """Make all that in a database; one statement at a time would take as many connections."""
    database = url.rpartition("/")[2]
    execute(url, STATEMENTS.format(role=role, database=database))


def on_path(monkeypatch: pytest.MonkeyPatch, server: PostgresServer) -> None:
    """Put the server's own programs first on PATH."""
    folder = server.program("pg_dump").parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@contextmanager
def frozen(url: DatabaseUrl, folder: Path) -> Iterator[dumper.Snapshot]:
    """Hold a moment of a database."""
    with dumper.freeze(url, OPTIONS, folder=folder, on_bytes=lambda _: None) as moment:
        yield moment


def write_out(
    moment: dumper.Snapshot, on_bytes: Callable[[int], None] = lambda _: None
) -> io.BytesIO:
    """The moment's content, to be read from its start."""
    sink = io.BytesIO()
    moment.write(sink, on_bytes, jobs=2)
    sink.seek(0)
    return sink


@contextmanager
def rebuilt(
    content: io.BytesIO,
    url: DatabaseUrl,
    details: Mapping[str, object],
    folder: Path | None = None,
    *,
    jobs: int = 2,
) -> Iterator[DatabaseUrl]:
    """Rebuild a database beside the one of the URL, until the block ends."""
    content.seek(0)
    with restorer.rebuild(
        content, url, OPTIONS, details=details, folder=folder, jobs=jobs, on_bytes=lambda _: None
    ) as made:
        yield made


def state(url: DatabaseUrl) -> list[str]:
    """The word in the table of the fixture ``place``."""
    return fetch_column(as_text(url), "SELECT word FROM state")


@contextmanager
def claimed(url: DatabaseUrl, wait_seconds: float = 0) -> Iterator[PlaceClaim]:
    """Claim the place of a database."""
    with open_database(as_text(url)) as database:
        schema = database.schema
    with restorer.claim(
        url, schema, OPTIONS, wait_seconds=wait_seconds, on_wait=ignore_holder
    ) as claim:
        yield claim


def names_on(server: PostgresServer) -> list[str]:
    """The databases of a server."""
    return fetch_column(server.admin_url, "SELECT datname FROM pg_database ORDER BY 1")


def as_text(url: DatabaseUrl) -> str:
    """The URL as a driver takes it."""
    ((host, port),) = url.hosts
    password = quote(str(url.password), safe="")
    return f"postgresql://{url.user}:{password}@{host}:{port}/{url.database}"


def parsed(url: str) -> DatabaseUrl:
    """The URL as qadb reads it."""
    return open_database(url).url


def run(*command: str | Path) -> str:
    """What a program writes."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def processes_of(name: str) -> list[psutil.Process]:
    """Children of ours that run a program."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if each.status() != psutil.STATUS_ZOMBIE and each.name().startswith(name):
                found.append(each)
    return found


def comparable(lines: list[str]) -> list[str]:
    """A dump's lines, comparable where checks were made of the server's own words for them.

    It then writes the casts of IN (…) and the parentheses of BETWEEN otherwise; what a check means
    is for the catalog to compare.
    """
    literal = r"'[^']*'::character varying"
    whole = re.compile(rf"ARRAY\[({literal}(?:, {literal})*)\]::text\[\]")

    def cast_members(found: re.Match[str]) -> str:
        members = re.sub(literal, r"\g<0>::text", found[1])
        return f"ARRAY[{members}]"

    return [
        whole.sub(cast_members, re.sub(r"[()]", "", line)) if " CHECK " in line else line
        for line in lines
    ]


def backed_up(url: DatabaseUrl, folder: Path) -> Content:
    """A backup's content and its details."""
    with frozen(url, folder) as moment:
        return write_out(moment), moment.details

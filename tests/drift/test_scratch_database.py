"""Drift for a role that may make databases but no namespace: in one that is dropped afterwards."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import scratch_database
from qadb.errors import NotComparable
from qadb.revisions.drift import find_drift, find_drift_of_models
from qadb.revisions.scratch import migrated_place
from tests.support.databases import execute, open_database
from tests.support.postgres_client import execute as execute_as_admin
from tests.support.postgres_client import fetch_column, url_of_database
from tests.support.revision_folders import schema_of, write_revision
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database

NOBODY = 999999999  # no server process has this number


@pytest.fixture
def admin_url(migrated_postgresql: Database) -> str:
    url = migrated_postgresql.url
    host, port = url.hosts[0]
    return f"postgresql://{url.user}:{url.password}@{host}:{port}/{url.database}"


@pytest.fixture
def as_maker(admin_url: str) -> Iterator[Database]:
    """The database for a role that may read it and make others."""
    with ordinary_role(admin_url) as role:
        execute_as_admin(admin_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.name)
        execute_as_admin(admin_url, "ALTER ROLE {} CREATEDB", role.name)
        with open_database(role.url(admin_url)) as database:
            yield database


def scratch_databases(admin_url: str, owner: Database) -> list[str]:
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'qadb\\_scratch\\_%'"
    return fetch_column(admin_url, f"{query} AND pg_get_userbyid(datdba) = '{owner.url.user}'")


@contextmanager
def database_of(admin_url: str, owner: Database, name: str) -> Iterator[str]:
    """A database of the role's own, gone afterwards."""
    execute_as_admin(admin_url, "CREATE DATABASE {} OWNER {}", name, owner.url.user or "")
    try:
        yield url_of_database(admin_url, name)
    finally:
        execute_as_admin(admin_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def test_everything_is_compared_and_nothing_stays(
    as_maker: Database, migrated_postgresql: Database, admin_url: str
) -> None:
    assert find_drift(as_maker).status == "none"
    assert find_drift_of_models(as_maker).status == "none"

    execute(migrated_postgresql, "ALTER TABLE users ALTER full_name SET STATISTICS 7")
    drift = find_drift(as_maker)

    assert [each.object for each in drift.differences] == ["table users column full_name"]
    assert drift.reason is None
    assert scratch_databases(admin_url, as_maker) == []


def test_database_is_dropped_when_a_revision_fails_in_it(
    as_maker: Database, admin_url: str, tmp_path: Path
) -> None:
    seen = []
    write_revision(tmp_path, "001", None, up='op.execute("SELECT nothing")')
    as_maker.schema = schema_of(tmp_path)

    with (
        pytest.raises(NotComparable, match="Revision 001 does not run"),
        migrated_place(
            as_maker,
            "001",
            before_steps=lambda _: seen.extend(scratch_databases(admin_url, as_maker)),
        ),
    ):
        raise AssertionError("it must not get here")

    assert len(seen) == 1
    assert scratch_databases(admin_url, as_maker) == []


def test_what_a_killed_run_left_is_dropped_unless_somebody_is_there(
    as_maker: Database, admin_url: str
) -> None:
    left, used, alive = (f"qadb_scratch_{NOBODY}_{letter}" for letter in "abc")
    with closing(psycopg2.connect(admin_url)) as maker:
        alive = f"qadb_scratch_{maker.info.backend_pid}_c"
        with (
            database_of(admin_url, as_maker, left),
            database_of(admin_url, as_maker, used) as used_url,
            database_of(admin_url, as_maker, alive),
            closing(psycopg2.connect(used_url)),
        ):
            assert find_drift(as_maker).status == "none"

            assert sorted(scratch_databases(admin_url, as_maker)) == sorted([used, alive])


def test_server_that_makes_no_database_after_all_is_told_as_without_the_right(
    as_maker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch_database, "PREFIX", "no such name ")

    drift = find_drift(as_maker)

    assert drift.status == "unknown"
    assert "may make no namespace" in (drift.reason or "")

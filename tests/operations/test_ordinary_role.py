"""What a PostgreSQL role that owns nothing may do: row-level security confines it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from qadb.errors import InsufficientPrivilege
from qadb.operations.cleanup import CleanupOptions, cleanup, plan_cleanup
from qadb.operations.ingest import IngestOptions
from qadb.operations.init import init_database
from qadb.operations.stats import read_stats
from tests.support.databases import open_database
from tests.support.postgres_client import execute
from tests.support.report_files import load_one
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORT = """<testsuite name="s" timestamp="2026-11-22T01:00:00Z">
<testcase classname="c" name="passes" time="0.1"/>
<testcase classname="c" name="fails" time="0.2"><failure message="no"/></testcase>
</testsuite>"""
YEARS = 36_500


@pytest.fixture
def role_url(postgresql_url: str) -> Iterator[str]:
    """A database at head with two tenants, for a role with rights to the tables and no more."""
    with open_database(postgresql_url) as database:
        init_database(database)
    execute(postgresql_url, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
    with ordinary_role(postgresql_url) as role:
        execute(postgresql_url, "GRANT USAGE ON SCHEMA public TO {}", role.name)
        rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
        execute(postgresql_url, rights, role.name)
        yield role.url(postgresql_url)


def test_role_loads_and_reads_what_is_its_tenants(role_url: str, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    with open_database(role_url) as database:
        loaded = load_one(database, report, IngestOptions(tenant="acme"))
        again = load_one(database, report, IngestOptions(tenant="acme"))
        own = read_stats(database, days=YEARS, tenant="acme")
        others = read_stats(database, days=YEARS, tenant="default")

    assert (loaded.status, loaded.rows, loaded.error) == ("ingested", 2, None)
    assert (again.status, again.run_id) == ("duplicate", loaded.run_id)
    assert (own.results.total, own.results.failed) == (2, 1)
    assert others.results.total == 0


def test_role_cleans_up_its_tenant_and_leaves_the_log_to_its_owner(
    role_url: str, postgresql_url: str
) -> None:
    old = "now() - interval '3 years'"
    shop = "INSERT INTO applications (id, tenant_id, code, name) VALUES (9, 'acme', 's', 'Shop')"
    run = (
        "INSERT INTO test_runs (run_key, tenant_id, application_id, started_at)"
        f" VALUES ('r', 'acme', 9, {old})"
    )
    entry = (
        "INSERT INTO audit_logs (tenant_id, table_name, record_id, action_type, created_at)"
        f" VALUES ('acme', 'users', '1', 'DELETE', {old})"
    )
    execute(postgresql_url, shop)
    execute(postgresql_url, run)
    execute(postgresql_url, entry)
    options = CleanupOptions(tenant="acme")
    with open_database(role_url) as database:
        planned = plan_cleanup(database, options)
        done = cleanup(database, options)

    assert done.complete
    for report in (planned, done):
        assert (report.tables["test_runs"].deleted, report.deleted) == (1, 1)
        assert report.tables["audit_logs"].kept == {"owner_only": 1}
    with open_database(postgresql_url) as database:
        assert plan_cleanup(database, options).tables["audit_logs"].deleted == 1


def test_cleanup_that_may_not_write_the_history_is_done_and_says_so(
    role_url: str, postgresql_url: str
) -> None:
    execute(postgresql_url, "REVOKE INSERT ON qadb_history FROM PUBLIC, {}", _name_in(role_url))
    said: list[str] = []
    with open_database(role_url) as database:
        report = cleanup(database, CleanupOptions(tenant="acme"), notify=said.append)

    assert report.complete
    assert [line for line in said if "history was not written" in line] == said
    assert len(said) == 1


def _name_in(url: str) -> str:
    return str(urlsplit(url).username)


def test_role_that_asks_for_all_tenants_is_told_to_name_its_own(role_url: str) -> None:
    with open_database(role_url) as database, pytest.raises(InsufficientPrivilege) as caught:
        read_stats(database)

    assert caught.value.hint is not None
    assert "--tenant" in caught.value.hint

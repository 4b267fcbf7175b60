"""PostgreSQL keeps tenants apart for a role that owns nothing, whatever SQL it runs.

Such a role needs grants on tables alone: no sequences, no functions. COPY TO is filtered without a
word, as any query is; COPY FROM is refused, and counts of all tenants need the owner.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from qadb.models import metadata
from tests.models.two_tenants import column, work_for

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


SHARED = {"countries", "permissions", "role_permissions", "roles", "test_types"}
ISOLATED = sorted({*metadata.tables} - SHARED)

FILLED = (
    "applications",
    "audit_logs",
    "features",
    "orders",
    "products",
    "tenants",
    "test_case_features",
    "test_cases",
    "test_results",
    "test_runs",
)


def _is_refused(connection: Connection, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match="violates row-level security policy"),
        connection.begin_nested(),
    ):
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("table", ISOLATED)
def test_every_table_of_tenants_has_a_policy(migrated_postgresql: Connection, table: str) -> None:
    query = f"""
    SELECT relrowsecurity, relforcerowsecurity, polpermissive, polcmd, polroles::text,
           pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)
    FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid
    WHERE pg_class.oid = '{table}'::regclass"""
    found = migrated_postgresql.exec_driver_sql(query).all()
    assert [tuple(row) for row in found] == [(True, False, True, "*", "{0}", True)]


def test_tables_without_a_policy_belong_to_nobody(migrated_postgresql: Connection) -> None:
    query = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    AND NOT relrowsecurity"""
    found = {*column(migrated_postgresql, query)} - {"qadb_version"}
    assert found == SHARED
    assert not [name for name in SHARED if "tenant_id" in metadata.tables[name].c]


def test_the_owner_sees_every_tenant(owner: Engine) -> None:
    with owner.connect() as connection:
        for table in FILLED:
            count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            assert count >= 2, table


def test_without_a_tenant_there_are_no_rows(ordinary: Engine) -> None:
    with ordinary.connect() as connection:
        for table in ISOLATED:
            assert column(connection, f"SELECT count(*) FROM {table}") == [0], table
        assert column(connection, "SELECT count(*) FROM countries") == [249]


@pytest.mark.parametrize("tenant", ["", "nobody", "%", "ACME", "acme ", "' OR true --"])
def test_an_odd_tenant_sees_nothing(ordinary: Engine, tenant: str) -> None:
    with ordinary.begin() as connection:
        work_for(connection, tenant)
        assert column(connection, "SELECT name FROM products") == []


def test_without_a_tenant_nothing_is_written(ordinary: Engine) -> None:
    with ordinary.begin() as connection:
        _is_refused(connection, "INSERT INTO products (name) VALUES ('x')")
        _is_refused(connection, "INSERT INTO products (tenant_id, name) VALUES ('acme', 'x')")
        assert connection.exec_driver_sql("UPDATE products SET name = 'x'").rowcount == 0
        assert connection.exec_driver_sql("DELETE FROM test_results").rowcount == 0


def test_a_tenant_sees_its_own_rows_only(ordinary: Engine) -> None:
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        for table in FILLED:
            owner = "id" if table == "tenants" else "tenant_id"
            assert {*column(connection, f"SELECT {owner} FROM {table}")} == {"acme"}, table
        joined = """
        SELECT products.name FROM test_results JOIN test_runs ON run_id = test_runs.id
        JOIN test_case_features USING (test_case_id) JOIN features ON feature_id = features.id
        FULL JOIN products ON product_id = products.id"""
        assert column(connection, joined) == ["Product of acme"]


def test_a_tenant_changes_its_own_rows_only(ordinary: Engine, owner: Engine) -> None:
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        connection.exec_driver_sql("UPDATE products SET category = 'x'")
        connection.exec_driver_sql("DELETE FROM test_runs")  # and with it its results
        connection.exec_driver_sql("INSERT INTO products (tenant_id, name) VALUES ('acme', 'b')")
    with owner.connect() as connection:
        found = "SELECT tenant_id || coalesce(category, '') FROM products ORDER BY tenant_id, id"
        assert column(connection, found) == ["acme", "acmex", "zeta"]
        assert column(connection, "SELECT tenant_id FROM test_results") == ["zeta"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO products (name) VALUES ('of the default tenant')",
        "INSERT INTO products (tenant_id, name) VALUES ('zeta', 'x')",
        "UPDATE products SET tenant_id = 'zeta'",
        (
            "INSERT INTO products SELECT (p).* FROM (SELECT p FROM products p) s"
            " ON CONFLICT (id) DO UPDATE SET tenant_id = 'zeta'"
        ),
        "INSERT INTO tenants (id, name) VALUES ('mine', 'x')",
        "UPDATE tenants SET id = 'zeta-2'",
        (
            "INSERT INTO audit_logs (tenant_id, table_name, record_id, action_type)"
            " VALUES ('zeta', 'x', '1', 'DELETE')"
        ),
        (
            "INSERT INTO test_results (run_id, test_case_id, tenant_id, status)"
            " VALUES (102, 102, 'zeta', 'passed')"
        ),
    ],
)
def test_another_tenants_rows_cannot_be_made(ordinary: Engine, statement: str) -> None:
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        _is_refused(connection, statement)


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_the_tenant_ends_with_its_transaction(ordinary: Engine, ends: str) -> None:
    process = "SELECT pg_backend_pid()"
    with ordinary.connect() as connection:
        work_for(connection, "acme")
        assert column(connection, "SELECT name FROM products") == ["Product of acme"]
        first = column(connection, process)
        getattr(connection, ends)()
    with ordinary.connect() as connection:
        assert column(connection, process) == first
        assert column(connection, "SELECT current_setting('qadb.tenant', true)") == [""]
        assert column(connection, "SELECT name FROM products") == []
        _is_refused(connection, "INSERT INTO products (name) VALUES ('x')")


def test_copying_out_is_filtered_and_copying_in_refused(ordinary: Engine) -> None:
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        cursor = connection.connection.cursor()
        out = io.StringIO()
        cursor.copy_expert("COPY products (name) TO STDOUT", out)
        assert out.getvalue() == "Product of acme\n"
        rows = io.StringIO("acme\tx\n")
        with pytest.raises(Exception, match="COPY FROM not supported with row-level security"):
            cursor.copy_expert("COPY products (tenant_id, name) FROM STDIN", rows)


def test_asking_for_all_rows_is_an_error_rather_than_fewer_rows(ordinary: Engine) -> None:
    with ordinary.begin() as connection:
        connection.exec_driver_sql("SET LOCAL row_security = off")
        with pytest.raises(DBAPIError, match="affected by row-level security"):
            connection.exec_driver_sql("SELECT count(*) FROM products")

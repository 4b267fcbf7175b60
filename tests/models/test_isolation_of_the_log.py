"""The audit log on PostgreSQL for roles that own nothing, and for an owner that is no superuser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from tests.migrations.revisions import open_engine, upgrade
from tests.models.two_tenants import ROWS, column, new_role, work_for

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_changes_are_recorded_for_a_role_that_cannot_write_the_log(
    ordinary: Engine, owner: Engine
) -> None:
    role = ordinary.url.username
    with owner.begin() as connection:
        connection.exec_driver_sql(f"REVOKE INSERT ON audit_logs FROM {role}")
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        connection.exec_driver_sql("UPDATE products SET name = 'Store'")
        log = "SELECT action_type, tenant_id FROM audit_logs WHERE table_name = 'products'"
        found = connection.exec_driver_sql(f"{log} ORDER BY id").all()
        assert [tuple(row) for row in found] == [("INSERT", "acme"), ("UPDATE", "acme")]
        with pytest.raises(DBAPIError, match="permission denied for table audit_logs"):
            connection.exec_driver_sql(
                "INSERT INTO audit_logs (tenant_id, table_name, record_id, action_type)"
                " VALUES ('acme', 'x', '1', 'DELETE')"
            )


def test_nobody_else_can_have_entries_written(ordinary: Engine, owner: Engine) -> None:
    role = ordinary.url.username
    with owner.begin() as connection:
        connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA public TO {role}")
    with ordinary.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (id int, tenant_id text)")
        with pytest.raises(DBAPIError, match="permission denied for function qadb_write_audit_log"):
            connection.exec_driver_sql(
                "CREATE TRIGGER forged AFTER INSERT ON mine FOR EACH ROW"
                " EXECUTE FUNCTION qadb_write_audit_log()"
            )


def test_a_role_that_does_not_own_the_log_cannot_clean_it_up(ordinary: Engine) -> None:
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        connection.exec_driver_sql("SELECT set_config('qadb.audit_cleanup', 'on', true)")
        with pytest.raises(DBAPIError, match="audit_logs is append-only"):
            connection.exec_driver_sql("DELETE FROM audit_logs")


def test_objects_of_a_role_do_not_lead_the_log_astray(ordinary: Engine, owner: Engine) -> None:
    """A function with its owner's rights looks nothing up where its caller could put it."""
    with owner.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA evil AUTHORIZATION {ordinary.url.username}")
    with ordinary.begin() as connection:
        work_for(connection, "acme")
        connection.exec_driver_sql("CREATE TEMP TABLE audit_logs (LIKE public.audit_logs)")
        connection.exec_driver_sql(
            "CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql"
            """ AS $$ SELECT '{"name": "forged", "tenant_id": "zeta", "id": 0}'::jsonb $$"""
        )
        connection.exec_driver_sql("SET LOCAL search_path = evil, pg_catalog, public")
        connection.exec_driver_sql("UPDATE products SET name = 'Store'")
        assert column(connection, "SELECT count(*) FROM pg_temp.audit_logs") == [0]
    with owner.connect() as connection:
        query = "SELECT new_values ->> 'name' FROM audit_logs WHERE action_type = 'UPDATE'"
        assert column(connection, query) == ["Store"]


def test_an_owner_needs_no_superusers_rights(postgresql_url: str) -> None:
    superuser = open_engine(postgresql_url)
    with new_role(superuser) as owner, new_role(superuser) as ordinary:
        with superuser.begin() as connection:
            connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA public TO {owner.url.username}")
        with owner.begin() as connection:
            upgrade(connection)
            connection.exec_driver_sql(ROWS.format("acme", 101))
            connection.exec_driver_sql(
                f"GRANT UPDATE, SELECT ON products TO {ordinary.url.username}"
            )
        with ordinary.begin() as connection:
            work_for(connection, "acme")
            connection.exec_driver_sql("UPDATE products SET name = 'Store'")
        with owner.begin() as connection:
            entries = "SELECT action_type FROM audit_logs WHERE table_name = 'products' ORDER BY id"
            assert column(connection, entries) == ["INSERT", "UPDATE"]
            connection.exec_driver_sql("SET LOCAL qadb.audit_cleanup = 'on'")
            connection.exec_driver_sql("DELETE FROM audit_logs")
            assert column(connection, entries) == []
    superuser.dispose()

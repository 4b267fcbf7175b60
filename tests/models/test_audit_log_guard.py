"""The audit log takes new entries only, but for the owner's cleanup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.models.audit_entries import act_as_nobody, begin_cleanup, newest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_ROW = "audit_logs (id, table_name, record_id, action_type) VALUES (1, 'x', '1', 'DELETE')"
ON_BOTH = (
    "UPDATE audit_logs SET table_name = 'x'",
    "UPDATE audit_logs SET updated_at = created_at WHERE id = 1",
    "DELETE FROM audit_logs",
    "DELETE FROM audit_logs WHERE id = 1",
    f"INSERT INTO {_ROW} ON CONFLICT (id) DO UPDATE SET table_name = 'x'",
)
ON_SQLITE = (
    f"INSERT OR REPLACE INTO {_ROW}",
    f"REPLACE INTO {_ROW}",
    f"INSERT OR IGNORE INTO {_ROW}",
    "UPDATE OR REPLACE audit_logs SET id = 1 WHERE id = 2",
    "UPDATE OR IGNORE audit_logs SET record_id = 'x'",
)
ON_POSTGRESQL = (
    "TRUNCATE audit_logs",
    "TRUNCATE audit_logs, products RESTART IDENTITY CASCADE",
    "DELETE FROM ONLY audit_logs USING products",
)


def _log(connection: Connection) -> list[tuple[object, ...]]:
    query = text("SELECT id, table_name, record_id, updated_at FROM audit_logs ORDER BY id")
    return [tuple(row) for row in connection.execute(query)]


def _is_refused(connection: Connection, statement: str) -> None:
    before = _log(connection)
    with pytest.raises(DBAPIError, match="audit_logs is append-only"), connection.begin_nested():
        connection.exec_driver_sql(statement)
    assert _log(connection) == before
    assert before


@pytest.mark.parametrize("statement", ON_BOTH)
def test_entries_can_be_neither_changed_nor_removed(filled: Connection, statement: str) -> None:
    _is_refused(filled, statement)


@pytest.mark.parametrize("recursive", ["OFF", "ON"])
@pytest.mark.parametrize("statement", ON_SQLITE)
def test_entries_cannot_be_replaced_on_sqlite(
    filled_sqlite: Connection, statement: str, recursive: str
) -> None:
    filled_sqlite.exec_driver_sql(f"PRAGMA recursive_triggers = {recursive}")
    _is_refused(filled_sqlite, statement)
    filled_sqlite.exec_driver_sql("PRAGMA recursive_triggers = OFF")


def test_an_entry_of_a_negative_id_is_refused_on_sqlite(filled_sqlite: Connection) -> None:
    with pytest.raises(DBAPIError, match="count from 1"):
        filled_sqlite.exec_driver_sql(f"INSERT INTO {_ROW}".replace("(1,", "(-1,"))


@pytest.mark.parametrize("statement", ON_POSTGRESQL)
def test_entries_cannot_be_emptied_out_on_postgresql(
    migrated_postgresql: Connection, statement: str
) -> None:
    insert = "INSERT INTO products (name) VALUES ('Shop')"
    migrated_postgresql.exec_driver_sql(insert)
    _is_refused(migrated_postgresql, statement)


@pytest.mark.parametrize("table", ["users", "products", "tenants, roles"])
def test_audited_tables_cannot_be_truncated(migrated_postgresql: Connection, table: str) -> None:
    migrated_postgresql.exec_driver_sql("INSERT INTO products (name) VALUES ('Shop')")
    with pytest.raises(DBAPIError, match="is audited and cannot be truncated"):
        migrated_postgresql.exec_driver_sql(f"TRUNCATE {table} CASCADE")


def test_the_owners_cleanup_removes_entries(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin():
            for name in ("Shop", "Store"):
                connection.exec_driver_sql(f"INSERT INTO products (name) VALUES ('{name}')")
            begin_cleanup(connection)
            connection.exec_driver_sql("DELETE FROM audit_logs WHERE id = 1")
            act_as_nobody(connection)
            assert [row[0] for row in _log(connection)] == [2]
        with connection.begin():  # the right ended with the transaction
            _is_refused(connection, "DELETE FROM audit_logs")


def test_not_even_cleanup_changes_an_entry(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO products (name) VALUES ('Shop')")
        begin_cleanup(connection)
        _is_refused(connection, "UPDATE audit_logs SET table_name = 'x'")
        act_as_nobody(connection)


def test_ids_of_removed_entries_are_not_given_again(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO products (name) VALUES ('Shop')")
        gone = newest(connection)
        begin_cleanup(connection)
        connection.exec_driver_sql("DELETE FROM audit_logs")
        act_as_nobody(connection)
        connection.exec_driver_sql("INSERT INTO products (name) VALUES ('Store')")
        assert newest(connection) > gone


def test_sqlite_states_one_actor_at_a_time(filled_sqlite: Connection) -> None:
    filled_sqlite.exec_driver_sql("INSERT INTO audit_context (user_id) VALUES (1)")
    with pytest.raises(DBAPIError, match="ck_audit_context_id_single"):
        filled_sqlite.exec_driver_sql("INSERT INTO audit_context (user_id) VALUES (2)")


@pytest.mark.parametrize(
    "value", ["user_id = 'ada'", f"ip_address = '{'1' * 46}'", f"session_id = '{'s' * 256}'"]
)
def test_sqlite_refuses_an_actor_that_the_log_could_not_take(
    filled_sqlite: Connection, value: str
) -> None:
    filled_sqlite.exec_driver_sql("INSERT INTO audit_context (user_id) VALUES (1)")
    with pytest.raises(DBAPIError, match="ck_audit_context"):
        filled_sqlite.exec_driver_sql(f"UPDATE audit_context SET {value}")

"""What one engine's types still let through by raw SQL, though the models and the other refuse it.

Each is expected to fail until a revision closes it; strictly, so that nobody forgets it then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from tests.models.audit_entries import actions, newest

if TYPE_CHECKING:
    from sqlalchemy import Connection

ON_SQLITE = (
    "UPDATE test_runs SET exit_code = 'abc'",
    "UPDATE test_runs SET exit_code = 3000000000",
    "UPDATE users SET failed_login_attempts = 'abc'",
    "UPDATE users SET session_timeout_minutes = 1.5",
    "UPDATE users SET telegram_id = 'abc'",
    "UPDATE hardware_configs SET memory_mb = 'lots'",
    "UPDATE ingest_files SET bytes = 'big'",
    "UPDATE ingest_files SET rows = x'01'",
    "UPDATE rag_documents SET chunk_index = 'a', total_chunks = 'b'",
    "UPDATE test_runs SET ended_at = '9999-99-99T99:99:99.999999Z'",
    "UPDATE test_runs SET ended_at = 'zbcd-ef-ghTij:kl:mn.opqrstZ'",
    "UPDATE products SET tags = '[1, null]'",
)
ON_POSTGRESQL = (
    "UPDATE products SET price = 'NaN'",
    "UPDATE test_runs SET duration_seconds = 'NaN'",
    "UPDATE test_runs SET ended_at = 'infinity'",
    "UPDATE test_runs SET started_at = '-infinity'",
)


@pytest.mark.xfail(reason="SQLite checks neither integers nor digits", raises=pytest.fail.Exception)
@pytest.mark.parametrize("statement", ON_SQLITE)
def test_sqlite_refuses_what_no_type_of_postgresql_takes(
    filled_sqlite: Connection, statement: str
) -> None:
    with pytest.raises(DBAPIError):
        filled_sqlite.exec_driver_sql(statement)


@pytest.mark.xfail(reason="NaN and infinity keep every rule", raises=pytest.fail.Exception)
@pytest.mark.parametrize("statement", ON_POSTGRESQL)
def test_postgresql_refuses_what_is_no_number_and_no_moment(
    migrated_postgresql: Connection, statement: str
) -> None:
    for row in (
        "applications (code, name) VALUES ('shop', 'Shop')",
        "products (name) VALUES ('Shop')",
        "test_runs (run_key, application_id) SELECT 'r1', id FROM applications",
    ):
        migrated_postgresql.exec_driver_sql(f"INSERT INTO {row}")
    with pytest.raises(DBAPIError):
        migrated_postgresql.exec_driver_sql(statement)


@pytest.mark.xfail(reason="UPDATE OF knows no other name of the row id", raises=AssertionError)
@pytest.mark.parametrize("name", ["rowid", "oid", "_rowid_"])
def test_a_row_that_is_replaced_under_the_row_ids_other_names_is_recorded(
    filled_sqlite: Connection, name: str
) -> None:
    for key in (501, 502):
        row = f"(id, sku, name) VALUES ({key}, 's-{key}', 'Shop')"
        filled_sqlite.exec_driver_sql(f"INSERT INTO products {row}")
    before = newest(filled_sqlite)
    filled_sqlite.exec_driver_sql(f"UPDATE OR REPLACE products SET {name} = 502 WHERE id = 501")
    found = sorted(actions(filled_sqlite, "products", after=before))
    assert found == [("DELETE", "502"), ("UPDATE", "501")]


@pytest.mark.xfail(reason="UPDATE OF knows no other name of the row id", raises=AssertionError)
def test_a_note_is_found_after_its_row_id_has_changed(filled_sqlite: Connection) -> None:
    filled_sqlite.exec_driver_sql("UPDATE notes SET title = 'zebra'")
    filled_sqlite.exec_driver_sql("UPDATE notes SET rowid = 901")
    query = "SELECT rowid FROM notes_search WHERE notes_search MATCH 'zebra'"
    assert filled_sqlite.exec_driver_sql(query).scalars().all() == [901]

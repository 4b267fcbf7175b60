"""What one engine's types would let through, and the models and the other engine refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from qadb.models import (
    SLA,
    AuditLog,
    Base,
    IngestFile,
    PerformanceResult,
    Product,
    SecurityIssue,
    TestResult,
    TestRun,
    ToolExecution,
    User,
)
from tests.models.audit_entries import actions, newest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

# SQL that SQLite would take, and the constraint that refuses it.
ON_SQLITE = {
    "UPDATE test_runs SET exit_code = 'abc'": "test_runs_exit_code_integer",
    "UPDATE test_runs SET exit_code = 3000000000": "test_runs_exit_code_integer",
    "UPDATE test_runs SET exit_code = -2147483649": "test_runs_exit_code_integer",
    "UPDATE users SET failed_login_attempts = 'abc'": "users_failed_login_attempts_integer",
    "UPDATE users SET session_timeout_minutes = 1.5": "users_session_timeout_minutes_integer",
    "UPDATE users SET telegram_id = 'abc'": "users_telegram_id_integer",
    "UPDATE users SET telegram_id = 9223372036854775808": "users_telegram_id_integer",
    "UPDATE hardware_configs SET memory_mb = 'lots'": "hardware_configs_memory_mb_integer",
    "UPDATE ingest_files SET bytes = 'big'": "ingest_files_bytes_integer",
    "UPDATE ingest_files SET rows = x'01'": "ingest_files_rows_integer",
    "UPDATE rag_documents SET chunk_index = 'a', total_chunks = 'b'": (
        "rag_documents_chunk_index_integer"
    ),
    "UPDATE test_results SET attempt = 32768": "test_results_attempt_integer",
    "UPDATE products SET price = 10000000000": "products_price_exact",
    "UPDATE test_runs SET ended_at = '9999-99-99T99:99:99.999999Z'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET ended_at = 'zbcd-ef-ghTij:kl:mn.opqrstZ'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET ended_at = '2027-02-29T00:00:00.000000Z'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET ended_at = '2027-02-28T24:00:00.000000Z'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET ended_at = '2027-02-28T23:59:60.000000Z'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET ended_at = '2027-02-28T23:59:59.9999é9Z'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET started_at = '0000-01-01T00:00:00.000000Z'": "test_runs_started_at_utc",
    "UPDATE products SET tags = '[1, null]'": "products_tags_list",
    'UPDATE products SET tags = \'["a", ["b"]]\'': "products_tags_list",
    "INSERT INTO products (name, tags) VALUES ('Shop', '[{}]')": "products_tags_list",
    "INSERT OR IGNORE INTO products (name, tags) VALUES ('Shop', '[7]')": "products_tags_list",
}

# The same for PostgreSQL.
ON_POSTGRESQL = {
    "UPDATE products SET price = 'NaN'": "products_price_exact",
    "UPDATE test_runs SET duration_seconds = 'NaN'": "test_runs_duration_seconds_exact",
    "UPDATE test_runs SET ended_at = 'infinity'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET started_at = '-infinity'": "test_runs_started_at_utc",
    "UPDATE test_runs SET ended_at = '10000-01-01 00:00:00+00'": "test_runs_ended_at_utc",
    "UPDATE test_runs SET started_at = '0001-12-31 23:59:59+00 BC'": "test_runs_started_at_utc",
    "UPDATE products SET tags = '{a,NULL}'": "products_tags_list",
    "UPDATE products SET tags = '{{a,b},{c,d}}'": "products_tags_list",
}

# What both engines take.
EXTREMES = (
    "UPDATE test_runs SET exit_code = -2147483648",
    "UPDATE test_runs SET exit_code = 2147483647",
    "UPDATE test_runs SET exit_code = NULL, ended_at = NULL, duration_seconds = NULL",
    "UPDATE users SET telegram_id = -9223372036854775807 - 1",
    "UPDATE test_runs SET started_at = '0001-01-01T00:00:00.000000Z', ended_at = NULL",
    "UPDATE test_runs SET ended_at = '9999-12-31T23:59:59.999999Z'",
    "UPDATE test_runs SET ended_at = '2028-02-29T23:59:59.999999Z'",
)

PROMISES = " VALUES (501, 1, 'p95', 1), (502, 1, 'p99', 2)"

NO_WHOLE_NUMBERS: list[tuple[type[Base], str, object]] = [
    (TestRun, "exit_code", "abc"),
    (TestRun, "exit_code", 1.0),
    (TestRun, "exit_code", 2**31),
    (TestRun, "total", -(2**31) - 1),
    (TestRun, "application_id", "abc"),
    (TestRun, "country_id", "DEU"),
    (TestRun, "id", "abc"),
    (TestResult, "test_case_id", "abc"),
    (TestResult, "run_id", True),
    (TestResult, "attempt", 2**15),
    (User, "failed_login_attempts", False),
    (User, "telegram_id", 2**63),
    (AuditLog, "user_id", 7.0),
    (IngestFile, "bytes", "big"),
    (PerformanceResult, "ok_requests", 0.5),
    (SecurityIssue, "line", True),
    (SLA, "tenant_id", 7),
    (ToolExecution, "agent_id", "abc"),
]


@pytest.mark.parametrize("statement", ON_SQLITE)
def test_sqlite_refuses_what_no_type_of_postgresql_takes(
    filled_sqlite: Connection, statement: str
) -> None:
    with pytest.raises(IntegrityError) as refusal:
        filled_sqlite.exec_driver_sql(statement)
    assert str(refusal.value.orig) == f"CHECK constraint failed: ck_{ON_SQLITE[statement]}"


@pytest.mark.parametrize("statement", ON_POSTGRESQL)
def test_postgresql_refuses_what_is_no_number_no_moment_and_no_text(
    migrated_postgresql: Connection, statement: str
) -> None:
    for row in (
        "applications (code, name) VALUES ('shop', 'Shop')",
        "products (name) VALUES ('Shop')",
        "test_runs (run_key, application_id) SELECT 'r1', id FROM applications",
    ):
        migrated_postgresql.exec_driver_sql(f"INSERT INTO {row}")
    with pytest.raises(IntegrityError, match=f"ck_{ON_POSTGRESQL[statement]}"):
        migrated_postgresql.exec_driver_sql(statement)


@pytest.mark.parametrize("statement", EXTREMES)
def test_both_engines_take_the_first_and_the_last_of_their_values(
    filled: Connection, statement: str
) -> None:
    assert filled.exec_driver_sql(statement).rowcount == 1


@pytest.mark.parametrize("tags", ["[]", '["a", "1", "null", "[7]", ""]', None])
def test_sqlite_takes_lists_of_text(filled_sqlite: Connection, tags: str | None) -> None:
    update = "UPDATE products SET tags = ?"
    assert filled_sqlite.exec_driver_sql(update, (tags,)).rowcount == 1


@pytest.mark.parametrize(("model", "attribute", "value"), NO_WHOLE_NUMBERS)
def test_models_refuse_what_is_no_whole_number_of_the_columns_size(
    model: type[Base], attribute: str, value: object
) -> None:
    with pytest.raises(ValueError, match=rf"{model.__tablename__}\.{attribute}: m"):
        model(**{attribute: value})


def test_models_take_whole_numbers_to_the_last() -> None:
    run = TestRun(exit_code=-(2**31), application_id=2**63 - 1, total=2**31 - 1)
    assert (run.exit_code, run.application_id, run.total) == (-(2**31), 2**63 - 1, 2**31 - 1)
    assert TestResult(attempt=2**15 - 1).attempt == 2**15 - 1
    assert Product(inventory_quantity=0).inventory_quantity == 0


@pytest.fixture(params=["OFF", "ON"])
def sqlite(migrated_sqlite: Engine, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Two products, two promises and a note, without and with recursive triggers."""
    with migrated_sqlite.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {request.param}")
        for row in (
            "products (id, sku, name) VALUES (501, 's-1', 'Shop'), (502, 's-2', 'Store')",
            "applications (id, code, name) VALUES (1, 'shop', 'Shop')",
            "slas (id, application_id, metric, threshold)" + PROMISES,
            "users (id, username, role_id) VALUES (1, 'ada', 1)",
            "notes (id, user_id, title) VALUES (501, 1, 'zebra'), (502, 1, 'lion')",
        ):
            connection.exec_driver_sql(f"INSERT INTO {row}")
        yield connection


def _written(connection: Connection, table: str, statement: str) -> list[tuple[str, str]]:
    """What the log says of one statement."""
    before = newest(connection)
    connection.exec_driver_sql(statement)
    return sorted(actions(connection, table, after=before))


@pytest.mark.parametrize("name", ["id", "rowid", "oid", "_rowid_"])
@pytest.mark.parametrize("table", ["products", "slas"])
def test_a_row_that_is_replaced_under_any_name_of_the_row_id_is_recorded(
    sqlite: Connection, table: str, name: str
) -> None:
    replace = f"UPDATE OR REPLACE {table} SET {name} = 502 WHERE id = 501"
    assert _written(sqlite, table, replace) == [("DELETE", "502"), ("UPDATE", "501")]
    assert sqlite.exec_driver_sql("SELECT count(*) FROM replaced_rows").scalar_one() == 0


@pytest.mark.parametrize(
    "change",
    [
        "rowid = 503",
        "rowid = 503, name = 'Mall'",
        "id = 503, sku = 's-3'",
        "rowid = rowid, name = 'Mall'",
        "name = 'Mall'",
        "sku = 's-3'",
    ],
)
def test_every_change_is_recorded_once(sqlite: Connection, change: str) -> None:
    update = f"UPDATE products SET {change} WHERE id = 501"
    assert _written(sqlite, "products", update) == [("UPDATE", "501")]


def test_an_upsert_that_moves_a_row_is_recorded_once(sqlite: Connection) -> None:
    upsert = (
        "INSERT INTO products (id, name) VALUES (501, 'Mall')"
        " ON CONFLICT (id) DO UPDATE SET _rowid_ = 503"
    )
    assert _written(sqlite, "products", upsert) == [("UPDATE", "501")]


@pytest.mark.parametrize("name", ["id", "rowid", "oid", "_rowid_"])
def test_a_note_is_found_after_its_row_id_has_changed(sqlite: Connection, name: str) -> None:
    sqlite.exec_driver_sql(f"UPDATE OR REPLACE notes SET {name} = 502 WHERE id = 501")
    query = "SELECT rowid FROM notes_search WHERE notes_search MATCH ?"
    found = [sqlite.exec_driver_sql(query, (word,)).scalars().all() for word in ("zebra", "lion")]
    assert found == [[502], []]
    check = "INSERT INTO notes_search (notes_search, rank) VALUES ('integrity-check', 1)"
    sqlite.exec_driver_sql(check)


def test_a_row_that_moves_shows_when_it_did(sqlite: Connection) -> None:
    old = "2001-01-01T00:00:00.000000Z"
    sqlite.exec_driver_sql("UPDATE products SET updated_at = ?", (old,))
    sqlite.exec_driver_sql("UPDATE products SET rowid = 503 WHERE id = 501")
    query = "SELECT updated_at > ? FROM products ORDER BY id"
    assert sqlite.exec_driver_sql(query, (old,)).scalars().all() == [0, 1]

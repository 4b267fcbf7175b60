"""SQLite's REPLACE is recorded as what it does, whether delete triggers fire for it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.models.audit_entries import actions, entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

SHOP = "(id, sku, name) VALUES (1, 's-1', 'Shop')"
OTHER_ID = "(id, sku, name) VALUES (2, 's-1', 'Store')"
SAME_ID = "(id, sku, name) VALUES (1, 's-2', 'Store')"


@pytest.fixture(params=["OFF", "ON"])
def connection(migrated_sqlite: Engine, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A migrated database with one product, without and with recursive triggers."""
    with migrated_sqlite.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {request.param}")
        connection.exec_driver_sql(f"INSERT INTO products {SHOP}")
        yield connection


def _written(connection: Connection, *statements: str) -> list[tuple[str, str]]:
    """What the log says of products after the first one's insert."""
    for statement in statements:
        connection.exec_driver_sql(statement)
    found = actions(connection, "products")
    assert found[0] == ("INSERT", "1")
    return found[1:]


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE"])
def test_a_row_replaced_by_its_key_is_a_delete_and_an_insert(
    connection: Connection, verb: str
) -> None:
    assert _written(connection, f"{verb} INTO products {SAME_ID}") == [
        ("DELETE", "1"),
        ("INSERT", "1"),
    ]
    gone = entries(connection, "products")[1].old
    assert (gone["name"], gone["sku"]) == ("Shop", "s-1")


def test_a_row_replaced_by_another_unique_key_is_a_delete_too(connection: Connection) -> None:
    assert _written(connection, f"INSERT OR REPLACE INTO products {OTHER_ID}") == [
        ("DELETE", "1"),
        ("INSERT", "2"),
    ]


def test_one_row_may_replace_two(connection: Connection) -> None:
    statements = (
        "INSERT INTO products (id, sku, name) VALUES (2, 's-2', 'Store')",
        "INSERT OR REPLACE INTO products (id, sku, name) VALUES (2, 's-1', 'Mall')",
    )
    assert sorted(_written(connection, *statements)[1:]) == [
        ("DELETE", "1"),
        ("DELETE", "2"),
        ("INSERT", "2"),
    ]


def test_an_update_that_replaces_is_a_delete_and_an_update(connection: Connection) -> None:
    statements = (
        "INSERT INTO products (id, sku, name) VALUES (2, 's-2', 'Store')",
        "UPDATE OR REPLACE products SET sku = 's-1' WHERE id = 2",
    )
    assert sorted(_written(connection, *statements)[1:]) == [("DELETE", "1"), ("UPDATE", "2")]


def test_bringing_a_deleted_row_back_may_replace_a_live_one(connection: Connection) -> None:
    statements = (
        "UPDATE products SET deleted_at = created_at",
        "INSERT INTO products (id, sku, name) VALUES (2, 's-1', 'Store')",
        "UPDATE OR REPLACE products SET deleted_at = NULL WHERE id = 1",
    )
    assert sorted(_written(connection, *statements)[2:]) == [("DELETE", "2"), ("UPDATE", "1")]


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT OR IGNORE INTO products {OTHER_ID}",
        f"INSERT INTO products {OTHER_ID} ON CONFLICT DO NOTHING",
        "UPDATE OR IGNORE products SET id = 1",
    ],
)
def test_what_gives_way_changes_nothing(connection: Connection, statement: str) -> None:
    written = _written(connection, statement, "INSERT INTO products (name) VALUES ('Mall')")
    assert [entry for entry in written if entry[0] != "UPDATE"] == [("INSERT", "2")]


def test_an_upsert_is_an_update(connection: Connection) -> None:
    upsert = (
        f"INSERT INTO products {OTHER_ID} ON CONFLICT (tenant_id, sku) WHERE deleted_at IS NULL"
        " DO UPDATE SET name = excluded.name, sku = excluded.sku"
    )
    assert _written(connection, upsert, upsert) == [("UPDATE", "1"), ("UPDATE", "1")]


def test_a_row_that_was_spared_is_not_reported_later(connection: Connection) -> None:
    statements = (
        f"INSERT OR IGNORE INTO products {OTHER_ID}",
        "UPDATE products SET id = 7 WHERE id = 1",
        "DELETE FROM products WHERE id = 7",
        "INSERT INTO products (id, name) VALUES (1, 'Mall')",
        "UPDATE products SET sku = 's-9'",
    )
    assert _written(connection, *statements) == [
        ("UPDATE", "1"),
        ("DELETE", "7"),
        ("INSERT", "1"),
        ("UPDATE", "1"),
    ]


def test_a_row_of_id_minus_one_is_in_nobodys_way(connection: Connection) -> None:
    """Before an insert, SQLite shows an id that it is yet to choose as -1."""
    statements = (
        "INSERT INTO products (id, name) VALUES (-1, 'Odd')",
        "INSERT OR REPLACE INTO products (name) VALUES ('Even')",
    )
    written = _written(connection, *statements)
    assert ("DELETE", "-1") not in written


def test_a_replaced_row_is_kept_without_secrets(connection: Connection) -> None:
    user = "(id, username, role_id, password_hash)"
    for name in ("ada", "bob"):
        connection.exec_driver_sql(
            f"INSERT OR REPLACE INTO users {user} VALUES (1, '{name}', 1, '{'p' * 60}')"
        )
    assert [action for action, _ in actions(connection, "users")] == ["INSERT", "DELETE", "INSERT"]
    log = connection.exec_driver_sql("SELECT group_concat(old_values) FROM audit_logs").scalar_one()
    assert "ada" in log
    assert "hash" not in log
    assert connection.exec_driver_sql("SELECT count(*) FROM replaced_rows").scalar_one() == 0

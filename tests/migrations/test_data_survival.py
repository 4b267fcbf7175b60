"""Revisions that rebuild or watch a table keep the rows that are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.migrations.revisions import downgrade, upgrade

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

ORDER_ID = "0123456789ab4def8123456789abcdef"


def _orders(connection: Connection) -> list[tuple[str, ...]]:
    query = """
    SELECT orders.id, order_number, username, total_price, orders.created_at, orders.updated_at
    FROM orders LEFT JOIN users ON users.id = user_id ORDER BY order_number"""
    rows = connection.exec_driver_sql(query).all()
    return [(str(row[0]).replace("-", ""), *(str(value) for value in row[1:])) for row in rows]


def test_orders_keep_their_rows_when_their_keys_get_a_default(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection, "004")
        connection.exec_driver_sql("INSERT INTO users (username, role_id) VALUES ('ada', 1)")
        connection.exec_driver_sql(
            "INSERT INTO orders (id, order_number, user_id, total_price, created_at, updated_at)"
            f" SELECT '{ORDER_ID}', 'o-1', id, 7, '2001-01-01T00:00:00.000000Z',"
            " '2002-01-01T00:00:00.000000Z' FROM users"
        )
        before = _orders(connection)
        upgrade(connection, "005")
        assert _orders(connection) == before
        connection.exec_driver_sql("INSERT INTO orders (order_number) VALUES ('o-2')")
        after = _orders(connection)
        downgrade(connection, "004")
        assert _orders(connection) == after
    assert before[0][0] == ORDER_ID
    assert before[0] == after[0]
    assert [row[1] for row in after] == ["o-1", "o-2"]


def test_rows_that_were_there_are_audited_from_then_on(engine: Engine) -> None:
    query = "SELECT action_type, record_id FROM audit_logs"
    with engine.begin() as connection:
        upgrade(connection, "005")
        connection.exec_driver_sql("INSERT INTO products (id, name) VALUES (7, 'Shop')")
        upgrade(connection)
        connection.exec_driver_sql("UPDATE products SET name = 'Store'")
        written = [tuple(row) for row in connection.exec_driver_sql(query)]
        downgrade(connection, "005")
        connection.exec_driver_sql("DELETE FROM products")
        assert [tuple(row) for row in connection.exec_driver_sql(query)] == written
    assert written == [("UPDATE", "7")]


def test_the_log_can_be_dropped_with_entries_in_it(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        connection.exec_driver_sql("INSERT INTO products (name) VALUES ('Shop')")
        downgrade(connection)
        upgrade(connection)
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_logs").scalar_one() == 0


def _features(connection: Connection) -> list[tuple[int | str | None, ...]]:
    query = "SELECT id, product_id, external_id, title FROM features ORDER BY id"
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_features_and_stories_keep_their_rows_when_they_get_a_key(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection, "008")
        connection.exec_driver_sql("INSERT INTO products (id, name) VALUES (1, 'a'), (2, 'b')")
        connection.exec_driver_sql(
            "INSERT INTO features (id, product_id, external_id, title)"
            " VALUES (1, 1, 'F-1', 'a'), (2, 2, 'F-1', 'b'), (3, 1, NULL, 'c'), (4, 1, NULL, 'd')"
        )
        connection.exec_driver_sql("INSERT INTO user_stories (product_id, title) VALUES (1, 'pay')")
        before = _features(connection)
        upgrade(connection, "009")
        connection.exec_driver_sql("UPDATE user_stories SET external_id = 'S-1'")
        downgrade(connection, "008")
        upgrade(connection, "009")
        assert _features(connection) == before
        stories = connection.exec_driver_sql("SELECT title, external_id FROM user_stories").all()
        assert [tuple(row) for row in stories] == [("pay", None)]


def test_features_with_one_external_id_stop_the_revision_that_makes_it_a_key(
    engine: Engine,
) -> None:
    with engine.begin() as connection:
        upgrade(connection, "008")
        connection.exec_driver_sql("INSERT INTO products (id, name) VALUES (7, 'Shop')")
        connection.exec_driver_sql(
            "INSERT INTO features (id, product_id, external_id, title)"
            " VALUES (1, 7, 'F-1', 'a'), (2, 7, 'F-1', 'b')"
        )
        before = _features(connection)
        with pytest.raises(ValueError, match="'F-1' of product 7"):
            upgrade(connection, "009")
        assert _features(connection) == before


FINDS = {
    "sqlite": "SELECT rowid FROM notes_search WHERE notes_search MATCH 'example'",
    "postgresql": "SELECT id FROM notes WHERE search_document @@ 'example'",
}


def test_notes_that_were_there_are_found_by_the_new_words(engine: Engine) -> None:
    kept = "SELECT title, content, created_at, updated_at FROM notes"
    with engine.begin() as connection:
        upgrade(connection, "009")
        connection.exec_driver_sql("INSERT INTO users (username, role_id) VALUES ('ada', 1)")
        connection.exec_driver_sql(
            "INSERT INTO notes (user_id, title, content) SELECT id, 'hosts', 'host.example.org'"
            " FROM users"
        )
        before = connection.exec_driver_sql(kept).all()
        upgrade(connection, "010")
        assert len(connection.exec_driver_sql(FINDS[engine.dialect.name]).all()) == 1
        downgrade(connection, "009")
        assert connection.exec_driver_sql(kept).all() == before

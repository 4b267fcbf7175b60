"""Revision 011 keeps what is in a database, or names what it can't keep and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qadb.backends.catalog import diff
from qadb.models import schema
from tests.migrations.catalogs import read_catalog
from tests.migrations.revisions import downgrade, open_engine, upgrade
from tests.models.rows import one_row_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

RESULTS = 3000

# An engine's SQL for a row that 010 takes, and what 011 says of it.
BROKEN = {
    "sqlite": {
        "INSERT INTO users (id, username, role_id, telegram_id) VALUES (7, 'ada', 1, 'x')": (
            "users.telegram_id = 'x' of id 7"
        ),
        "INSERT INTO products (id, name, tags) VALUES (7, 'Shop', '[7]')": (
            "products.tags = '[7]' of id 7"
        ),
        "UPDATE tenants SET created_at = '2026-02-30T00:00:00.000000Z'": (
            "tenants.created_at = '2026-02-30T00:00:00.000000Z' of id default"
        ),
    },
    "postgresql": {
        "INSERT INTO products (id, name, price) VALUES (7, 'Shop', 'NaN')": (
            "products.price = 'NaN' of id 7"
        ),
        "INSERT INTO products (id, name, tags) VALUES (7, 'Shop', '{NULL}')": (
            "products.tags = '{NULL}' of id 7"
        ),
        "UPDATE tenants SET created_at = 'infinity'": (
            "tenants.created_at = 'infinity' of id default"
        ),
    },
}


@pytest.fixture
def filled(engine: Engine) -> Iterator[Connection]:
    """A database at 010 with a row in each table, many results, and gaps in what is numbered."""
    with engine.begin() as connection:
        upgrade(connection, "010")
    with Session(engine) as session:
        session.add_all(one_row_of_each())
        session.commit()
    with engine.connect() as connection:
        for statement in (
            f"INSERT INTO test_results {_results(engine)}",
            "INSERT INTO test_runs (run_key, application_id) SELECT 'r9', id FROM applications",
            "DELETE FROM test_runs WHERE run_key = 'r9'",
            "DELETE FROM test_results WHERE occurrence % 3 = 0",
        ):
            connection.execute(text(statement))
        connection.commit()
        yield connection


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    """An empty database on SQLite alone."""
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


def _results(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        step = f"SELECT n + 1 FROM numbers WHERE n < {RESULTS}"
        numbers = f"WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL {step})"
    else:
        numbers = f"WITH numbers (n) AS (SELECT generate_series(2, {RESULTS}))"
    return (
        f"(run_id, test_case_id, occurrence, status, duration_ms) {numbers}"
        " SELECT test_runs.id, test_cases.id, n, 'passed', n FROM test_runs, test_cases, numbers"
    )


def _everything(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table, on SQLite with its row id and what was numbered last."""
    names = sorted({*inspect(connection).get_table_names()} - schema.own_tables)
    key = "ctid" if connection.dialect.name == "postgresql" else "rowid"
    kept = {name: (key, "*") for name in names if not name.startswith(("notes_search", "replaced"))}
    if connection.dialect.name == "sqlite":
        kept["sqlite_sequence"] = ("name", "seq")
    found = {}
    for name, columns in kept.items():
        rows = connection.execute(text(f"SELECT {', '.join(columns)} FROM {name}"))
        found[name] = sorted(str([_plain(value) for value in row]) for row in rows)
    return found


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def test_a_filled_database_goes_up_down_and_up(filled: Connection) -> None:
    rows, before = _everything(filled), read_catalog(filled)
    upgrade(filled, "011")
    after = read_catalog(filled)
    assert _everything(filled) == rows
    downgrade(filled, "010")
    assert _everything(filled) == rows
    assert diff(before, read_catalog(filled)) == ()
    upgrade(filled, "011")
    assert _everything(filled) == rows
    assert diff(after, read_catalog(filled)) == ()
    assert len(rows["test_results"]) > RESULTS // 2


def test_what_hangs_on_the_tables_works_on(filled: Connection) -> None:
    upgrade(filled, "011")
    downgrade(filled, "010")
    upgrade(filled, "011")
    filled.commit()
    log = text("SELECT action_type FROM audit_logs WHERE id > :last AND table_name = 'products'")
    used = text("DELETE FROM test_cases WHERE id IN (SELECT test_case_id FROM test_results)")
    with filled.engine.connect() as connection:  # with foreign keys again
        last = connection.execute(text("SELECT max(id) FROM audit_logs")).scalar_one()
        connection.execute(text("UPDATE products SET name = 'Mall'"))
        assert connection.execute(log, {"last": last}).scalars().all() == ["UPDATE"]
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(used)
        connection.execute(text("DELETE FROM failure_analyses"))
        connection.execute(text("DELETE FROM performance_baselines"))
        connection.execute(text("DELETE FROM test_runs"))
        assert connection.execute(text("SELECT count(*) FROM test_results")).scalar_one() == 0


def test_numbers_that_were_given_are_not_given_again(filled: Connection) -> None:
    insert = text(
        "INSERT INTO test_runs (run_key, application_id) SELECT 'r9', id FROM applications"
        " RETURNING id"
    )
    upgrade(filled, "011")
    assert filled.execute(insert).scalars().all() == [3]


def test_notes_are_found_by_what_sqlite_keeps_beside_them(sqlite: Engine) -> None:
    query = "SELECT rowid FROM notes_search WHERE notes_search MATCH ?"
    check = "INSERT INTO notes_search (notes_search, rank) VALUES ('integrity-check', 1)"
    with sqlite.begin() as connection:
        upgrade(connection, "010")
        for row in (
            "users (id, username, role_id) VALUES (1, 'ada', 1)",
            "notes (id, user_id, title) VALUES (7, 1, 'lion')",
        ):
            connection.exec_driver_sql(f"INSERT INTO {row}")
        upgrade(connection, "011")
        assert connection.exec_driver_sql(query, ("lion",)).scalars().all() == [7]
        connection.exec_driver_sql("UPDATE notes SET title = 'zebra'")
        assert connection.exec_driver_sql(query, ("lion",)).scalars().all() == []
        assert connection.exec_driver_sql(query, ("zebra",)).scalars().all() == [7]
        connection.exec_driver_sql(check)


@pytest.mark.parametrize("number", range(3))
def test_a_row_that_breaks_a_rule_is_named_and_nothing_is_changed(
    engine: Engine, number: int
) -> None:
    statement, said = list(BROKEN[engine.dialect.name].items())[number]
    with engine.begin() as connection:
        upgrade(connection, "010")
        connection.execute(text(statement.replace(":", "\\:")))
    with engine.connect() as connection:
        rows, catalog = _everything(connection), read_catalog(connection)
    with pytest.raises(ValueError, match="can't hold") as refusal, engine.begin() as connection:
        upgrade(connection, "011")
    assert str(refusal.value) == (
        f"There are values that their columns can't hold: {said}. Correct them and migrate again."
    )
    with engine.connect() as connection:
        assert _everything(connection) == rows
        assert diff(catalog, read_catalog(connection)) == ()


def test_all_rows_that_break_a_rule_are_named_up_to_a_few(sqlite: Engine) -> None:
    values = ", ".join(f"({number}, 'r{number}', 1, 'x')" for number in range(9))
    with sqlite.begin() as connection:
        upgrade(connection, "010")
        connection.exec_driver_sql("INSERT INTO products (name, tags) VALUES ('Shop', '[7]')")
        connection.exec_driver_sql(
            "INSERT INTO applications (id, code, name) VALUES (1, 'shop', 'Shop')"
        )
        connection.exec_driver_sql(
            f"INSERT INTO test_runs (id, run_key, application_id, exit_code) VALUES {values}"
        )
    said = r": products\.tags = .* of id 1, test_runs\.exit_code = 'x' of id 0.* of id 3, …\. "
    with pytest.raises(ValueError, match=said), sqlite.begin() as connection:
        upgrade(connection, "011")


def test_tables_are_not_rebuilt_where_their_rows_would_go(sqlite: Engine) -> None:
    """With foreign keys on, dropping a parent empties its children."""
    with sqlite.begin() as connection:
        upgrade(connection, "010")
    with pytest.raises(ValueError, match="foreign_keys must be off"), sqlite.begin() as connection:
        upgrade(connection, "011", checks_foreign_keys=True)

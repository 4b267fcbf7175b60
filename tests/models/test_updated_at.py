from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from qadb.models import User, metadata
from tests.models.rows import MORNING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

LONG_AGO = "2001-01-01T00:00:00.000000Z"
TIMED_TABLES = sorted(name for name, table in metadata.tables.items() if "updated_at" in table.c)
UNTIMED_TABLES = {
    "countries",
    "permissions",
    "role_permissions",
    "roles",
    "test_case_features",
    "test_results",
    "test_types",
}


def _age(connection: Connection, table: str) -> None:
    connection.execute(text(f"UPDATE {table} SET updated_at = '{LONG_AGO}'"))


def _is_old(connection: Connection, table: str) -> bool:
    query = f"SELECT count(*) FROM {table} WHERE updated_at = '{LONG_AGO}'"
    return bool(connection.execute(text(query)).scalar_one())


def test_all_tables_but_junctions_lists_and_results_are_timed() -> None:
    assert set(metadata.tables) - set(TIMED_TABLES) == UNTIMED_TABLES
    assert all("created_at" in metadata.tables[name].c for name in TIMED_TABLES)


# Nothing in the audit log can be updated.
@pytest.mark.parametrize("table", [name for name in TIMED_TABLES if name != "audit_logs"])
def test_raw_sql_moves_updated_at(filled: Connection, table: str) -> None:
    _age(filled, table)
    assert _is_old(filled, table)  # a statement that sets it itself is obeyed
    filled.execute(text(f"UPDATE {table} SET created_at = created_at"))
    assert not _is_old(filled, table)


def test_updated_at_moves_once_where_sqlites_triggers_are_recursive(
    filled_sqlite: Connection,
) -> None:
    filled_sqlite.exec_driver_sql("PRAGMA recursive_triggers = ON")
    _age(filled_sqlite, "users")
    for number in range(100):  # many within a millisecond: the clock does not move for each
        filled_sqlite.exec_driver_sql(f"UPDATE users SET username = 'user {number}'")
    filled_sqlite.exec_driver_sql("PRAGMA recursive_triggers = OFF")
    assert not _is_old(filled_sqlite, "users")


def test_the_orm_sees_the_new_updated_at(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        user = User(username="ada", updated_at=MORNING.replace(year=2001))
        session.add(user)
        session.commit()
        before = user.updated_at
        user.username = "bob"
        session.commit()
        assert user.updated_at > before
        assert user.created_at < user.updated_at.replace(year=user.updated_at.year + 1)

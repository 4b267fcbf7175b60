"""What PostgreSQL's types refuse, SQLite's CHECKs refuse as well, and the models first of all."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from qadb.models import (
    AuditLog,
    Base,
    Order,
    Product,
    RAGDocument,
    TestResult,
    TestRun,
    User,
    metadata,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

ENTRY = "table_name, record_id, action_type, ip_address"

# a kind of column: SQL that neither engine takes, and the same on a model.
MALFORMED: dict[str, tuple[str, type[Base], dict[str, object]]] = {
    "long text": (
        f"UPDATE users SET api_key_hash = '{'x' * 256}'",
        User,
        {"api_key_hash": "x" * 256},
    ),
    "longer address": (
        f"INSERT INTO audit_logs ({ENTRY}) VALUES ('users', '1', 'INSERT', '{'1' * 46}')",
        AuditLog,
        {"ip_address": "1" * 46},
    ),
    "no boolean": ("UPDATE users SET is_active = 7", User, {"is_active": 7}),
    "no moment": ("UPDATE test_runs SET ended_at = 'soon'", TestRun, {"ended_at": "soon"}),
    "no list": ("UPDATE products SET tags = '7'", Product, {"tags": [7]}),
    "no UUID": ("UPDATE orders SET id = 'o-1'", Order, {"id": "o-1"}),
    "no bytes": (
        "UPDATE rag_documents SET embedding = 1234",
        RAGDocument,
        {"embedding": "1234"},
    ),
    "too large": ("UPDATE products SET price = 1e30", Product, {"price": Decimal("1e30")}),
}

# What only SQLite's loose types would let through.
SQLITE_ONLY: dict[str, str] = {
    "naive moment": "UPDATE test_runs SET started_at = '2026-11-22 07:15:00'",
    "server's own moment": "UPDATE test_runs SET started_at = CURRENT_TIMESTAMP",
    "unscaled amount": "UPDATE products SET price = 9.99",
    "amount as text": "UPDATE products SET price = 'cheap'",
    "broken JSON": "UPDATE products SET extra_data = '{'",
    "an object for a list": "UPDATE products SET tags = '{}'",
    "UUID with dashes": f"UPDATE orders SET id = '{UUID(int=7)}'",
    "text for bytes": "UPDATE rag_documents SET embedding = '1234'",
    "broken list": "UPDATE products SET tags = '['",
}

DIALECTS = {
    "sqlite": make_url("sqlite://").get_dialect()(),
    "postgresql": make_url("postgresql+psycopg2://").get_dialect()(),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_both_engines_refuse_malformed_values(filled: Connection, kind: str) -> None:
    with pytest.raises(DBAPIError):
        filled.exec_driver_sql(MALFORMED[kind][0])


@pytest.mark.parametrize("kind", MALFORMED)
def test_models_refuse_malformed_values(kind: str) -> None:
    _, model, values = MALFORMED[kind]
    with pytest.raises(ValueError, match=rf"{model.__tablename__}\.{next(iter(values))}: "):
        model(**values)


@pytest.mark.parametrize("kind", SQLITE_ONLY)
def test_sqlite_refuses_what_its_types_let_through(filled_sqlite: Connection, kind: str) -> None:
    with pytest.raises(DBAPIError, match="CHECK constraint failed"):
        filled_sqlite.exec_driver_sql(SQLITE_ONLY[kind])


def test_models_refuse_naive_moments() -> None:
    with pytest.raises(ValueError, match=r"test_runs\.started_at: .* has no time zone"):
        TestRun(started_at=datetime(2026, 11, 22))  # noqa: DTZ001 - the point


def test_models_take_text_up_to_the_limit() -> None:
    assert TestResult(error_type="x" * 255).error_type == "x" * 255


def test_postgresql_has_none_of_sqlites_checks() -> None:
    table = metadata.tables["users"]
    texts = {name: str(CreateTable(table).compile(dialect=kind)) for name, kind in DIALECTS.items()}
    assert "ck_users_is_active_boolean" in texts["sqlite"]
    assert "ck_users_is_active_boolean" not in texts["postgresql"]
    assert all("ck_users_username_length" in text for text in texts.values())

"""Agents: their executions, their tools, comparisons of models, documents to look up."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

revision: str = "005"
down_revision: str | None = "004"
branch_labels: str | None = None
depends_on: str | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NOTHING: Mapping[str, Any] = MappingProxyType({})
SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"
THOUSANDTHS = sa.Numeric(12, 3).with_variant(sa.BigInteger(), "sqlite")
HEXADECIMAL = "0123456789abcdef"
SQLITE_RANDOM_UUID = (
    "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
    " || substr('89AB', (random() & 3) + 1, 1) || substr(hex(randomblob(2)), 2)"
    " || hex(randomblob(6)))"
)

OF_TENANT = {"tenant_id": ("tenants.id", "RESTRICT")}
OF_USER = {"user_id": ("users.id", "SET NULL")}

# What an engine's types take and the columns must not hold: no moment, no number, no text.
UTC_ON_SQLITE = (
    "{0} GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
    " AND date(substr({0}, 1, 19), '+0 days') IS substr({0}, 1, 10) AND {0} > '0001'"
)
UTC_ON_POSTGRESQL = (
    "{0} >= timestamp '0001-01-01' AT TIME ZONE 'UTC'"
    " AND {0} < timestamp '10000-01-01' AT TIME ZONE 'UTC'"
)
WHOLE = "typeof({0}) IN ('integer', 'null')"
BITS = {sa.SmallInteger: 16, sa.Integer: 32, sa.BigInteger: 64}


def upgrade() -> None:
    _create_agent_executions()
    _create_tool_executions()
    _create_llm_round_table_results()
    _create_rag_documents()


def downgrade() -> None:
    for table in ("rag_documents", "llm_round_table_results", "tool_executions"):
        op.drop_table(table)
    op.drop_table("agent_executions")


def _create_agent_executions() -> None:
    _create_table(
        "agent_executions",
        _id(),
        _tenant(),
        _text("execution_id", 255, required=True),
        _text("agent_name", 255, required=True),
        _text("prompt"),
        _text("status", 20, required=True, default="running"),
        sa.Column("result", DOCUMENT),
        sa.Column("tokens_used", sa.Integer()),
        sa.Column("duration_ms", THOUSANDTHS),
        *_times(),
        unique=[("tenant_id", "execution_id")],
        references=OF_TENANT,
        checks={
            "status_known": "status IN ('running', 'completed', 'failed')",
            "tokens_used_range": "tokens_used >= 0",
            "duration_ms_range": "duration_ms >= 0",
        },
    )
    _index("agent_executions", "tenant_id", "created_at")


def _create_tool_executions() -> None:
    _create_table(
        "tool_executions",
        _id(),
        _tenant(),
        _text("correlation_id", 255),
        _text("tool_name", 255, required=True),
        sa.Column("agent_id", sa.Uuid()),
        sa.Column("user_id", KEY),
        sa.Column("inputs", DOCUMENT),
        sa.Column("outputs", DOCUMENT),
        _text("status", 20, required=True, default="running"),
        _text("error"),
        sa.Column("duration_ms", THOUSANDTHS),
        *_times(),
        references={**OF_TENANT, **OF_USER, "agent_id": ("agent_executions.id", "SET NULL")},
        checks={
            "status_known": "status IN ('running', 'success', 'failed')",
            "duration_ms_range": "duration_ms >= 0",
        },
    )
    _index("tool_executions", "tenant_id", "correlation_id")
    _index("tool_executions", "tenant_id", "created_at")
    _index_present("tool_executions", "agent_id", "user_id")


def _create_llm_round_table_results() -> None:
    _create_table(
        "llm_round_table_results",
        _id(),
        _tenant(),
        _text("result_id", 255, required=True),
        _text("task_category", 100),
        _text("prompt"),
        _text("winner_provider", 100),
        _text("winner_response"),
        sa.Column("participants", DOCUMENT),
        sa.Column("scores", DOCUMENT),
        *_times(),
        unique=[("tenant_id", "result_id")],
        references=OF_TENANT,
    )
    _index("llm_round_table_results", "tenant_id", "task_category")


def _create_rag_documents() -> None:
    _create_table(
        "rag_documents",
        _id(),
        _tenant(),
        _text("document_id", 255, required=True),
        sa.Column("chunk_index", sa.Integer(), nullable=False),
        sa.Column("total_chunks", sa.Integer(), nullable=False),
        _text("source_path"),
        _text("content", required=True),
        _text("content_hash", 64, required=True),
        _text("embedding_model", 255),
        sa.Column("embedding", sa.LargeBinary()),
        sa.Column("extra_data", DOCUMENT),
        *_times(),
        unique=[("tenant_id", "document_id", "chunk_index")],
        references=OF_TENANT,
        checks={
            "chunk_index_range": "chunk_index >= 0",
            "chunk_index_limit": "chunk_index < total_chunks",
            "content_hash_shape": (
                f"length(content_hash) = 64 AND trim(content_hash, '{HEXADECIMAL}') = ''"
            ),
            "embedding_float32": "length(embedding) > 0 AND length(embedding) % 4 = 0",
        },
    )


# What every table needs. Revisions are history, so each keeps a copy of its own.


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _id() -> sa.Column[UUID]:
    default = sa.text(f"({SQLITE_RANDOM_UUID})" if _on_sqlite() else "gen_random_uuid()")
    return sa.Column("id", sa.Uuid(), server_default=default, nullable=False)


def _text(
    name: str, length: int | None = None, *, required: bool = False, default: str | None = None
) -> sa.Column[str]:
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, server_default=default, nullable=not required)


def _tenant() -> sa.Column[str]:
    return _text("tenant_id", 50, required=True, default="default")


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text(f"({SQLITE_NOW})" if _on_sqlite() else "now()")
    return sa.Column(name, MOMENT, server_default=now, nullable=False)


def _times() -> tuple[sa.Column[datetime], sa.Column[datetime]]:
    return _now("created_at"), _now("updated_at")


def _create_table(
    table: str,
    *columns: sa.Column[Any],
    unique: Sequence[Sequence[str]] = (),
    references: Mapping[str, tuple[str, str]] = NOTHING,
    checks: Mapping[str, str] = NOTHING,
) -> None:
    forms = _forms(columns, {*references}, {*checks})
    conditions = {**checks, **forms}
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        *(sa.UniqueConstraint(*own, name=op.f(f"uq_{table}_{'_'.join(own)}")) for own in unique),
        *(
            sa.ForeignKeyConstraint([own], [other], name=op.f(f"fk_{table}_{own}"), ondelete=action)
            for own, (other, action) in references.items()
        ),
        *(sa.CheckConstraint(sql, op.f(f"ck_{table}_{part}")) for part, sql in conditions.items()),
    )
    _keep_updated_at(table)


def _forms(
    columns: Sequence[sa.Column[Any]], references: set[str], checks: set[str]
) -> dict[str, str]:
    """CHECKs for what the engine's types let through; foreign keys hold what their parents hold."""
    forms = {}
    for column in columns:
        name = column.name
        suffix, on_sqlite, on_postgresql = _form(column.type)
        has_own = name in references or checks & {
            f"{name}_{p}" for p in ("known", "length", "shape")
        }
        sql = on_sqlite if _on_sqlite() else on_postgresql
        if sql and not (has_own and suffix in {"length", "integer"}):
            forms[f"{name}_{suffix}"] = sql.format(name)
    return forms


def _form(kind: sa.types.TypeEngine[Any]) -> tuple[str, str, str]:
    """Return how the CHECK's name ends, and its SQL on SQLite and on PostgreSQL, if any."""
    if kind is MOMENT:
        return "utc", UTC_ON_SQLITE, UTC_ON_POSTGRESQL
    if kind is DOCUMENT:
        return "json", "{0} IS NULL OR json_valid({0})", ""
    if isinstance(kind, sa.Numeric) and kind.precision:
        highest = 10**kind.precision - 1
        return "exact", f"{WHOLE} AND {{0}} BETWEEN {-highest} AND {highest}", "{0} <> 'NaN'"
    if isinstance(kind, sa.Uuid):
        digits = f"length({{0}}) = 32 AND trim({{0}}, '{HEXADECIMAL}') = ''"
        return "uuid", digits, ""
    if isinstance(kind, sa.LargeBinary):
        return "bytes", "typeof({0}) IN ('blob', 'null')", ""
    if isinstance(kind, sa.Integer) and kind is not KEY:
        return "integer", _between(2 ** (BITS[type(kind)] - 1)), ""
    if isinstance(kind, sa.String) and kind.length is not None:
        return "length", f"length({{0}}) <= {kind.length}", ""
    return "", "", ""


def _between(limit: int) -> str:
    """Whole numbers of a range; SQLite's own integers end where bigint does."""
    return WHOLE if limit == 2**63 else f"{WHOLE} AND {{0}} BETWEEN {-limit} AND {limit - 1}"


def _keep_updated_at(table: str) -> None:
    if _on_sqlite():
        op.execute(
            f"CREATE TRIGGER trg_{table}_updated_at AFTER UPDATE ON {table} FOR EACH ROW"  # noqa: S608 - names above
            f" WHEN NEW.updated_at IS OLD.updated_at AND NEW.updated_at IS NOT {SQLITE_NOW}"
            f" BEGIN UPDATE {table} SET updated_at = {SQLITE_NOW} WHERE id = NEW.id; END"
        )
    else:
        op.execute(
            f"CREATE TRIGGER trg_{table}_updated_at BEFORE UPDATE ON {table} FOR EACH ROW"
            " WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at)"
            " EXECUTE FUNCTION qadb_set_updated_at()"
        )


def _index(table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        op.f(f"idx_{table}_{'_'.join(columns)}"),
        table,
        list(columns),
        postgresql_where=condition,
        sqlite_where=condition,
    )


def _index_present(table: str, *columns: str) -> None:
    for column in columns:
        _index(table, column, where=f"{column} IS NOT NULL")

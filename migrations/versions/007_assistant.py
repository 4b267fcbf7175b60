"""Assistant: conversations, messages, notes that are found by their words, events."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

revision: str = "007"
down_revision: str | None = "006"
branch_labels: str | None = None
depends_on: str | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NOTHING: Mapping[str, Any] = MappingProxyType({})
SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"
TEXT_LIST = sa.JSON().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")

OF_TENANT = {"tenant_id": ("tenants.id", "RESTRICT")}
OF_USER = {**OF_TENANT, "user_id": ("users.id", "CASCADE")}

RULE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=;,+-"
FREQUENCIES = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")

# Decomposed, an accented letter is the letter and a mark; the marks go.
FOLD_ACCENTS = r"""
CREATE FUNCTION qadb_fold_accents(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(normalize(words, NFD), '[\u0300-\u036f]', '', 'g')"""

SEARCH_DOCUMENT = """
ALTER TABLE notes ADD COLUMN search_document tsvector NOT NULL GENERATED ALWAYS AS (
  setweight(to_tsvector('simple', qadb_fold_accents(left(title, 100000))), 'A')
  || setweight(to_tsvector('simple', qadb_fold_accents(left(content, 100000))), 'B')
) STORED"""

SEARCH_TABLE = """
CREATE VIRTUAL TABLE notes_search USING fts5(title, content, content = 'notes',
  content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2')"""

FORGET_OLD = """
  INSERT INTO notes_search (notes_search, rowid, title, content)
  VALUES ('delete', OLD.id, OLD.title, OLD.content)"""

FORGET_REPLACED = """
  INSERT INTO notes_search (notes_search, rowid, title, content)
  SELECT 'delete', record_id, json_extract(old_values, '$.title'),
    json_extract(old_values, '$.content')
  FROM replaced_rows WHERE table_name = 'notes' AND record_id = NEW.id;
  DELETE FROM replaced_rows WHERE table_name = 'notes'"""

ENTER = """
  INSERT INTO notes_search (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content)"""

PUT_ASIDE = """
  DELETE FROM replaced_rows WHERE table_name = 'notes';
  INSERT INTO replaced_rows (table_name, record_id, tenant_id, old_values)
  SELECT 'notes', id, tenant_id, json_object('title', title, 'content', content) FROM notes"""

DROP_ASIDE = "DELETE FROM replaced_rows WHERE table_name = 'notes' AND record_id = OLD.id"

# name: when it fires, and what it does. A replaced row is no longer aside once its own delete
# trigger has fired, as it does where triggers are recursive.
SEARCH_TRIGGERS = {
    "replacing_insert": ("BEFORE INSERT", "", f"{PUT_ASIDE} WHERE id = NEW.id"),
    "replacing_move": (
        "BEFORE UPDATE",
        "WHEN NEW.id <> OLD.id",
        f"{PUT_ASIDE} WHERE id <> OLD.id AND (id = NEW.id)",
    ),
    "search_insert": ("AFTER INSERT", "", f"{FORGET_REPLACED}; {ENTER}"),
    "search_update": (
        "AFTER UPDATE OF title, content",
        "WHEN NEW.id = OLD.id",
        f"{FORGET_OLD}; {ENTER}",
    ),
    "search_move": (
        "AFTER UPDATE",
        "WHEN NEW.id <> OLD.id",
        f"{FORGET_REPLACED}; {FORGET_OLD}; {ENTER}",
    ),
    "search_delete": (
        "AFTER DELETE",
        "",
        f"{DROP_ASIDE}; {FORGET_OLD}",
    ),
}

# What an engine's types take and the columns must not hold: no moment, no number, no text.
UTC_ON_SQLITE = (
    "{0} GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
    " AND date(substr({0}, 1, 19), '+0 days') IS substr({0}, 1, 10) AND {0} > '0001'"
)
UTC_ON_POSTGRESQL = (
    "{0} >= timestamp '0001-01-01' AT TIME ZONE 'UTC'"
    " AND {0} < timestamp '10000-01-01' AT TIME ZONE 'UTC'"
)
LIST_ON_SQLITE = "{0} IS NULL OR json_valid({0}) AND json_type({0}) = 'array'"
LIST_ON_POSTGRESQL = "array_ndims({0}) = 1 AND array_position({0}, NULL) IS NULL"


def upgrade() -> None:
    if not _on_sqlite():
        op.execute(FOLD_ACCENTS)
    _create_conversations()
    _create_message_history()
    _create_notes()
    _create_events()


def downgrade() -> None:
    if _on_sqlite():
        op.execute("DROP TABLE notes_search")
    for table in ("events", "notes", "message_history", "conversations"):
        op.drop_table(table)
    if not _on_sqlite():
        op.execute("DROP FUNCTION qadb_fold_accents(text)")


def _create_conversations() -> None:
    _create_table(
        "conversations",
        _id(),
        _tenant(),
        _text("session_id", 255, required=True),
        sa.Column("user_id", KEY, nullable=False),
        _text("current_state", 100),
        sa.Column("context_data", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        _now("last_activity_at"),
        *_times(),
        unique=[("tenant_id", "session_id")],
        references=OF_USER,
    )
    for column in ("user_id", "current_state", "last_activity_at"):
        _index("conversations", column)


def _create_message_history() -> None:
    _create_table(
        "message_history",
        _id(),
        _tenant(),
        sa.Column("conversation_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        _text("user_message"),
        _text("bot_response"),
        _text("intent_detected", 100),
        sa.Column("entities_extracted", DOCUMENT),
        sa.Column("confidence_score", sa.Double()),
        *_times(),
        references={**OF_USER, "conversation_id": ("conversations.id", "CASCADE")},
        checks={"confidence_score_range": "confidence_score BETWEEN 0 AND 1"},
    )
    _index("message_history", "tenant_id", "created_at")
    for column in ("intent_detected", "conversation_id", "user_id"):
        _index("message_history", column)


def _create_notes() -> None:
    _create_table(
        "notes",
        _id(),
        _tenant(),
        sa.Column("user_id", KEY, nullable=False),
        _text("title", required=True),
        _text("content", required=True, default=""),
        sa.Column("tags", TEXT_LIST),
        _text("category", 100),
        _flag("is_pinned"),
        sa.Column("deleted_at", MOMENT),
        *_times(),
        references=OF_USER,
    )
    _index("notes", "user_id")
    _index("notes", "tenant_id", "id")
    if _on_sqlite():
        op.execute(SEARCH_TABLE)
        for name, (moment, condition, body) in SEARCH_TRIGGERS.items():
            op.execute(
                f"CREATE TRIGGER trg_notes_{name} {moment} ON notes FOR EACH ROW {condition}"
                f" BEGIN {body}; END"
            )
    else:
        op.execute(SEARCH_DOCUMENT)
        op.execute("CREATE INDEX idx_notes_search_document ON notes USING gin (search_document)")


def _create_events() -> None:
    frequency = " OR ".join(
        f"';' || recurrence_rule || ';' LIKE '%;FREQ={word};%'" for word in FREQUENCIES
    )
    _create_table(
        "events",
        _id(),
        _tenant(),
        sa.Column("user_id", KEY, nullable=False),
        _text("title", required=True),
        _text("description"),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT),
        _text("recurrence_rule"),
        sa.Column("extra_data", DOCUMENT),
        sa.Column("deleted_at", MOMENT),
        *_times(),
        references=OF_USER,
        checks={
            "ends_at_order": "ends_at >= starts_at",
            "recurrence_rule_rfc5545": (
                f"trim(recurrence_rule, '{RULE_CHARACTERS}') = '' AND ({frequency})"
            ),
        },
    )
    _index("events", "user_id", "starts_at")
    _index("events", "tenant_id", "id")


# What every table needs. Revisions are history, so each keeps a copy of its own.


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _id() -> sa.Column[int]:
    return sa.Column("id", KEY, sa.Identity(), nullable=False)


def _text(
    name: str, length: int | None = None, *, required: bool = False, default: str | None = None
) -> sa.Column[str]:
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, server_default=default, nullable=not required)


def _tenant() -> sa.Column[str]:
    return _text("tenant_id", 50, required=True, default="default")


def _flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    value = sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean(), server_default=value, nullable=False)


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
    for column in columns:
        if column.type is TEXT_LIST:
            _watch_list(table, column.name)


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
    if kind is TEXT_LIST:
        return "list", LIST_ON_SQLITE, LIST_ON_POSTGRESQL
    if kind is DOCUMENT:
        return "json", "{0} IS NULL OR json_valid({0})", ""
    if isinstance(kind, sa.Boolean):
        return "boolean", "{0} IN (0, 1)", ""
    if isinstance(kind, sa.String) and kind.length is not None:
        return "length", f"length({{0}}) <= {kind.length}", ""
    return "", "", ""


def _watch_list(table: str, column: str) -> None:
    """SQLite's lists are JSON, and no CHECK may look at what stands in one."""
    if not _on_sqlite():
        return
    has_other = f"EXISTS (SELECT 1 FROM json_each(NEW.{column}) WHERE type <> 'text')"  # noqa: S608 - names above
    refusal = f"CHECK constraint failed: ck_{table}_{column}_list"
    for name, event in (("insert", "INSERT"), ("update", f"UPDATE OF {column}")):
        op.execute(
            f"CREATE TRIGGER trg_{table}_{column}_{name} AFTER {event} ON {table} FOR EACH ROW"
            f" WHEN NEW.{column} IS NOT NULL AND {has_other}"
            f" BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


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


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"idx_{table}_{'_'.join(columns)}"), table, list(columns))

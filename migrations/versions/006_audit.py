"""Audit: triggers write every change of an audited table, and the log takes new entries only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

revision: str = "006"
down_revision: str | None = "005"
branch_labels: str | None = None
depends_on: str | None = None

# table: its columns but updated_at, whose change alone is none.
AUDITED = {
    "users": """
        id tenant_id username email first_name last_name full_name password_hash role_id is_active
        is_verified is_locked failed_login_attempts last_login_attempt password_changed_at
        api_key_hash session_timeout_minutes telegram_id preferences created_by updated_by
        deleted_at created_at""",
    "applications": """
        id tenant_id code name description is_active created_by updated_by deleted_at created_at""",
    "environments": """
        id tenant_id name kind base_url status last_used_at hardware_config_id created_by
        updated_by deleted_at created_at""",
    "products": """
        id tenant_id external_id sku name description category price inventory_quantity status
        tags extra_data created_by updated_by deleted_at created_at""",
    "bugs": """
        id tenant_id external_id test_case_id run_id title description severity status reported_by
        reported_at resolved_at created_by updated_by deleted_at created_at""",
    "slas": """
        id tenant_id application_id request_name metric threshold unit direction is_active
        created_by updated_by created_at""",
}

# table: columns that are unique within a tenant among live rows.
UNIQUE = {
    "users": ("email", "telegram_id", "username"),
    "applications": ("code",),
    "environments": ("name",),
    "products": ("sku",),
}

SECRETS = {"password_hash", "api_key_hash"}
FLAGS = {"is_active", "is_verified", "is_locked"}
DOCUMENTS = {"preferences", "tags", "extra_data"}
DECIMAL_DIGITS = {"price": 2, "threshold": 6}

WRITE_ENTRY = """
CREATE FUNCTION qadb_write_audit_log() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  never_copied CONSTANT text[] := '{password_hash,api_key_hash,updated_at}';
  old_values jsonb;
  new_values jsonb;
  subject jsonb;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    old_values := to_jsonb(OLD) - never_copied;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    new_values := to_jsonb(NEW) - never_copied;
  END IF;
  subject := coalesce(old_values, new_values);
  EXECUTE format(
    'INSERT INTO %I.audit_logs (tenant_id, user_id, table_name, record_id, action_type,'
    ' old_values, new_values, ip_address, user_agent, session_id)'
    ' VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', TG_TABLE_SCHEMA)
  USING subject ->> 'tenant_id', NULLIF(current_setting('qadb.user_id', true), '')::bigint,
    TG_TABLE_NAME, subject ->> 'id', TG_OP, old_values, new_values,
    NULLIF(current_setting('qadb.ip_address', true), ''),
    NULLIF(current_setting('qadb.user_agent', true), ''),
    NULLIF(current_setting('qadb.session_id', true), '');
  RETURN NULL;
END
$$"""

REFUSE_TRUNCATE = """
CREATE FUNCTION qadb_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is audited and cannot be truncated', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege', HINT = 'DELETE the rows instead.';
END
$$"""

GUARD_LOG = """
CREATE FUNCTION qadb_guard_audit_logs() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('qadb.audit_cleanup', true) = 'on' AND (
    SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = TG_RELID
  ) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'audit_logs is append-only'
    USING ERRCODE = 'insufficient_privilege',
      HINT = 'Only its owner''s cleanup may remove entries.';
END
$$"""

AUDIT_CONTEXT = """
CREATE TABLE audit_context (
  id INTEGER NOT NULL,
  user_id BIGINT,
  ip_address VARCHAR(45),
  user_agent TEXT,
  session_id VARCHAR(255),
  is_cleanup BOOLEAN DEFAULT 0 NOT NULL,
  CONSTRAINT pk_audit_context PRIMARY KEY (id),
  CONSTRAINT ck_audit_context_id_single CHECK (id = 1),
  CONSTRAINT ck_audit_context_user_id_exact CHECK (typeof(user_id) IN ('integer', 'null')),
  CONSTRAINT ck_audit_context_ip_address_length CHECK (length(ip_address) <= 45),
  CONSTRAINT ck_audit_context_session_id_length CHECK (length(session_id) <= 255),
  CONSTRAINT ck_audit_context_is_cleanup_boolean CHECK (is_cleanup IN (0, 1))
)"""

REPLACED_ROWS = """
CREATE TABLE replaced_rows (
  table_name VARCHAR(100) NOT NULL,
  record_id INTEGER NOT NULL,
  tenant_id VARCHAR(50) NOT NULL,
  old_values JSON NOT NULL,
  CONSTRAINT pk_replaced_rows PRIMARY KEY (table_name, record_id)
) WITHOUT ROWID"""

ASIDE = "(table_name, record_id, tenant_id, old_values)"
ENTRY = (
    "(tenant_id, user_id, table_name, record_id, action_type, old_values, new_values,"
    " ip_address, user_agent, session_id)"
)

# Before an insert, the id that the database will choose shows as -1.
SQLITE_GUARDS = {
    "no_update": ("BEFORE UPDATE", ""),
    "no_delete": (
        "BEFORE DELETE",
        "WHEN NOT EXISTS (SELECT 1 FROM audit_context WHERE is_cleanup = 1)",
    ),
    "no_replace": (
        "BEFORE INSERT",
        "WHEN EXISTS (SELECT 1 FROM audit_logs WHERE id = NEW.id)",
    ),
    "no_negative_id": ("AFTER INSERT", "WHEN NEW.id < 1"),
}
REFUSALS = {"no_negative_id": "the ids of audit_logs count from 1"}


def upgrade() -> None:
    if _on_sqlite():
        op.execute(AUDIT_CONTEXT)
        op.execute(REPLACED_ROWS)
        _guard_log_on_sqlite()
        for table in AUDITED:
            _audit_on_sqlite(table)
    else:
        for function in (WRITE_ENTRY, REFUSE_TRUNCATE, GUARD_LOG):
            op.execute(function)
        op.execute("REVOKE EXECUTE ON FUNCTION qadb_write_audit_log() FROM PUBLIC")
        op.execute(
            "CREATE TRIGGER trg_audit_logs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            " ON audit_logs FOR EACH STATEMENT EXECUTE FUNCTION qadb_guard_audit_logs()"
        )
        for table in AUDITED:
            _audit_on_postgresql(table)


def downgrade() -> None:
    if _on_sqlite():
        for name in SQLITE_GUARDS:
            op.execute(f"DROP TRIGGER trg_audit_logs_{name}")
        for table in AUDITED:
            for name, *_ in _sqlite_triggers(table):
                op.execute(f"DROP TRIGGER trg_{table}_{name}")
        op.execute("DROP TABLE replaced_rows")
        op.execute("DROP TABLE audit_context")
    else:
        for table in AUDITED:
            op.execute(f"DROP TRIGGER trg_{table}_audit ON {table}")
            op.execute(f"DROP TRIGGER trg_{table}_no_truncate ON {table}")
        op.execute("DROP TRIGGER trg_audit_logs_append_only ON audit_logs")
        for name in ("qadb_guard_audit_logs", "qadb_refuse_truncate", "qadb_write_audit_log"):
            op.execute(f"DROP FUNCTION {name}()")


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _audit_on_postgresql(table: str) -> None:
    columns = ", ".join(AUDITED[table].split())
    op.execute(
        f"CREATE TRIGGER trg_{table}_audit AFTER INSERT OR DELETE OR UPDATE OF {columns}"
        f" ON {table} FOR EACH ROW EXECUTE FUNCTION qadb_write_audit_log()"
    )
    op.execute(
        f"CREATE TRIGGER trg_{table}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION qadb_refuse_truncate()"
    )


def _guard_log_on_sqlite() -> None:
    for name, (moment, condition) in SQLITE_GUARDS.items():
        refusal = REFUSALS.get(name, "audit_logs is append-only")
        op.execute(
            f"CREATE TRIGGER trg_audit_logs_{name} {moment} ON audit_logs FOR EACH ROW {condition}"
            f" BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def _audit_on_sqlite(table: str) -> None:
    for name, moment, condition, body in _sqlite_triggers(table):
        op.execute(
            f"CREATE TRIGGER trg_{table}_{name} {moment} ON {table} FOR EACH ROW {condition}"
            f" BEGIN {body}; END"
        )


def _sqlite_triggers(table: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, moment, condition and body of each trigger.

    REPLACE deletes without a delete trigger: what stands in the way of a row is put aside before
    the row is written, and what lies aside after that was replaced.
    """
    names = AUDITED[table].split()
    unique = ("id",) if table not in UNIQUE else ("id", "tenant_id", *UNIQUE[table], "deleted_at")
    keys = [name for name in names if name in unique]
    obstacles = " OR ".join(["id = NEW.id", *(_same_live(name) for name in UNIQUE.get(table, ()))])
    clear = f"DELETE FROM replaced_rows WHERE table_name = '{table}'"  # noqa: S608 - names above
    row = f"'{table}', id, tenant_id, {_json(table, '')}"
    aside = f"{clear}; INSERT INTO replaced_rows {ASIDE} SELECT {row} FROM {table} WHERE"  # noqa: S608 - names above
    old, new = _json(table, "OLD."), _json(table, "NEW.")
    replaced = _entry(
        table, "DELETE", "replaced.old_values", "NULL", source="replaced_rows AS replaced"
    )
    gone = f"replaced.record_id NOT IN (SELECT id FROM {table} WHERE id = replaced.record_id)"  # noqa: S608 - names above
    replaced = (
        f"{replaced} WHERE replaced.table_name = '{table}'"
        f" AND (replaced.record_id = NEW.id OR {gone}); {clear}"
    )
    yield "replacing_insert", "BEFORE INSERT", "", f"{aside} {obstacles}"
    for name, event, condition in _updates(keys):
        body = f"{aside} id <> OLD.id AND ({obstacles})"
        yield f"replacing_{name}", f"BEFORE {event}", condition, body
    inserted = _entry(table, "INSERT", "NULL", new)
    yield "audit_insert", "AFTER INSERT", "", f"{replaced}; {inserted}"
    for name, event, condition in _updates(names):
        yield f"audit_{name}", f"AFTER {event}", condition, _entry(table, "UPDATE", old, new)
    for name, event, condition in _updates(keys):
        yield f"audit_replacing_{name}", f"AFTER {event}", condition, replaced
    deleted = _entry(table, "DELETE", old, "NULL")
    yield "audit_delete", "AFTER DELETE", "", f"{clear} AND record_id = OLD.id; {deleted}"


def _updates(columns: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, event and condition of what sees a change of any of the columns.

    UPDATE OF id does not see SET rowid: what moves a row to another id has a trigger for all.
    """
    others = ", ".join(column for column in columns if column != "id")
    if others:
        yield "update", f"UPDATE OF {others}", "WHEN NEW.id = OLD.id"
    yield "move", "UPDATE", "WHEN NEW.id <> OLD.id"


def _same_live(name: str) -> str:
    live = "deleted_at IS NULL AND NEW.deleted_at IS NULL"
    return f"tenant_id = NEW.tenant_id AND {name} = NEW.{name} AND {live}"


def _entry(table: str, action: str, old: str, new: str, *, source: str = "(SELECT 1)") -> str:
    row = "NEW" if action == "INSERT" else "OLD"
    tenant_id, record_id = f"{row}.tenant_id", f"{row}.id"
    if source != "(SELECT 1)":
        tenant_id, record_id = "replaced.tenant_id", "replaced.record_id"
    values = f"{tenant_id}, context.user_id, '{table}', {record_id}, '{action}', {old}, {new}"
    return (
        f"INSERT INTO audit_logs {ENTRY}"  # noqa: S608 - names above
        f" SELECT {values}, context.ip_address, context.user_agent, context.session_id"
        f" FROM {source} LEFT JOIN audit_context AS context"
    )


def _json(table: str, prefix: str) -> str:
    """Return the expression for a row as JSON, written as PostgreSQL writes it."""
    names = [name for name in AUDITED[table].split() if name not in SECRETS]
    pairs = ", ".join(f"'{name}', {_value(name, prefix)}" for name in names)
    return f"json_object({pairs})"


def _value(column: str, prefix: str) -> str:
    name = f"{prefix}{column}"
    if column in FLAGS:
        return f"json(CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
    if column in DOCUMENTS:
        return f"json({name})"
    if column in DECIMAL_DIGITS:
        digits, unit = DECIMAL_DIGITS[column], 10 ** DECIMAL_DIGITS[column]
        sign = f"CASE WHEN {name} < 0 THEN '-' ELSE '' END"
        number = f"printf('%d.%0{digits}d', abs({name}) / {unit}, abs({name}) % {unit})"
        return f"json(CASE WHEN {name} IS NOT NULL THEN {sign} || {number} END)"
    return name

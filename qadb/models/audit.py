"""Audit: every change of an audited table is written to `audit_logs` by triggers.

Whoever changes a row, by whichever way, one change makes one entry; hashes of passwords and keys
never enter it. The log itself takes new entries only. Owns the triggers of both engines and what
they read. On whose behalf a transaction works it states itself: on PostgreSQL in transaction-local
settings (`qadb.user_id`, `qadb.ip_address`, `qadb.user_agent`, `qadb.session_id`), on SQLite in the
one row of `audit_context`, which is there for the length of a transaction.

Owners stand above it: on PostgreSQL the tables' owner can disable a trigger, on SQLite whoever may
write the file can drop one. Ordinary roles need no more than SELECT on the log, as the triggers
write it by themselves; one that may INSERT can forge entries of its own tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import JSON, Boolean

from qadb.models import replacement, triggers
from qadb.models.types import ScaledNumeric, TextArray

if TYPE_CHECKING:
    from sqlalchemy import Column, MetaData, Table

# Secrets, and the moment of the change, which the entry's own created_at tells.
NEVER_COPIED = ("password_hash", "api_key_hash", "updated_at")

# SECURITY DEFINER: who may change a table need not be able to write the log, and so can't forge
# it. Nobody else may hang the function on a table of their own. Nothing in it is looked up by a
# search path that the caller could set; the log is the one beside the changed table.
_WRITE_ENTRY = """\
CREATE OR REPLACE FUNCTION qadb_write_audit_log() RETURNS trigger LANGUAGE plpgsql
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

_KEEP_ENTRY_WRITER = "REVOKE EXECUTE ON FUNCTION qadb_write_audit_log() FROM PUBLIC"

# Removing every row at once would pass the log, and row-level security as well.
_REFUSE_TRUNCATE = """\
CREATE OR REPLACE FUNCTION qadb_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is audited and cannot be truncated', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege', HINT = 'DELETE the rows instead.';
END
$$"""

_GUARD_LOG = """\
CREATE OR REPLACE FUNCTION qadb_guard_audit_logs() RETURNS trigger LANGUAGE plpgsql
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

_POSTGRESQL_TRIGGERS = (
    """\
CREATE TRIGGER trg_{table}_audit AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table}
FOR EACH ROW EXECUTE FUNCTION qadb_write_audit_log()""",
    """\
CREATE TRIGGER trg_{table}_no_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION qadb_refuse_truncate()""",
)

# For each statement, so that it is refused even where no row would change.
_POSTGRESQL_GUARD = """\
CREATE TRIGGER trg_audit_logs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
FOR EACH STATEMENT EXECUTE FUNCTION qadb_guard_audit_logs()"""

_CREATE_CONTEXT = """\
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

_ENTRY = """\
INSERT INTO audit_logs (tenant_id, user_id, table_name, record_id, action_type, old_values,
    new_values, ip_address, user_agent, session_id)
  SELECT {tenant_id}, context.user_id, '{table}', {record_id}, '{action}', {old}, {new},
    context.ip_address, context.user_agent, context.session_id
  FROM {source} LEFT JOIN audit_context AS context"""

_SQLITE_TRIGGERS = (
    """\
CREATE TRIGGER trg_{table}_audit_insert AFTER INSERT ON {table} FOR EACH ROW
BEGIN
  {replaced};
  DELETE FROM replaced_rows WHERE table_name = '{table}';
  {inserted};
END""",
    # With recursive triggers, it fires for a row that is replaced: that is no longer aside then.
    """\
CREATE TRIGGER trg_{table}_audit_delete AFTER DELETE ON {table} FOR EACH ROW
BEGIN
  DELETE FROM replaced_rows WHERE table_name = '{table}' AND record_id = OLD.id;
  {deleted};
END""",
)

# What a change replaces is reported by a trigger on the keys, the change itself by another.
_REPORT_REPLACED = """\
CREATE TRIGGER trg_{table}_audit_replacing_{name} AFTER {event} ON {table} FOR EACH ROW
WHEN {condition}
BEGIN
  {replaced};
  DELETE FROM replaced_rows WHERE table_name = '{table}';
END"""
_REPORT_CHANGED = """\
CREATE TRIGGER trg_{table}_audit_{name} AFTER {event} ON {table} FOR EACH ROW
WHEN {condition}
BEGIN
  {updated};
END"""

# Before an insert, the id that the database will choose shows as -1.
_SQLITE_GUARDS = (
    """\
CREATE TRIGGER trg_audit_logs_no_update BEFORE UPDATE ON audit_logs FOR EACH ROW
BEGIN
  SELECT RAISE(ABORT, 'audit_logs is append-only');
END""",
    """\
CREATE TRIGGER trg_audit_logs_no_delete BEFORE DELETE ON audit_logs FOR EACH ROW
WHEN NOT EXISTS (SELECT 1 FROM audit_context WHERE is_cleanup = 1)
BEGIN
  SELECT RAISE(ABORT, 'audit_logs is append-only');
END""",
    """\
CREATE TRIGGER trg_audit_logs_no_replace BEFORE INSERT ON audit_logs FOR EACH ROW
WHEN EXISTS (SELECT 1 FROM audit_logs WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'audit_logs is append-only');
END""",
    """\
CREATE TRIGGER trg_audit_logs_no_negative_id AFTER INSERT ON audit_logs FOR EACH ROW
WHEN NEW.id < 1
BEGIN
  SELECT RAISE(ABORT, 'the ids of audit_logs count from 1');
END""",
)


def attach_functions(metadata: MetaData) -> None:
    """Create the triggers' functions before the first table and drop them after the last."""
    triggers.before_tables(metadata, _WRITE_ENTRY, _KEEP_ENTRY_WRITER, _REFUSE_TRUNCATE, _GUARD_LOG)
    names = ("qadb_write_audit_log", "qadb_refuse_truncate", "qadb_guard_audit_logs")
    triggers.after_tables(metadata, *(f"DROP FUNCTION IF EXISTS {name}()" for name in names))


def attach_log(table: Table) -> None:
    """Guard the log, and give SQLite's triggers the tables that they work with."""
    triggers.with_table(table, "postgresql", _POSTGRESQL_GUARD)
    triggers.with_table(table, "sqlite", *_SQLITE_GUARDS, _CREATE_CONTEXT)
    triggers.without_table(table, "sqlite", "DROP TABLE audit_context")
    replacement.attach_table(table)


def attach(table: Table) -> None:
    """Write an entry for every change of the table's rows."""
    columns = [column.name for column in table.columns if column.name != "updated_at"]
    for trigger in _POSTGRESQL_TRIGGERS:
        statement = trigger.format(table=table.name, columns=", ".join(columns))
        triggers.with_table(table, "postgresql", statement)
    replacement.put_aside(table, _values(table, ""))
    parts = {
        "table": table.name,
        "replaced": _replaced_entry(table),
        "inserted": _entry(table, "INSERT", "NEW", new=_values(table, "NEW.")),
        "updated": _entry(
            table, "UPDATE", "OLD", old=_values(table, "OLD."), new=_values(table, "NEW.")
        ),
        "deleted": _entry(table, "DELETE", "OLD", old=_values(table, "OLD.")),
    }
    for trigger in _SQLITE_TRIGGERS:
        triggers.with_table(table, "sqlite", trigger.format(**parts))
    for report, watched in (
        (_REPORT_REPLACED, replacement.key_columns(table)),
        (_REPORT_CHANGED, columns),
    ):
        for update in replacement.updates(watched):
            triggers.with_table(table, "sqlite", report.format(**parts, **update))


def _entry(table: Table, action: str, row: str, *, old: str = "NULL", new: str = "NULL") -> str:
    return _ENTRY.format(
        table=table.name,
        action=action,
        tenant_id=f"{row}.tenant_id",
        record_id=f"{row}.id",
        old=old,
        new=new,
        source="(SELECT 1)",
    )


def _replaced_entry(table: Table) -> str:
    """Report what lies aside and is gone: a row of id -1 may be taken for one in the way."""
    entry = _ENTRY.format(
        table=table.name,
        action="DELETE",
        tenant_id="replaced.tenant_id",
        record_id="replaced.record_id",
        old="replaced.old_values",
        new="NULL",
        source="replaced_rows AS replaced",
    )
    gone = f"replaced.record_id NOT IN (SELECT id FROM {table.name} WHERE id = replaced.record_id)"  # noqa: S608 - the model's own name
    return (
        f"{entry} WHERE replaced.table_name = '{table.name}'"
        f" AND (replaced.record_id = NEW.id OR {gone})"
    )


def _values(table: Table, prefix: str) -> str:
    """Return SQLite's expression for a row as JSON, written as PostgreSQL writes it."""
    copied = (column for column in table.columns if column.name not in NEVER_COPIED)
    pairs = ", ".join(f"'{column.name}', {_value(column, prefix)}" for column in copied)
    return f"json_object({pairs})"


def _value(column: Column[object], prefix: str) -> str:
    name, kind = f"{prefix}{column.name}", column.type
    if isinstance(kind, Boolean):
        return f"json(CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
    if isinstance(kind, ScaledNumeric):
        unit, sign = 10**kind.scale, f"CASE WHEN {name} < 0 THEN '-' ELSE '' END"
        digits = f"printf('%d.%0{kind.scale}d', abs({name}) / {unit}, abs({name}) % {unit})"
        return f"json(CASE WHEN {name} IS NOT NULL THEN {sign} || {digits} END)"
    if isinstance(kind, JSON | TextArray):
        return f"json({name})"
    return name

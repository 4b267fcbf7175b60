"""Testing: cases, runs, results, bugs, and where they came from."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

revision: str = "003"
down_revision: str | None = "002"
branch_labels: str | None = None
depends_on: str | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TEXT_LIST = sa.JSON().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")
NOTHING: Mapping[str, Any] = MappingProxyType({})
THOUSANDTHS = sa.Numeric(12, 3).with_variant(sa.BigInteger(), "sqlite")
SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"

OWNERS = {
    "tenant_id": ("tenants.id", "RESTRICT"),
    "created_by": ("users.id", "SET NULL"),
    "updated_by": ("users.id", "SET NULL"),
}
OF_TENANT = {"tenant_id": ("tenants.id", "RESTRICT")}

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
LIST_ON_SQLITE = "{0} IS NULL OR json_valid({0}) AND json_type({0}) = 'array'"
LIST_ON_POSTGRESQL = "array_ndims({0}) = 1 AND array_position({0}, NULL) IS NULL"
BITS = {sa.SmallInteger: 16, sa.Integer: 32, sa.BigInteger: 64}

SET_DURATION = """
CREATE FUNCTION qadb_set_duration_seconds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.duration_seconds := extract(epoch FROM NEW.ended_at - NEW.started_at);
  RETURN NEW;
END
$$"""
DURATION_ON_POSTGRESQL = """
CREATE TRIGGER trg_test_runs_duration_seconds
BEFORE INSERT OR UPDATE OF started_at, ended_at, duration_seconds ON test_runs
FOR EACH ROW WHEN (NEW.duration_seconds IS NULL AND NEW.ended_at >= NEW.started_at
  AND NEW.ended_at < NEW.started_at + interval '999999999.9995 seconds')
EXECUTE FUNCTION qadb_set_duration_seconds()"""
ELAPSED = """\
((strftime('%s', substr(ended_at, 1, 19)) - strftime('%s', substr(started_at, 1, 19))) * 1000000
      + substr(ended_at, 21, 6) - substr(started_at, 21, 6) + 500) / 1000"""
# name: when it fires, and what else holds where `updated_at` goes back to what was stated.
DURATION_ON_SQLITE = {
    "insert": ("INSERT", ""),
    "update": (
        "UPDATE OF started_at, ended_at, duration_seconds",
        " AND NEW.updated_at <> OLD.updated_at",
    ),
}


def upgrade() -> None:
    _create_test_cases()
    _create_test_case_features()
    _create_test_runs()
    _derive_durations()
    _create_test_results()
    _create_bugs()
    _create_sync_events()
    _create_ingest_files()
    _create_holds()


def downgrade() -> None:
    for table in ("holds", "ingest_files", "sync_events", "bugs"):
        op.drop_table(table)
    for table in ("test_results", "test_runs", "test_case_features", "test_cases"):
        op.drop_table(table)
    if not _on_sqlite():
        op.execute("DROP FUNCTION qadb_set_duration_seconds()")


def _create_test_cases() -> None:
    _create_table(
        "test_cases",
        _id(),
        _tenant(),
        _text("case_key", 512, required=True),
        _text("external_id", 255),
        _text("name", required=True),
        _text("suite"),
        _text("classname"),
        _text("file"),
        _text("description"),
        sa.Column("application_id", KEY),
        sa.Column("product_id", KEY),
        sa.Column("test_type_id", KEY),
        _text("target_subsystem", 255),
        sa.Column("required_hardware_id", KEY),
        _text("expected_outcome"),
        sa.Column("timeout_seconds", THOUSANDTHS),
        sa.Column("tags", TEXT_LIST),
        sa.Column("extra_data", DOCUMENT),
        sa.Column("first_seen_at", MOMENT),
        sa.Column("last_seen_at", MOMENT),
        *_authors_and_times(),
        references={
            **OWNERS,
            "application_id": ("applications.id", "SET NULL"),
            "product_id": ("products.id", "SET NULL"),
            "test_type_id": ("test_types.id", "RESTRICT"),
            "required_hardware_id": ("hardware_configs.id", "SET NULL"),
        },
        checks={
            "timeout_seconds_range": "timeout_seconds > 0",
            "last_seen_at_order": "last_seen_at >= first_seen_at",
        },
    )
    _index("test_cases", "tenant_id", "case_key", unique=True, where="deleted_at IS NULL")
    _index("test_cases", "tenant_id", "id")
    _index("test_cases", "target_subsystem", "test_type_id")
    _index_present("test_cases", "application_id", "product_id", "test_type_id")
    _index_present("test_cases", "required_hardware_id", "created_by", "updated_by")


def _create_test_case_features() -> None:
    _create_table(
        "test_case_features",
        _tenant(),
        sa.Column("test_case_id", KEY, nullable=False),
        sa.Column("feature_id", KEY, nullable=False),
        key=("test_case_id", "feature_id"),
        references={
            **OF_TENANT,
            "test_case_id": ("test_cases.id", "CASCADE"),
            "feature_id": ("features.id", "CASCADE"),
        },
    )
    _index("test_case_features", "feature_id")
    _index("test_case_features", "tenant_id", "test_case_id", "feature_id")


def _create_test_runs() -> None:
    _create_table(
        "test_runs",
        _id(),
        _tenant(),
        _text("run_key", 255, required=True),
        sa.Column("application_id", KEY, nullable=False),
        _text("country_id", 2),
        sa.Column("environment_id", KEY),
        sa.Column("test_type_id", KEY),
        sa.Column("triggered_by", KEY),
        _now("started_at"),
        sa.Column("ended_at", MOMENT),
        sa.Column("duration_seconds", THOUSANDTHS),
        _text("status", 20, required=True, default="pending"),
        _text("result", 20),
        sa.Column("exit_code", sa.Integer()),
        _text("trigger_type", 100),
        _text("trigger_command"),
        _text("branch", 255),
        _text("commit_sha", 64),
        _text("build_url"),
        *(_count(name) for name in ("total", "passed", "failed", "errors", "skipped")),
        _flag("is_protected"),
        sa.Column("extra_data", DOCUMENT),
        _now("created_at"),
        _now("updated_at"),
        unique=[("tenant_id", "application_id", "run_key")],
        references={
            **OF_TENANT,
            "application_id": ("applications.id", "RESTRICT"),
            "country_id": ("countries.code", "RESTRICT"),
            "environment_id": ("environments.id", "SET NULL"),
            "test_type_id": ("test_types.id", "RESTRICT"),
            "triggered_by": ("users.id", "SET NULL"),
        },
        checks={
            "ended_at_order": "ended_at >= started_at",
            "duration_seconds_range": "duration_seconds >= 0",
            "status_known": "status IN ('pending', 'running', 'completed', 'failed', 'cancelled')",
            "result_known": "result IN ('success', 'failure', 'error', 'timeout')",
            "total_range": "total >= 0",
            "passed_range": "passed >= 0",
            "failed_range": "failed >= 0",
            "errors_range": "errors >= 0",
            "skipped_range": "skipped >= 0",
            "total_sum": "total = passed + failed + errors + skipped",
        },
        autoincrement=True,
    )
    _index("test_runs", "tenant_id", "started_at")
    _index("test_runs", "tenant_id", "status", "started_at")
    _index("test_runs", "application_id")
    _index_present("test_runs", "country_id", "environment_id", "test_type_id", "triggered_by")


def _derive_durations() -> None:
    if not _on_sqlite():
        op.execute(SET_DURATION)
        op.execute(DURATION_ON_POSTGRESQL)
        return
    for name, (event, stated) in DURATION_ON_SQLITE.items():
        op.execute(
            f"CREATE TRIGGER trg_test_runs_duration_seconds_{name} AFTER {event} ON test_runs"  # noqa: S608 - constants above
            " FOR EACH ROW WHEN NEW.duration_seconds IS NULL AND NEW.ended_at IS NOT NULL BEGIN"
            f" UPDATE test_runs SET duration_seconds = {ELAPSED}"
            f" WHERE id = NEW.id AND {ELAPSED} <= 999999999999;"
            " UPDATE test_runs SET updated_at = NEW.updated_at"
            f" WHERE id = NEW.id AND updated_at <> NEW.updated_at{stated}; END"
        )


def _create_test_results() -> None:
    one = sa.text("1")
    _create_table(
        "test_results",
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("test_case_id", KEY, nullable=False),
        sa.Column("executed_at", MOMENT),
        sa.Column("occurrence", sa.Integer(), server_default=one, nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default=one, nullable=False),
        _flag("is_final", default=True),
        _flag("is_truncated"),
        _tenant(),
        _text("status", 10, required=True),
        sa.Column("duration_ms", THOUSANDTHS),
        _text("error_type", 255),
        _text("signature", 64),
        _text("message"),
        _text("stack_trace"),
        sa.Column("artifacts", DOCUMENT),
        key=("run_id", "test_case_id", "occurrence", "attempt"),
        references={
            "run_id": ("test_runs.id", "CASCADE"),
            "test_case_id": ("test_cases.id", "RESTRICT"),
        },
        checks={
            "occurrence_range": "occurrence >= 1",
            "attempt_range": "attempt >= 1",
            "status_known": "status IN ('passed', 'failed', 'error', 'skipped', 'timeout')",
            "duration_ms_range": "duration_ms >= 0",
            "signature_passed": "signature IS NULL OR status <> 'passed'",
        },
    )
    _index("test_results", "test_case_id", "run_id")
    _index("test_results", "signature", "executed_at", where="status <> 'passed'")


def _create_bugs() -> None:
    _create_table(
        "bugs",
        _id(),
        _tenant(),
        _text("external_id", 255),
        sa.Column("test_case_id", KEY),
        sa.Column("run_id", KEY),
        _text("title", required=True),
        _text("description"),
        _text("severity", 20, required=True, default="medium"),
        _text("status", 20, required=True, default="open"),
        _text("reported_by", 255),
        _now("reported_at"),
        sa.Column("resolved_at", MOMENT),
        *_authors_and_times(),
        references={
            **OWNERS,
            "test_case_id": ("test_cases.id", "SET NULL"),
            "run_id": ("test_runs.id", "SET NULL"),
        },
        checks={
            "severity_known": "severity IN ('low', 'medium', 'high', 'critical')",
            "status_known": "status IN ('open', 'confirmed', 'fixed', 'rejected', 'known')",
            "resolved_at_order": "resolved_at >= reported_at",
        },
    )
    _index("bugs", "tenant_id", "status", "severity")
    _index_present("bugs", "test_case_id", "run_id", "created_by", "updated_by")


def _create_sync_events() -> None:
    _create_table(
        "sync_events",
        _id(),
        _tenant(),
        _text("source", 100, required=True),
        _text("entity", 100, required=True),
        _now("started_at"),
        sa.Column("completed_at", MOMENT),
        _text("status", 20, required=True, default="running"),
        *(_count(name) for name in ("rows_created", "rows_updated", "rows_deleted")),
        _text("error"),
        _text("cursor"),
        _now("created_at"),
        _now("updated_at"),
        references=OF_TENANT,
        checks={
            "completed_at_order": "completed_at >= started_at",
            "status_known": "status IN ('running', 'completed', 'failed')",
            "rows_created_range": "rows_created >= 0",
            "rows_updated_range": "rows_updated >= 0",
            "rows_deleted_range": "rows_deleted >= 0",
        },
    )
    _index("sync_events", "tenant_id", "source", "entity", "started_at")


def _create_ingest_files() -> None:
    _create_table(
        "ingest_files",
        _id(),
        _tenant(),
        _text("sha256", 64, required=True),
        _text("file_name", required=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        _text("format", 50, required=True),
        _text("dialect", 100),
        _text("tool_version", 100),
        sa.Column("run_id", KEY, nullable=False),
        _count("rows"),
        sa.Column("declared", DOCUMENT),
        sa.Column("warnings", DOCUMENT),
        _now("created_at"),
        _now("updated_at"),
        unique=[("run_id", "sha256")],
        references={**OF_TENANT, "run_id": ("test_runs.id", "CASCADE")},
        checks={
            "sha256_shape": "length(sha256) = 64 AND trim(sha256, '0123456789abcdef') = ''",
            "bytes_range": "bytes >= 0",
            "rows_range": "rows >= 0",
        },
    )
    _index("ingest_files", "tenant_id", "sha256")


def _create_holds() -> None:
    _create_table(
        "holds",
        _id(),
        _tenant(),
        _text("scope", 20, required=True),
        _text("scope_id", 255, required=True),
        _text("reason", required=True),
        _text("placed_by", 255),
        _now("placed_at"),
        sa.Column("released_at", MOMENT),
        _now("created_at"),
        _now("updated_at"),
        references=OF_TENANT,
        checks={
            "scope_known": "scope IN ('tenant', 'application', 'run')",
            "released_at_order": "released_at >= placed_at",
        },
    )
    _index("holds", "tenant_id", "scope", "scope_id")


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


def _count(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text(str(default)), nullable=False)


def _flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    value = sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean(), server_default=value, nullable=False)


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text(f"({SQLITE_NOW})" if _on_sqlite() else "now()")
    return sa.Column(name, MOMENT, server_default=now, nullable=False)


def _create_table(
    table: str,
    *columns: sa.Column[Any],
    key: Sequence[str] = ("id",),
    unique: Sequence[Sequence[str]] = (),
    references: Mapping[str, tuple[str, str]] = NOTHING,
    checks: Mapping[str, str] = NOTHING,
    autoincrement: bool = False,
) -> None:
    forms = _forms(columns, {*references}, {*checks})
    conditions = {**checks, **forms}
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        *(sa.UniqueConstraint(*own, name=op.f(f"uq_{table}_{'_'.join(own)}")) for own in unique),
        *(
            sa.ForeignKeyConstraint([own], [other], name=op.f(f"fk_{table}_{own}"), ondelete=action)
            for own, (other, action) in references.items()
        ),
        *(sa.CheckConstraint(sql, op.f(f"ck_{table}_{part}")) for part, sql in conditions.items()),
        sqlite_autoincrement=autoincrement,
    )
    if "updated_at" in [column.name for column in columns]:
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
    if isinstance(kind, sa.Numeric) and kind.precision:
        highest = 10**kind.precision - 1
        return "exact", f"{WHOLE} AND {{0}} BETWEEN {-highest} AND {highest}", "{0} <> 'NaN'"
    if isinstance(kind, sa.Integer) and kind is not KEY:
        return "integer", _between(2 ** (BITS[type(kind)] - 1)), ""
    if isinstance(kind, sa.String) and kind.length is not None:
        return "length", f"length({{0}}) <= {kind.length}", ""
    return "", "", ""


def _between(limit: int) -> str:
    """Whole numbers of a range; SQLite's own integers end where bigint does."""
    return WHOLE if limit == 2**63 else f"{WHOLE} AND {{0}} BETWEEN {-limit} AND {limit - 1}"


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


def _index(table: str, *columns: str, unique: bool = False, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        op.f(f"idx_{table}_{'_'.join(columns)}"),
        table,
        list(columns),
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )


def _index_present(table: str, *columns: str) -> None:
    for column in columns:
        _index(table, column, where=f"{column} IS NOT NULL")


def _authors_and_times() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("created_by", KEY),
        sa.Column("updated_by", KEY),
        sa.Column("deleted_at", MOMENT),
        _now("created_at"),
        _now("updated_at"),
    )

"""Quality and performance: coverage, analyses, security issues, measurements, SLAs."""

from __future__ import annotations

from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

revision: str = "004"
down_revision: str | None = "003"
branch_labels: str | None = None
depends_on: str | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NOTHING: Mapping[Any, Any] = MappingProxyType({})
SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"
TEXT_LIST = sa.JSON().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")
THOUSANDTHS = sa.Numeric(12, 3).with_variant(sa.BigInteger(), "sqlite")
MEASURE = sa.Numeric(18, 6).with_variant(sa.BigInteger(), "sqlite")
PERCENT = sa.Numeric(9, 3).with_variant(sa.BigInteger(), "sqlite")

OF_TENANT = {"tenant_id": ("tenants.id", "RESTRICT")}
RESULT_KEY = ("run_id", "test_case_id", "occurrence", "attempt")
RESPONSE_TIMES = tuple(
    f"{figure}_response_time_ms" for figure in ("mean", "p50", "p95", "p99", "max")
)

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


def upgrade() -> None:
    _create_coverage_data()
    _create_code_analyses()
    _create_failure_analyses()
    _create_security_issues()
    _create_performance_results()
    _create_performance_baselines()
    _create_slas()


def downgrade() -> None:
    for table in ("slas", "performance_baselines", "performance_results", "security_issues"):
        op.drop_table(table)
    for table in ("failure_analyses", "code_analyses", "coverage_data"):
        op.drop_table(table)


def _create_coverage_data() -> None:
    kinds = ("lines", "branches", "functions")
    _create_table(
        "coverage_data",
        _tenant(),
        sa.Column("run_id", KEY, nullable=False),
        _text("file", required=True, default=""),
        *(_count(f"{state}_{kind}") for kind in kinds for state in ("covered", "total")),
        sa.Column("uncovered", DOCUMENT),
        sa.Column("declared_rate", sa.Double()),
        _now("collected_at"),
        *_times(),
        key=("run_id", "file"),
        references={**OF_TENANT, "run_id": ("test_runs.id", "CASCADE")},
        checks={
            **{f"covered_{kind}_range": f"covered_{kind} >= 0" for kind in kinds},
            **{f"covered_{kind}_limit": f"covered_{kind} <= total_{kind}" for kind in kinds},
            "declared_rate_range": "declared_rate BETWEEN 0 AND 1",
        },
    )
    _index("coverage_data", "tenant_id", "collected_at")


def _create_code_analyses() -> None:
    _create_table(
        "code_analyses",
        _id(),
        _tenant(),
        sa.Column("application_id", KEY),
        _text("commit_sha", 64, required=True),
        _text("risk_level", 20),
        sa.Column("affected_subsystems", TEXT_LIST),
        sa.Column("changed_files", DOCUMENT),
        sa.Column("findings", DOCUMENT),
        _text("tool", 100),
        _now("analyzed_at"),
        *_times(),
        references={**OF_TENANT, "application_id": ("applications.id", "SET NULL")},
        checks={"risk_level_known": "risk_level IN ('low', 'medium', 'high', 'critical')"},
    )
    _index("code_analyses", "tenant_id", "analyzed_at")
    _index("code_analyses", "commit_sha")
    _index("code_analyses", "risk_level")
    _index_present("code_analyses", "application_id")


def _create_failure_analyses() -> None:
    one = sa.text("1")
    _create_table(
        "failure_analyses",
        _id(),
        _tenant(),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("test_case_id", KEY, nullable=False),
        sa.Column("occurrence", sa.Integer(), server_default=one, nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default=one, nullable=False),
        _text("signature", 64),
        _text("category", 100),
        _text("root_cause"),
        sa.Column("confidence", sa.Double()),
        sa.Column("suggested_fixes", DOCUMENT),
        sa.Column("related_commits", TEXT_LIST),
        *_times(),
        references=OF_TENANT,
        composite={RESULT_KEY: ("test_results", "CASCADE")},
        checks={"confidence_range": "confidence BETWEEN 0 AND 1"},
    )
    _index("failure_analyses", "tenant_id", "signature")
    _index("failure_analyses", *RESULT_KEY)


def _create_security_issues() -> None:
    _create_table(
        "security_issues",
        _id(),
        _tenant(),
        sa.Column("application_id", KEY),
        sa.Column("code_analysis_id", KEY),
        _text("tool", 100, required=True, default=""),
        _text("fingerprint", 255, required=True),
        _count("occurrence", 1),
        _text("rule_id", 255),
        _text("severity", 20, required=True, default="medium"),
        _text("cwe", 20),
        _text("cve", 30),
        _text("file"),
        sa.Column("line", sa.Integer()),
        _text("message"),
        _text("status", 20, required=True, default="open"),
        _now("first_seen_at"),
        _now("last_seen_at"),
        sa.Column("fixed_at", MOMENT),
        *_times(),
        unique={
            "fingerprint": ("tenant_id", "application_id", "tool", "fingerprint", "occurrence")
        },
        references={
            **OF_TENANT,
            "application_id": ("applications.id", "RESTRICT"),
            "code_analysis_id": ("code_analyses.id", "SET NULL"),
        },
        checks={
            "occurrence_range": "occurrence >= 1",
            "severity_known": "severity IN ('info', 'low', 'medium', 'high', 'critical')",
            "line_range": "line > 0",
            "status_known": "status IN ('open', 'triaged', 'fixed', 'false_positive')",
            "last_seen_at_order": "last_seen_at >= first_seen_at",
            "fixed_at_order": "fixed_at >= first_seen_at",
        },
    )
    _index("security_issues", "tenant_id", "status", "severity")
    _index_present("security_issues", "application_id", "code_analysis_id")


def _create_performance_results() -> None:
    measured = (*RESPONSE_TIMES, "rps_achieved")
    counts = ("total_requests", "ok_requests", "ko_requests")
    _create_table(
        "performance_results",
        _tenant(),
        sa.Column("run_id", KEY, nullable=False),
        _text("request_name", 255, required=True),
        _text("scenario", 255, required=True, default=""),
        *(_count(name) for name in counts),
        *(sa.Column(name, THOUSANDTHS) for name in measured),
        *_times(),
        key=("run_id", "request_name", "scenario"),
        references={**OF_TENANT, "run_id": ("test_runs.id", "CASCADE")},
        checks={
            **{f"{name}_range": f"{name} >= 0" for name in (*counts, *measured)},
            "total_requests_sum": "total_requests = ok_requests + ko_requests",
        },
    )
    _index("performance_results", "tenant_id", "request_name", "scenario", "run_id")


def _create_performance_baselines() -> None:
    _create_table(
        "performance_baselines",
        _id(),
        _tenant(),
        sa.Column("application_id", KEY, nullable=False),
        sa.Column("environment_id", KEY),
        sa.Column("hardware_config_id", KEY),
        _text("metric", 255, required=True),
        _text("unit", 50),
        _text("direction", 10, required=True, default="lower"),
        sa.Column("value", MEASURE, nullable=False),
        sa.Column("tolerance_pct", PERCENT, server_default=sa.text("0"), nullable=False),
        sa.Column("run_id", KEY),
        _now("valid_from"),
        sa.Column("valid_to", MOMENT),
        *_times(),
        references={
            **OF_TENANT,
            "application_id": ("applications.id", "CASCADE"),
            "environment_id": ("environments.id", "RESTRICT"),
            "hardware_config_id": ("hardware_configs.id", "RESTRICT"),
            "run_id": ("test_runs.id", "RESTRICT"),
        },
        checks={
            "direction_known": "direction IN ('lower', 'higher')",
            "tolerance_pct_range": "tolerance_pct >= 0",
            "valid_to_order": "valid_to >= valid_from",
        },
    )
    op.create_index(
        op.f("idx_performance_baselines_metric"),
        "performance_baselines",
        ["tenant_id", "application_id", "metric", "valid_from"],
    )
    _index("performance_baselines", "application_id")
    _index_present("performance_baselines", "environment_id", "hardware_config_id", "run_id")


def _create_slas() -> None:
    _create_table(
        "slas",
        _id(),
        _tenant(),
        sa.Column("application_id", KEY, nullable=False),
        _text("request_name", 255),
        _text("metric", 255, required=True),
        sa.Column("threshold", MEASURE, nullable=False),
        _text("unit", 50),
        _text("direction", 10, required=True, default="lower"),
        _flag("is_active", default=True),
        sa.Column("created_by", KEY),
        sa.Column("updated_by", KEY),
        *_times(),
        references={
            **OF_TENANT,
            "application_id": ("applications.id", "CASCADE"),
            "created_by": ("users.id", "SET NULL"),
            "updated_by": ("users.id", "SET NULL"),
        },
        checks={"direction_known": "direction IN ('lower', 'higher')"},
    )
    _index("slas", "tenant_id", "application_id", "metric")
    _index("slas", "application_id")
    _index_present("slas", "created_by", "updated_by")


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


def _times() -> tuple[sa.Column[datetime], sa.Column[datetime]]:
    return _now("created_at"), _now("updated_at")


def _create_table(
    table: str,
    *columns: sa.Column[Any],
    key: Sequence[str] = ("id",),
    unique: Mapping[str, Sequence[str]] = NOTHING,
    references: Mapping[str, tuple[str, str]] = NOTHING,
    composite: Mapping[tuple[str, ...], tuple[str, str]] = NOTHING,
    checks: Mapping[str, str] = NOTHING,
) -> None:
    forms = _forms(columns, {*references, *chain(*composite)}, {*checks})
    conditions = {**checks, **forms}
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        *(sa.UniqueConstraint(*own, name=op.f(f"uq_{table}_{n}")) for n, own in unique.items()),
        *(
            sa.ForeignKeyConstraint([own], [other], name=op.f(f"fk_{table}_{own}"), ondelete=action)
            for own, (other, action) in references.items()
        ),
        *(
            sa.ForeignKeyConstraint(
                own,
                [f"{other}.{column}" for column in own],
                name=op.f(f"fk_{table}_{'_'.join(own)}"),
                ondelete=action,
            )
            for own, (other, action) in composite.items()
        ),
        *(sa.CheckConstraint(sql, op.f(f"ck_{table}_{part}")) for part, sql in conditions.items()),
    )
    _keep_updated_at(table, key)
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


def _keep_updated_at(table: str, key: Sequence[str]) -> None:
    if _on_sqlite():
        row = " AND ".join(f"{column} = NEW.{column}" for column in key)
        op.execute(
            f"CREATE TRIGGER trg_{table}_updated_at AFTER UPDATE ON {table} FOR EACH ROW"  # noqa: S608 - names above
            f" WHEN NEW.updated_at IS OLD.updated_at AND NEW.updated_at IS NOT {SQLITE_NOW}"
            f" BEGIN UPDATE {table} SET updated_at = {SQLITE_NOW} WHERE {row}; END"
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

"""Quality and performance: coverage, analyses, security issues, measurements, SLAs."""

from __future__ import annotations

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
    forms = _sqlite_forms(columns, {*references}, {*checks}) if _on_sqlite() else {}
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


def _sqlite_forms(
    columns: Sequence[sa.Column[Any]], references: set[str], checks: set[str]
) -> dict[str, str]:
    """CHECKs for what PostgreSQL's types refuse by themselves."""
    forms = {}
    for column in columns:
        name, kind = column.name, column.type
        has_own = name in references or checks & {
            f"{name}_{p}" for p in ("known", "length", "shape")
        }
        if isinstance(kind, sa.String) and kind.length is not None and not has_own:
            forms[f"{name}_length"] = f"length({name}) <= {kind.length}"
        elif isinstance(kind, sa.Boolean):
            forms[f"{name}_boolean"] = f"{name} IN (0, 1)"
        elif kind is MOMENT:
            forms[f"{name}_utc"] = f"{name} GLOB '????-??-??T??:??:??.??????Z'"
        elif isinstance(kind, sa.Numeric):
            forms[f"{name}_exact"] = f"typeof({name}) IN ('integer', 'null')"
        elif kind is TEXT_LIST:
            valid = f"json_valid({name}) AND json_type({name}) = 'array'"
            forms[f"{name}_list"] = f"{name} IS NULL OR {valid}"
        elif kind is DOCUMENT:
            forms[f"{name}_json"] = f"{name} IS NULL OR json_valid({name})"
    return forms


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

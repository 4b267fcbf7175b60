"""Test results: one row for each attempt of a test in a run, the table that grows large.

Everything of a run lies together under one composite key, so there is no surrogate key, no times of
bookkeeping and no foreign key to the tenant. Any further index must name the query it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import (
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base
from qadb.models.mixins import DEFAULT_TENANT, LONGEST_TENANT_ID
from qadb.models.rules import Rule, at_least, null_when, one_of
from qadb.models.types import Amount, Json, JsonList, ScaledNumeric, Timestamp, UtcDateTime

if TYPE_CHECKING:
    from qadb.models.quality import FailureAnalysis
    from qadb.models.test_cases import TestCase
    from qadb.models.test_runs import TestRun

RESULT_STATUSES = ("passed", "failed", "error", "skipped", "timeout")

_NOT_PASSED = text("status <> 'passed'")


class TestResult(Base):
    """One attempt of one test in one run.

    `occurrence` numbers equal names within a report, `attempt` the retries of each, both from 1.
    The columns stand in the order that wastes no padding on PostgreSQL. An ordinary table on
    SQLite, not WITHOUT ROWID: with stack traces in the rows that is larger and twice as slow for a
    test's history; only a report with almost no failures would gain an eighth of the size.
    """

    __tablename__ = "test_results"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least("occurrence", 1),
        at_least("attempt", 1),
        one_of("status", RESULT_STATUSES),
        at_least("duration_ms", 0),
        null_when("signature", "status", "passed"),
    )
    __shown__ = ("status",)
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "test_case_id", "occurrence", "attempt"),
        Index(None, "test_case_id", "run_id"),
        Index(
            None,
            "signature",
            "executed_at",
            postgresql_where=_NOT_PASSED,
            sqlite_where=_NOT_PASSED,
        ),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("test_runs.id", ondelete="CASCADE"))
    # RESTRICT: no history goes because somebody deletes its test; cleanup takes unused tests only.
    test_case_id: Mapped[int] = mapped_column(ForeignKey("test_cases.id", ondelete="RESTRICT"))
    executed_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    occurrence: Mapped[int] = mapped_column(server_default=text("1"))
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    is_final: Mapped[bool] = mapped_column(server_default=true())
    is_truncated: Mapped[bool] = mapped_column(server_default=false())
    tenant_id: Mapped[str] = mapped_column(String(LONGEST_TENANT_ID), server_default=DEFAULT_TENANT)
    status: Mapped[str] = mapped_column(String(10))
    duration_ms: Mapped[Amount | None] = mapped_column(ScaledNumeric(12, 3))
    error_type: Mapped[str | None] = mapped_column(String(255))
    signature: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None] = mapped_column(Text)
    stack_trace: Mapped[str | None] = mapped_column(Text)
    artifacts: Mapped[JsonList | None] = mapped_column(Json)

    run: Mapped[TestRun] = relationship(back_populates="results")
    test_case: Mapped[TestCase] = relationship(back_populates="results")
    failure_analyses: Mapped[list[FailureAnalysis]] = relationship(
        back_populates="test_result", cascade="all, delete-orphan", passive_deletes=True
    )

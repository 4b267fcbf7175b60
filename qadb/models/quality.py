"""Quality: coverage, what was found in code, and why tests failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import (
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base
from qadb.models.functions import UtcNow
from qadb.models.mixins import HasId, HasTenant, HasTimestamps
from qadb.models.rules import Rule, at_least, at_most, fraction, not_before, one_of, positive
from qadb.models.types import (
    BigIntKey,
    Json,
    JsonList,
    TextList,
    Timestamp,
    UtcDateTime,
    tracked_text_list,
)

if TYPE_CHECKING:
    from qadb.models.catalog import Application
    from qadb.models.test_results import TestResult
    from qadb.models.test_runs import TestRun

RISK_LEVELS = ("low", "medium", "high", "critical")
ISSUE_SEVERITIES = ("info", "low", "medium", "high", "critical")
ISSUE_STATUSES = ("open", "triaged", "fixed", "false_positive")

_RESULT_KEY = ("run_id", "test_case_id", "occurrence", "attempt")


class CoverageData(HasTenant, HasTimestamps, Base):
    """What a run covered of one file, or of everything where `file` is empty; rates are computed.

    `declared_rate` is the share of lines, from 0 to 1, that the report states itself.
    """

    __tablename__ = "coverage_data"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least("covered_lines", 0),
        at_most("covered_lines", "total_lines"),
        at_least("covered_branches", 0),
        at_most("covered_branches", "total_branches"),
        at_least("covered_functions", 0),
        at_most("covered_functions", "total_functions"),
        fraction("declared_rate"),
    )
    __shown__ = ("covered_lines", "total_lines")
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "file"),
        Index(None, "tenant_id", "collected_at"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("test_runs.id", ondelete="CASCADE"))
    file: Mapped[str] = mapped_column(Text, server_default=text("''"))
    covered_lines: Mapped[int] = mapped_column(server_default=text("0"))
    total_lines: Mapped[int] = mapped_column(server_default=text("0"))
    covered_branches: Mapped[int] = mapped_column(server_default=text("0"))
    total_branches: Mapped[int] = mapped_column(server_default=text("0"))
    covered_functions: Mapped[int] = mapped_column(server_default=text("0"))
    total_functions: Mapped[int] = mapped_column(server_default=text("0"))
    uncovered: Mapped[JsonList | None] = mapped_column(Json)
    declared_rate: Mapped[float | None] = mapped_column(Double)
    collected_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())

    run: Mapped[TestRun] = relationship(back_populates="coverage_data")


class CodeAnalysis(HasId, HasTenant, HasTimestamps, Base):
    """What a tool said of the code as of one commit."""

    __tablename__ = "code_analyses"
    __rules__: ClassVar[tuple[Rule, ...]] = (one_of("risk_level", RISK_LEVELS),)
    __shown__ = ("tenant_id", "commit_sha", "risk_level", "tool")
    __table_args__ = (
        Index(None, "tenant_id", "analyzed_at"),
        Index(None, "commit_sha"),
        Index(None, "risk_level"),
    )

    application_id: Mapped[int | None] = mapped_column(
        ForeignKey("applications.id", ondelete="SET NULL")
    )
    commit_sha: Mapped[str] = mapped_column(String(64))
    risk_level: Mapped[str | None] = mapped_column(String(20))
    affected_subsystems: Mapped[TextList | None] = mapped_column(tracked_text_list())
    changed_files: Mapped[JsonList | None] = mapped_column(Json)
    findings: Mapped[JsonList | None] = mapped_column(Json)
    tool: Mapped[str | None] = mapped_column(String(100))
    analyzed_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())

    application: Mapped[Application | None] = relationship(back_populates="code_analyses")
    security_issues: Mapped[list[SecurityIssue]] = relationship(
        back_populates="code_analysis", passive_deletes=True
    )


class FailureAnalysis(HasId, HasTenant, HasTimestamps, Base):
    """Why one result is what it is, as a person or a tool explains it."""

    __tablename__ = "failure_analyses"
    __rules__: ClassVar[tuple[Rule, ...]] = (fraction("confidence"),)
    __shown__ = ("tenant_id", "signature", "category", "confidence")
    __table_args__ = (
        ForeignKeyConstraint(
            _RESULT_KEY, [f"test_results.{name}" for name in _RESULT_KEY], ondelete="CASCADE"
        ),
        Index(None, "tenant_id", "signature"),
    )

    run_id: Mapped[int] = mapped_column(BigIntKey)
    test_case_id: Mapped[int] = mapped_column(BigIntKey)
    occurrence: Mapped[int] = mapped_column(server_default=text("1"))
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    signature: Mapped[str | None] = mapped_column(String(64))
    category: Mapped[str | None] = mapped_column(String(100))
    root_cause: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float | None] = mapped_column(Double)
    suggested_fixes: Mapped[JsonList | None] = mapped_column(Json)
    related_commits: Mapped[TextList | None] = mapped_column(tracked_text_list())

    test_result: Mapped[TestResult] = relationship(back_populates="failure_analyses")


class SecurityIssue(HasId, HasTenant, HasTimestamps, Base):
    """A weakness in the code, recognised from scan to scan by its fingerprint.

    `occurrence` numbers equal fingerprints within a scan, from 1.
    """

    __tablename__ = "security_issues"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least("occurrence", 1),
        one_of("severity", ISSUE_SEVERITIES),
        positive("line"),
        one_of("status", ISSUE_STATUSES),
        not_before("last_seen_at", "first_seen_at"),
        not_before("fixed_at", "first_seen_at"),
    )
    __shown__ = ("tenant_id", "rule_id", "severity", "status", "file", "line")
    __table_args__ = (
        UniqueConstraint(
            "tenant_id",
            "application_id",
            "tool",
            "fingerprint",
            "occurrence",
            name="uq_security_issues_fingerprint",  # with all columns, it would be cut off
        ),
        Index(None, "tenant_id", "status", "severity"),
    )

    application_id: Mapped[int | None] = mapped_column(
        ForeignKey("applications.id", ondelete="RESTRICT")
    )
    code_analysis_id: Mapped[int | None] = mapped_column(
        ForeignKey("code_analyses.id", ondelete="SET NULL")
    )
    tool: Mapped[str] = mapped_column(String(100), server_default=text("''"))
    fingerprint: Mapped[str] = mapped_column(String(255))
    occurrence: Mapped[int] = mapped_column(server_default=text("1"))
    rule_id: Mapped[str | None] = mapped_column(String(255))
    severity: Mapped[str] = mapped_column(String(20), server_default="medium")
    cwe: Mapped[str | None] = mapped_column(String(20))
    cve: Mapped[str | None] = mapped_column(String(30))
    file: Mapped[str | None] = mapped_column(Text)
    line: Mapped[int | None]
    message: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), server_default="open")
    first_seen_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())
    last_seen_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())
    fixed_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)

    application: Mapped[Application | None] = relationship(back_populates="security_issues")
    code_analysis: Mapped[CodeAnalysis | None] = relationship(back_populates="security_issues")

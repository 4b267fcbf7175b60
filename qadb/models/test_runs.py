"""Test runs, and the holds that keep them from cleanup."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.schema import FetchedValue

from qadb.models import durations
from qadb.models.base import Base
from qadb.models.functions import UtcNow
from qadb.models.mixins import HasId, HasTenant, HasTimestamps
from qadb.models.rules import Rule, at_least, not_before, one_of, sum_of
from qadb.models.types import Amount, JsonDict, ScaledNumeric, Timestamp, UtcDateTime, tracked_dict

if TYPE_CHECKING:
    from sqlalchemy import Table

    from qadb.models.bugs import Bug
    from qadb.models.catalog import Application, Country, Environment, TestType
    from qadb.models.identity import User
    from qadb.models.ingestion import IngestFile
    from qadb.models.performance import PerformanceBaseline, PerformanceResult
    from qadb.models.quality import CoverageData
    from qadb.models.test_results import TestResult

RUN_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
RUN_RESULTS = ("success", "failure", "error", "timeout")
HOLD_SCOPES = ("tenant", "application", "run")


class TestRun(HasId, HasTenant, HasTimestamps, Base):
    """One execution of a set of tests; its totals count final attempts."""

    __tablename__ = "test_runs"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        not_before("ended_at", "started_at"),
        at_least("duration_seconds", 0),
        one_of("status", RUN_STATUSES),
        one_of("result", RUN_RESULTS),
        at_least("total", 0),
        at_least("passed", 0),
        at_least("failed", 0),
        at_least("errors", 0),
        at_least("skipped", 0),
        sum_of("total", ("passed", "failed", "errors", "skipped")),
    )
    __shown__ = ("tenant_id", "run_key", "status", "result")
    __table_args__ = (
        UniqueConstraint("tenant_id", "application_id", "run_key"),
        Index(None, "tenant_id", "started_at"),
        Index(None, "tenant_id", "status", "started_at"),
        {"sqlite_autoincrement": True},
    )

    run_key: Mapped[str] = mapped_column(String(255))
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="RESTRICT"))
    country_id: Mapped[str | None] = mapped_column(
        ForeignKey("countries.code", ondelete="RESTRICT")
    )
    environment_id: Mapped[int | None] = mapped_column(
        ForeignKey("environments.id", ondelete="SET NULL")
    )
    test_type_id: Mapped[int | None] = mapped_column(
        ForeignKey("test_types.id", ondelete="RESTRICT")
    )
    triggered_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    # Whether a moment changes is known only by what it was before.
    started_at: Mapped[Timestamp] = mapped_column(
        UtcDateTime, server_default=UtcNow(), active_history=True
    )
    ended_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime, active_history=True)
    duration_seconds: Mapped[Amount | None] = mapped_column(
        ScaledNumeric(12, 3), server_onupdate=FetchedValue()
    )
    status: Mapped[str] = mapped_column(String(20), server_default="pending")
    result: Mapped[str | None] = mapped_column(String(20))
    exit_code: Mapped[int | None]
    trigger_type: Mapped[str | None] = mapped_column(String(100))
    trigger_command: Mapped[str | None] = mapped_column(Text)
    branch: Mapped[str | None] = mapped_column(String(255))
    commit_sha: Mapped[str | None] = mapped_column(String(64))
    build_url: Mapped[str | None] = mapped_column(Text)
    total: Mapped[int] = mapped_column(server_default=text("0"))
    passed: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    errors: Mapped[int] = mapped_column(server_default=text("0"))
    skipped: Mapped[int] = mapped_column(server_default=text("0"))
    is_protected: Mapped[bool] = mapped_column(server_default=false())
    extra_data: Mapped[JsonDict | None] = mapped_column(tracked_dict())

    application: Mapped[Application] = relationship(back_populates="test_runs")
    country: Mapped[Country | None] = relationship(back_populates="test_runs")
    environment: Mapped[Environment | None] = relationship(back_populates="test_runs")
    test_type: Mapped[TestType | None] = relationship(back_populates="test_runs")
    triggering_user: Mapped[User | None] = relationship(back_populates="triggered_runs")
    results: Mapped[list[TestResult]] = relationship(
        back_populates="run", cascade="all, delete-orphan", passive_deletes=True
    )
    ingest_files: Mapped[list[IngestFile]] = relationship(
        back_populates="run", cascade="all, delete-orphan", passive_deletes=True
    )
    bugs: Mapped[list[Bug]] = relationship(back_populates="run", passive_deletes=True)
    coverage_data: Mapped[list[CoverageData]] = relationship(
        back_populates="run", cascade="all, delete-orphan", passive_deletes=True
    )
    performance_results: Mapped[list[PerformanceResult]] = relationship(
        back_populates="run", cascade="all, delete-orphan", passive_deletes=True
    )
    performance_baselines: Mapped[list[PerformanceBaseline]] = relationship(
        back_populates="run", passive_deletes="all"
    )


durations.attach(TestRun, cast("Table", TestRun.__table__))


class Hold(HasId, HasTenant, HasTimestamps, Base):
    """What cleanup must not touch, why, and on whose word; in force until released."""

    __tablename__ = "holds"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("scope", HOLD_SCOPES),
        not_before("released_at", "placed_at"),
    )
    __shown__ = ("tenant_id", "scope", "scope_id")
    __table_args__ = (Index(None, "tenant_id", "scope", "scope_id"),)

    scope: Mapped[str] = mapped_column(String(20))
    scope_id: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str | None] = mapped_column(String(255))
    placed_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())
    released_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)

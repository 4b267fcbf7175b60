"""Performance: what was measured, what it is compared with, and what was promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, String, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base
from qadb.models.functions import UtcNow
from qadb.models.mixins import HasAuthors, HasId, HasTenant, HasTimestamps
from qadb.models.rules import Rule, at_least, not_before, one_of, sum_of
from qadb.models.types import Amount, ScaledNumeric, Timestamp, UtcDateTime

if TYPE_CHECKING:
    from qadb.models.catalog import Application, Environment, HardwareConfig
    from qadb.models.test_runs import TestRun

DIRECTIONS = ("lower", "higher")

_MILLISECONDS = ScaledNumeric(12, 3)
_MEASURE = ScaledNumeric(18, 6)


class PerformanceResult(HasTenant, HasTimestamps, Base):
    """How one kind of request fared in one scenario of a run."""

    __tablename__ = "performance_results"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least("total_requests", 0),
        at_least("ok_requests", 0),
        at_least("ko_requests", 0),
        sum_of("total_requests", ("ok_requests", "ko_requests")),
        at_least("mean_response_time_ms", 0),
        at_least("p50_response_time_ms", 0),
        at_least("p95_response_time_ms", 0),
        at_least("p99_response_time_ms", 0),
        at_least("max_response_time_ms", 0),
        at_least("rps_achieved", 0),
    )
    __shown__ = ("total_requests", "ko_requests", "p95_response_time_ms")
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "request_name", "scenario"),
        Index(None, "tenant_id", "request_name", "scenario", "run_id"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("test_runs.id", ondelete="CASCADE"))
    request_name: Mapped[str] = mapped_column(String(255))
    scenario: Mapped[str] = mapped_column(String(255), server_default=text("''"))
    total_requests: Mapped[int] = mapped_column(server_default=text("0"))
    ok_requests: Mapped[int] = mapped_column(server_default=text("0"))
    ko_requests: Mapped[int] = mapped_column(server_default=text("0"))
    mean_response_time_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)
    p50_response_time_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)
    p95_response_time_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)
    p99_response_time_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)
    max_response_time_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)
    rps_achieved: Mapped[Amount | None] = mapped_column(_MILLISECONDS)

    run: Mapped[TestRun] = relationship(back_populates="performance_results")


class PerformanceBaseline(HasId, HasTenant, HasTimestamps, Base):
    """What a metric is compared with while it is valid.

    Somebody decided on it, so what it stands on (run, environment, hardware) can't be deleted from
    under it: RESTRICT. It goes with its application.
    """

    __tablename__ = "performance_baselines"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("direction", DIRECTIONS),
        at_least("tolerance_pct", 0),
        not_before("valid_to", "valid_from"),
    )
    __shown__ = ("tenant_id", "metric", "value", "unit")
    __table_args__ = (
        # With all columns, its name would be cut off.
        Index(
            "idx_performance_baselines_metric",
            "tenant_id",
            "application_id",
            "metric",
            "valid_from",
        ),
    )

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    environment_id: Mapped[int | None] = mapped_column(
        ForeignKey("environments.id", ondelete="RESTRICT")
    )
    hardware_config_id: Mapped[int | None] = mapped_column(
        ForeignKey("hardware_configs.id", ondelete="RESTRICT")
    )
    metric: Mapped[str] = mapped_column(String(255))
    unit: Mapped[str | None] = mapped_column(String(50))
    direction: Mapped[str] = mapped_column(String(10), server_default="lower")
    value: Mapped[Amount] = mapped_column(_MEASURE)
    tolerance_pct: Mapped[Amount] = mapped_column(ScaledNumeric(9, 3), server_default=text("0"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("test_runs.id", ondelete="RESTRICT"))
    valid_from: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())
    valid_to: Mapped[Timestamp | None] = mapped_column(UtcDateTime)

    application: Mapped[Application] = relationship(back_populates="performance_baselines")
    environment: Mapped[Environment | None] = relationship(back_populates="performance_baselines")
    hardware_config: Mapped[HardwareConfig | None] = relationship(
        back_populates="performance_baselines"
    )
    run: Mapped[TestRun | None] = relationship(back_populates="performance_baselines")


class SLA(HasId, HasTenant, HasAuthors, HasTimestamps, Base):
    """A promise about an application, or about one of its requests."""

    __tablename__ = "slas"
    __audited__ = True
    __rules__: ClassVar[tuple[Rule, ...]] = (one_of("direction", DIRECTIONS),)
    __shown__ = ("tenant_id", "request_name", "metric", "threshold", "unit")
    __table_args__ = (Index(None, "tenant_id", "application_id", "metric"),)

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    request_name: Mapped[str | None] = mapped_column(String(255))
    metric: Mapped[str] = mapped_column(String(255))
    threshold: Mapped[Amount] = mapped_column(_MEASURE)
    unit: Mapped[str | None] = mapped_column(String(50))
    direction: Mapped[str] = mapped_column(String(10), server_default="lower")
    is_active: Mapped[bool] = mapped_column(server_default=true())

    application: Mapped[Application] = relationship(back_populates="slas")

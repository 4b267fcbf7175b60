"""Catalog: what is tested, where, on what, and the words to say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ForeignKey, Index, String, Text, false, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base, live_unique
from qadb.models.mixins import HasAuthors, HasId, HasTenant, HasTimestamps, IsSoftlyDeleted
from qadb.models.rules import UPPER_CASE, Rule, made_of, one_of, positive
from qadb.models.types import Json, JsonList, Timestamp, UtcDateTime

if TYPE_CHECKING:
    from qadb.models.performance import SLA, PerformanceBaseline
    from qadb.models.quality import CodeAnalysis, SecurityIssue
    from qadb.models.test_cases import TestCase
    from qadb.models.test_runs import TestRun

ENVIRONMENT_KINDS = ("local", "ci", "dev", "staging", "production")
ENVIRONMENT_STATUSES = ("available", "busy", "offline", "retired")


class Application(HasId, HasTenant, HasAuthors, IsSoftlyDeleted, HasTimestamps, Base):
    """A piece of software whose tests are recorded."""

    __tablename__ = "applications"
    __audited__ = True
    __shown__ = ("tenant_id", "code")
    __table_args__ = (live_unique("tenant_id", "code"),)

    code: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(server_default=true())

    test_cases: Mapped[list[TestCase]] = relationship(
        back_populates="application", passive_deletes=True
    )
    test_runs: Mapped[list[TestRun]] = relationship(
        back_populates="application", passive_deletes="all"
    )
    code_analyses: Mapped[list[CodeAnalysis]] = relationship(
        back_populates="application", passive_deletes=True
    )
    security_issues: Mapped[list[SecurityIssue]] = relationship(
        back_populates="application", passive_deletes="all"
    )
    performance_baselines: Mapped[list[PerformanceBaseline]] = relationship(
        back_populates="application", cascade="all, delete-orphan", passive_deletes=True
    )
    slas: Mapped[list[SLA]] = relationship(
        back_populates="application", cascade="all, delete-orphan", passive_deletes=True
    )


class Country(Base):
    """A country of ISO 3166-1."""

    __tablename__ = "countries"
    __rules__: ClassVar[tuple[Rule, ...]] = (made_of("code", UPPER_CASE, 2, 2),)
    __shown__ = ("name",)

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))

    test_runs: Mapped[list[TestRun]] = relationship(back_populates="country", passive_deletes="all")


class TestType(HasId, Base):
    """A kind of test, such as ``unit``."""

    __tablename__ = "test_types"
    __shown__ = ("code",)

    code: Mapped[str] = mapped_column(String(50), unique=True)
    name: Mapped[str] = mapped_column(String(100))

    test_cases: Mapped[list[TestCase]] = relationship(
        back_populates="test_type", passive_deletes="all"
    )
    test_runs: Mapped[list[TestRun]] = relationship(
        back_populates="test_type", passive_deletes="all"
    )


class HardwareConfig(HasId, HasTenant, HasTimestamps, Base):
    """A machine, real or virtual, that tests run on or need."""

    __tablename__ = "hardware_configs"
    __rules__: ClassVar[tuple[Rule, ...]] = (positive("memory_mb"), positive("storage_gb"))
    __shown__ = ("tenant_id", "name")

    name: Mapped[str] = mapped_column(String(255))
    architecture: Mapped[str | None] = mapped_column(String(50))
    cpu_model: Mapped[str | None] = mapped_column(String(255))
    memory_mb: Mapped[int | None]
    storage_gb: Mapped[int | None]
    is_virtual: Mapped[bool] = mapped_column(server_default=false())
    peripherals: Mapped[JsonList | None] = mapped_column(Json)

    environments: Mapped[list[Environment]] = relationship(
        back_populates="hardware_config", passive_deletes=True
    )
    requiring_test_cases: Mapped[list[TestCase]] = relationship(
        back_populates="required_hardware", passive_deletes=True
    )
    performance_baselines: Mapped[list[PerformanceBaseline]] = relationship(
        back_populates="hardware_config", passive_deletes="all"
    )


class Environment(HasId, HasTenant, HasAuthors, IsSoftlyDeleted, HasTimestamps, Base):
    """A place where tests run."""

    __tablename__ = "environments"
    __audited__ = True
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("kind", ENVIRONMENT_KINDS),
        one_of("status", ENVIRONMENT_STATUSES),
    )
    __shown__ = ("tenant_id", "name", "kind", "status")
    __table_args__ = (live_unique("tenant_id", "name"), Index(None, "status", "last_used_at"))

    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(20), server_default="ci")
    base_url: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), server_default="available")
    last_used_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    hardware_config_id: Mapped[int | None] = mapped_column(
        ForeignKey("hardware_configs.id", ondelete="SET NULL")
    )

    hardware_config: Mapped[HardwareConfig | None] = relationship(back_populates="environments")
    test_runs: Mapped[list[TestRun]] = relationship(
        back_populates="environment", passive_deletes=True
    )
    performance_baselines: Mapped[list[PerformanceBaseline]] = relationship(
        back_populates="environment", passive_deletes="all"
    )

"""Bugs: what tests found."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base
from qadb.models.functions import UtcNow
from qadb.models.mixins import HasAuthors, HasId, HasTenant, HasTimestamps, IsSoftlyDeleted
from qadb.models.rules import Rule, not_before, one_of
from qadb.models.types import Timestamp, UtcDateTime

if TYPE_CHECKING:
    from qadb.models.test_cases import TestCase
    from qadb.models.test_runs import TestRun

BUG_SEVERITIES = ("low", "medium", "high", "critical")
BUG_STATUSES = ("open", "confirmed", "fixed", "rejected", "known")


class Bug(HasId, HasTenant, HasAuthors, IsSoftlyDeleted, HasTimestamps, Base):
    """A defect, known by its test and perhaps by a tracker.

    `reported_by` is a name as the tracker has it; a user of this database is the row's author.
    """

    __tablename__ = "bugs"
    __audited__ = True
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("severity", BUG_SEVERITIES),
        one_of("status", BUG_STATUSES),
        not_before("resolved_at", "reported_at"),
    )
    __shown__ = ("tenant_id", "external_id", "severity", "status", "title")
    __table_args__ = (Index(None, "tenant_id", "status", "severity"),)

    external_id: Mapped[str | None] = mapped_column(String(255))
    test_case_id: Mapped[int | None] = mapped_column(
        ForeignKey("test_cases.id", ondelete="SET NULL")
    )
    run_id: Mapped[int | None] = mapped_column(ForeignKey("test_runs.id", ondelete="SET NULL"))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(String(20), server_default="medium")
    status: Mapped[str] = mapped_column(String(20), server_default="open")
    reported_by: Mapped[str | None] = mapped_column(String(255))
    reported_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())
    resolved_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)

    test_case: Mapped[TestCase | None] = relationship(back_populates="bugs")
    run: Mapped[TestRun | None] = relationship(back_populates="bugs")

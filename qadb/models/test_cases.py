"""Test cases: one row for each test that was ever seen or planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base, live_unique
from qadb.models.mixins import HasAuthors, HasId, HasTenant, HasTimestamps, IsSoftlyDeleted
from qadb.models.rules import Rule, not_before, positive
from qadb.models.test_case_features import CASE_OF_LINK, FEATURE_OF_LINK
from qadb.models.types import (
    Amount,
    JsonDict,
    ScaledNumeric,
    TextList,
    Timestamp,
    UtcDateTime,
    tracked_dict,
    tracked_text_list,
)

if TYPE_CHECKING:
    from qadb.models.bugs import Bug
    from qadb.models.catalog import Application, HardwareConfig, TestType
    from qadb.models.products import Feature, Product
    from qadb.models.test_results import TestResult


class TestCase(HasId, HasTenant, HasAuthors, IsSoftlyDeleted, HasTimestamps, Base):
    """A test, recognised from run to run by its `case_key`."""

    __tablename__ = "test_cases"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        positive("timeout_seconds"),
        not_before("last_seen_at", "first_seen_at"),
    )
    __shown__ = ("tenant_id", "case_key")
    __table_args__ = (
        live_unique("tenant_id", "case_key"),
        Index(None, "target_subsystem", "test_type_id"),
    )

    case_key: Mapped[str] = mapped_column(String(512))
    external_id: Mapped[str | None] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(Text)
    suite: Mapped[str | None] = mapped_column(Text)
    classname: Mapped[str | None] = mapped_column(Text)
    file: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    application_id: Mapped[int | None] = mapped_column(
        ForeignKey("applications.id", ondelete="SET NULL")
    )
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
    test_type_id: Mapped[int | None] = mapped_column(
        ForeignKey("test_types.id", ondelete="RESTRICT")
    )
    target_subsystem: Mapped[str | None] = mapped_column(String(255))
    required_hardware_id: Mapped[int | None] = mapped_column(
        ForeignKey("hardware_configs.id", ondelete="SET NULL")
    )
    expected_outcome: Mapped[str | None] = mapped_column(Text)
    timeout_seconds: Mapped[Amount | None] = mapped_column(ScaledNumeric(12, 3))
    tags: Mapped[TextList | None] = mapped_column(tracked_text_list())
    extra_data: Mapped[JsonDict | None] = mapped_column(tracked_dict())
    first_seen_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)

    application: Mapped[Application | None] = relationship(back_populates="test_cases")
    product: Mapped[Product | None] = relationship(back_populates="test_cases")
    test_type: Mapped[TestType | None] = relationship(back_populates="test_cases")
    required_hardware: Mapped[HardwareConfig | None] = relationship(
        back_populates="requiring_test_cases"
    )
    features: Mapped[list[Feature]] = relationship(
        secondary="test_case_features",
        primaryjoin=CASE_OF_LINK,
        secondaryjoin=FEATURE_OF_LINK,
        overlaps="tenant,test_case_features",
        back_populates="test_cases",
        passive_deletes=True,
    )
    results: Mapped[list[TestResult]] = relationship(
        back_populates="test_case", passive_deletes="all"
    )
    bugs: Mapped[list[Bug]] = relationship(back_populates="test_case", passive_deletes=True)

"""Junction of test cases and features, with the joins that keep both to one tenant.

The link takes the test case's tenant: it is part of the joins, so the ORM fills it in by itself.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from qadb.models.base import Base
from qadb.models.mixins import HasTenant

CASE_OF_LINK = (
    "and_(TestCase.id == foreign(TestCaseFeature.test_case_id),"
    " TestCase.tenant_id == foreign(TestCaseFeature.tenant_id))"
)
FEATURE_OF_LINK = "Feature.id == foreign(TestCaseFeature.feature_id)"


class TestCaseFeature(HasTenant, Base):
    """Which test case covers which feature."""

    __tablename__ = "test_case_features"

    test_case_id: Mapped[int] = mapped_column(
        ForeignKey("test_cases.id", ondelete="CASCADE"), primary_key=True
    )
    feature_id: Mapped[int] = mapped_column(
        ForeignKey("features.id", ondelete="CASCADE"), primary_key=True
    )

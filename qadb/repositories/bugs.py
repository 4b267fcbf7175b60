"""Bugs: by the section of the product they are in, how many are open, how long they take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from qadb.models import Bug, Feature, TestCaseFeature
from qadb.models.bugs import BUG_SEVERITIES
from qadb.models.types import require_aware
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.filters import conditions
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.periods import period_start
from qadb.repositories.generic.reading import STREAM_ROWS
from qadb.repositories.generic.references import require_row

if TYPE_CHECKING:
    from collections.abc import Sequence

RESOLVED = ("fixed", "rejected")


class BugRepository(Repository[Bug]):
    """Live bugs. One is open until it is fixed or rejected; a known one is open, too."""

    model = Bug

    def for_section(
        self, section: str, *, order_by: str | Sequence[str] = (), **filters: object
    ) -> Sequence[Bug]:
        """Return the bugs whose test covers a feature of a section, each once, with their tests.

        Args:
            section: the section's name or id, exactly.
            order_by: columns' names, as in `list`.
            **filters: further conditions by keyword, as there.

        Raises:
            ValueError: an unknown name or operator.
        """
        covering = (
            select(TestCaseFeature.test_case_id)
            .join(Feature, Feature.id == TestCaseFeature.feature_id)
            .where(or_(Feature.section_name == section, Feature.section_id == section))
        )
        return self.list(
            Bug.test_case_id.in_(covering),
            *conditions(Bug, filters),
            order_by=order_by,
            with_=[joinedload(Bug.test_case)],
        )

    def open_by_severity(self) -> dict[str, int]:
        """Count the open bugs of every severity, the most severe first, zeros included."""
        query = (
            select(Bug.severity, func.count())
            .where(Bug.status.not_in(RESOLVED), Bug.deleted_at.is_(None))
            .group_by(Bug.severity)
        )
        counts = {severity: int(count) for severity, count in self.session.execute(query)}
        return {severity: counts.get(severity, 0) for severity in reversed(BUG_SEVERITIES)}

    def mean_time_to_resolve(
        self, days: int = 30, *, now: datetime | None = None
    ) -> timedelta | None:
        """Return the mean time from report to resolution of what was resolved in the period.

        Bugs that were fixed or rejected count; those that were opened again don't.

        Args:
            days: length of the period.
            now: its end, aware; the present by default.

        Returns:
            The mean to the microsecond; None when nothing was resolved.

        Raises:
            ValueError: the period makes no sense.
        """
        query = select(Bug.reported_at, Bug.resolved_at).where(
            Bug.status.in_(RESOLVED),
            Bug.resolved_at >= period_start(days, now),
            Bug.deleted_at.is_(None),
        )
        total, count = timedelta(), 0  # added up here: SQLite's times are text
        stream = query.execution_options(yield_per=STREAM_ROWS)
        for reported_at, resolved_at in self.session.execute(stream):
            if resolved_at is not None:
                total += resolved_at - reported_at
                count += 1
        return total / count if count else None

    def resolve(
        self, bug: Bug | int, status: str = "fixed", *, resolved_at: datetime | None = None
    ) -> Bug:
        """Record that a bug is fixed or rejected.

        Args:
            bug: itself or its key.
            status: fixed or rejected.
            resolved_at: aware; the present by default, or the report where that is dated later.

        Raises:
            RowNotFound: there is no such bug.
            ValueError: it is resolved already, or a value breaks a rule of the model.
        """
        if status not in RESOLVED:
            raise ValueError(f"a bug is resolved by {' or '.join(RESOLVED)}, not {status!r}")
        found = require_row(self.session, Bug, id_of(bug))  # an object may be another session's
        if found.status in RESOLVED:
            raise ValueError(f"bug {found.id} is {found.status} already")
        if resolved_at is None:
            resolved_at = max(datetime.now(UTC), found.reported_at)  # the reporter's clock may lead
        return self.update(found, status=status, resolved_at=require_aware(resolved_at))

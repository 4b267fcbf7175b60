"""Why tests failed: what was explained, and what keeps coming back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import case, func, select

from qadb.models import FailureAnalysis, TestResult, TestRun
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.periods import period_start
from qadb.repositories.generic.references import require_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Subquery
    from sqlalchemy.orm import InstrumentedAttribute

RECURRING_ROWS = 20

ResultKey: TypeAlias = "tuple[int, int, int, int]"
_KEY = (
    FailureAnalysis.run_id,
    FailureAnalysis.test_case_id,
    FailureAnalysis.occurrence,
    FailureAnalysis.attempt,
)


@dataclass(frozen=True, slots=True)
class RecurringFailure:
    """A failure that was explained for several results, by its signature.

    Attributes:
        results: how many results it was explained for; several analyses of one count once.
        runs: how many runs these lie in.
        analyses: how many analyses there are.
        category: of the newest analysis that names one.
        root_cause: of the newest analysis that names one.
        confidence: the highest of any analysis; None when none states it.
        first_seen_at: when the first of the results was executed, or else its run started.
        last_seen_at: the same of the last.
    """

    signature: str
    results: int
    runs: int
    analyses: int
    category: str | None
    root_cause: str | None
    confidence: float | None
    first_seen_at: datetime
    last_seen_at: datetime


class FailureRepository(Repository[FailureAnalysis]):
    """Explanations of failures: what made a result what it is."""

    model = FailureAnalysis

    def explain(
        self,
        result: TestResult | ResultKey,
        *,
        signature: str | None = None,
        category: str | None = None,
        root_cause: str | None = None,
        confidence: float | None = None,
        suggested_fixes: Sequence[object] | None = None,
        related_commits: Sequence[str] | None = None,
    ) -> FailureAnalysis:
        """Add an explanation of a result, beside those that it has.

        Args:
            result: itself, or its key: run, test case, occurrence, attempt.
            signature: of the failure; the result's own by default.
            category: kind of cause.
            root_cause: in words.
            confidence: 0 to 1.
            suggested_fixes: anything that JSON holds.
            related_commits: their ids.

        Raises:
            RowNotFound: there is no such result.
            ValueError: a value breaks a rule of the model.
        """
        found = require_row(self.session, TestResult, result)
        return self.create(
            tenant_id=found.tenant_id,
            run_id=found.run_id,
            test_case_id=found.test_case_id,
            occurrence=found.occurrence,
            attempt=found.attempt,
            signature=found.signature if signature is None else signature,
            category=category,
            root_cause=root_cause,
            confidence=confidence,
            suggested_fixes=None if suggested_fixes is None else list(suggested_fixes),
            related_commits=None if related_commits is None else list(related_commits),
        )

    def recurring(
        self,
        days: int = 30,
        minimum: int = 2,
        *,
        limit: int = RECURRING_ROWS,
        now: datetime | None = None,
    ) -> tuple[RecurringFailure, ...]:
        """Return failures explained for several results, those of the most results first.

        Analyses without a signature are left out. Among equals the one seen last goes first.

        Args:
            days: length of the period in which the analyses were made.
            minimum: of how many results at least.
            limit: return at most as many.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: a minimum below 1, a negative limit, or a period that makes no sense.
        """
        if minimum < 1:
            raise ValueError(f"a minimum is 1 or more, not {minimum}")
        made = _analyses(period_start(days, now))
        results = func.count(case((made.c.of_result == 1, 1)))
        last_seen_at = func.max(made.c.seen_at)
        query = (
            select(
                made.c.signature,
                results,
                func.count(made.c.run_id.distinct()),
                func.count(),
                func.max(case((made.c.by_category == 1, made.c.category))),
                func.max(case((made.c.by_root_cause == 1, made.c.root_cause))),
                func.max(made.c.confidence),
                func.min(made.c.seen_at),
                last_seen_at,
            )
            .group_by(made.c.signature)
            .having(results >= minimum)
            .order_by(results.desc(), last_seen_at.desc(), made.c.signature)
            .limit(require_limit(limit, least=0))
        )
        return tuple(RecurringFailure(*row) for row in self.session.execute(query))


def _analyses(since: datetime) -> Subquery:
    """The period's analyses; the first of a kind has the number 1 in it."""
    seen_at = func.coalesce(TestResult.executed_at, TestRun.started_at)
    query = (
        select(
            FailureAnalysis.signature,
            FailureAnalysis.run_id,
            FailureAnalysis.category,
            FailureAnalysis.root_cause,
            FailureAnalysis.confidence,
            seen_at.label("seen_at"),
            func.row_number()
            .over(partition_by=(FailureAnalysis.signature, *_KEY), order_by=FailureAnalysis.id)
            .label("of_result"),
            _newest_with(FailureAnalysis.category).label("by_category"),
            _newest_with(FailureAnalysis.root_cause).label("by_root_cause"),
        )
        .join(FailureAnalysis.test_result)
        .join(TestResult.run)
        .where(FailureAnalysis.created_at >= since, FailureAnalysis.signature.is_not(None))
    )
    return query.subquery("made")


def _newest_with(column: InstrumentedAttribute[str | None]) -> ColumnElement[int]:
    """Number a signature's analyses: those that state the column first, the newest first."""
    return func.row_number().over(
        partition_by=FailureAnalysis.signature,
        order_by=(
            case((column.is_(None), 1), else_=0),
            FailureAnalysis.created_at.desc(),
            FailureAnalysis.id.desc(),
        ),
    )

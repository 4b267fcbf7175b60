"""What tools said of the code, by commit and by risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from qadb.errors import SeveralRowsFound
from qadb.models import CodeAnalysis
from qadb.models.quality import RISK_LEVELS
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.periods import period_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from qadb.models import Application
    from qadb.repositories.generic.eager import Eager

SHORTEST_PREFIX = 7  # what git shows of a commit
RISKY_ROWS = 50


class CodeAnalysisRepository(Repository[CodeAnalysis]):
    """Analyses of code as of one commit."""

    model = CodeAnalysis

    def for_commit(self, sha: str) -> Sequence[CodeAnalysis]:
        """Return a commit's analyses, the newest first, with their security issues.

        Args:
            sha: as it is stored, or its first 7 characters or more. An index serves the whole one;
                what begins one is looked for among all that the session sees.

        Raises:
            SeveralRowsFound: several commits begin like that.
        """
        return self._of_commit(sha) or self._of_commit(self._complete(sha))

    def risky(
        self,
        level: str = "high",
        days: int = 30,
        *,
        application: Application | int | None = None,
        limit: int = RISKY_ROWS,
        with_: Iterable[Eager] = (),
        now: datetime | None = None,
    ) -> Sequence[CodeAnalysis]:
        """Return analyses at a level of risk or above it, the most risky first, then the newest.

        Args:
            level: low, medium, high or critical; what has no level is never risky.
            days: length of the period in which they were made.
            application: only of this one.
            limit: return at most as many.
            with_: relationships to load along.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: an unknown level, a negative limit, or a period that makes no sense.
        """
        if level not in RISK_LEVELS:
            raise ValueError(f"a level is one of {', '.join(RISK_LEVELS)}, not {level!r}")
        wanted = RISK_LEVELS[RISK_LEVELS.index(level) :]
        since = period_start(days, now)
        query = self.query(with_=with_, risk_level__in=wanted, analyzed_at__gte=since)
        if application is not None:
            query = query.where(CodeAnalysis.application_id == id_of(application))
        order = (_rank().desc(), CodeAnalysis.analyzed_at.desc(), CodeAnalysis.id.desc())
        return self.session.scalars(
            query.order_by(*order).limit(require_limit(limit, least=0))
        ).all()

    def _of_commit(self, sha: str | None) -> Sequence[CodeAnalysis]:
        if sha is None:
            return []
        return self.list(
            commit_sha=sha, order_by="-analyzed_at", with_=[CodeAnalysis.security_issues]
        )

    def _complete(self, prefix: str) -> str | None:
        """Return the only commit that begins like that, if any does."""
        if len(prefix) < SHORTEST_PREFIX:
            return None
        begins = func.substr(CodeAnalysis.commit_sha, 1, len(prefix)) == prefix
        query = select(CodeAnalysis.commit_sha).where(begins).distinct().limit(2)
        found = self.session.scalars(query).all()
        if len(found) > 1:
            raise SeveralRowsFound(f"More than one commit begins with {prefix!r}.")
        return found[0] if found else None


def _rank() -> ColumnElement[int]:
    ranks = {level: rank for rank, level in enumerate(RISK_LEVELS)}
    return case(ranks, value=CodeAnalysis.risk_level)

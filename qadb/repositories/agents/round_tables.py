"""Round tables of language models: who took part and whose answers won."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from qadb.models import LLMRoundTableResult
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.periods import period_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

STREAM_ROWS = 500


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """How one provider did at the round tables of a period.

    Attributes:
        participations: round tables that name it as participant or winner, or give it a score.
        win_rate: wins among them, 0 to 1.
        mean_score: over those that give it a score; None when none does.
    """

    provider: str
    participations: int
    wins: int
    win_rate: float
    mean_score: float | None


@dataclass(slots=True)
class _Tally:
    participations: int = 0
    wins: int = 0
    scores: int = 0
    total_score: Decimal = field(default_factory=Decimal)


class RoundTableRepository(Repository[LLMRoundTableResult]):
    """Questions put to several models."""

    model = LLMRoundTableResult

    def leaderboard(
        self, days: int = 30, *, task_category: str | None = None, now: datetime | None = None
    ) -> tuple[ProviderStanding, ...]:
        """Rank the providers by wins, then by win rate, then by name.

        `participants` is read as a list of names or of objects with a ``provider``, `scores` as an
        object of numbers, or of objects with a ``score``, by provider; anything else in them is
        passed over. A round table without a winner counts as one that took place. Rows are read in
        a stream; what is held grows with the providers alone.

        Args:
            days: length of the period.
            task_category: only round tables of this one.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense.
        """
        table = LLMRoundTableResult
        query = select(table.winner_provider, table.participants, table.scores).where(
            table.created_at >= period_start(days, now)
        )
        if task_category is not None:
            query = query.where(table.task_category == task_category)
        tallies: dict[str, _Tally] = defaultdict(_Tally)
        for row in self.session.execute(query.execution_options(yield_per=STREAM_ROWS)):
            _count(tallies, row.winner_provider, row.participants, row.scores)
        found = [_standing(provider, tally) for provider, tally in tallies.items()]
        return tuple(sorted(found, key=lambda each: (-each.wins, -each.win_rate, each.provider)))


def _count(
    tallies: dict[str, _Tally],
    winner: str | None,
    participants: Sequence[object] | None,
    scores: Mapping[str, object] | None,
) -> None:
    given = dict(_scores(scores))
    for provider in {*_names(participants), *given, *([winner] if winner else [])}:
        tallies[provider].participations += 1
    for provider, score in given.items():
        tallies[provider].scores += 1
        tallies[provider].total_score += score
    if winner:
        tallies[winner].wins += 1


def _names(participants: object) -> Iterator[str]:
    for each in participants if isinstance(participants, list) else ():
        name = each.get("provider") if isinstance(each, dict) else each
        if isinstance(name, str) and name:
            yield name


def _scores(scores: object) -> Iterator[tuple[str, Decimal]]:
    for provider, stated in scores.items() if isinstance(scores, dict) else ():
        score = stated.get("score") if isinstance(stated, dict) else stated
        if isinstance(score, int | float) and not isinstance(score, bool):
            exact = Decimal(str(score))
            if provider and exact.is_finite():
                yield provider, exact


def _standing(provider: str, tally: _Tally) -> ProviderStanding:
    return ProviderStanding(
        provider,
        tally.participations,
        tally.wins,
        round(tally.wins / tally.participations, 6),
        round(float(tally.total_score / tally.scores), 6) if tally.scores else None,
    )

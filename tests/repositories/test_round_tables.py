"""Whose answers won at round tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.orm import Session

from qadb.models import LLMRoundTableResult
from qadb.repositories.agents.round_tables import ProviderStanding, RoundTableRepository

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NUMBERS = count()


def table(*participants: object, **values: Any) -> LLMRoundTableResult:
    stated = {"created_at": NOON, "participants": list(participants), **values}
    return LLMRoundTableResult(result_id=f"r-{next(NUMBERS)}", **stated)


def test_providers_are_ranked_by_wins(database: Database) -> None:
    month_ago = NOON - timedelta(days=30)
    with database.session(tenant="acme") as session:
        session.add_all(
            [
                table("a", "b", "c", winner_provider="b", scores={"a": 0.1, "b": 0.2}),
                table({"provider": "a", "model": "x"}, "b", "b", winner_provider="a"),
                table("a", winner_provider="a", task_category="review", created_at=month_ago),
                table("a", "C", scores={"a": {"score": 1}, "C": True, "b": "high"}),
                table("a", winner_provider="a", created_at=month_ago - timedelta(microseconds=1)),
                table("b", winner_provider="b", created_at=NOON + timedelta(days=1)),
            ]
        )
    with database.session(tenant="rival") as session:
        session.add(table("a", winner_provider="z", scores={"z": 3}))
    with database.session(tenant="acme", read_only=True) as session:
        tables = RoundTableRepository(session)
        assert tables.leaderboard(now=NOON) == (
            ProviderStanding("b", 3, 2, 0.666667, 0.2),
            ProviderStanding("a", 4, 2, 0.5, 0.55),
            ProviderStanding("C", 1, 0, 0.0, None),
            ProviderStanding("c", 1, 0, 0.0, None),
        )
        reviews = tables.leaderboard(now=NOON, task_category="review")
        assert reviews == (ProviderStanding("a", 1, 1, 1.0, None),)
        assert tables.leaderboard(31, now=NOON)[0] == ProviderStanding("a", 5, 3, 0.6, 0.55)
    with Session(database.engine()) as plain:
        found = RoundTableRepository(plain).leaderboard(now=NOON)
        assert [each.provider for each in found] == ["b", "a", "z", "C", "c"]


def test_those_who_are_only_winners_or_scored_took_part(acme: UnitOfWork) -> None:
    acme.add(table(winner_provider="a", participants=None, scores={"b": 7}))
    acme.flush()
    assert RoundTableRepository(acme).leaderboard(now=NOON) == (
        ProviderStanding("a", 1, 1, 1.0, None),
        ProviderStanding("b", 1, 0, 0.0, 7.0),
    )


def test_odd_documents_are_passed_over(acme: UnitOfWork) -> None:
    acme.add(table(1, None, "", {"name": "a"}, {"provider": 2}, ["a"], scores={"": 1, "b": None}))
    acme.add(table(participants=None, scores=None))
    acme.flush()
    assert RoundTableRepository(acme).leaderboard(now=NOON) == ()


def test_nothing_took_place(acme: UnitOfWork) -> None:
    assert RoundTableRepository(acme).leaderboard() == ()
    with pytest.raises(ValueError, match="-1"):
        RoundTableRepository(acme).leaderboard(-1)


def test_a_stream_of_round_tables_is_counted_whole(acme: UnitOfWork) -> None:
    acme.add_all(table("a", "b", winner_provider="ab"[n % 2], scores={"a": n}) for n in range(1201))
    acme.flush()
    assert RoundTableRepository(acme).leaderboard(now=NOON) == (
        ProviderStanding("a", 1201, 601, 0.500416, 600.0),
        ProviderStanding("b", 1201, 600, 0.499584, None),
    )

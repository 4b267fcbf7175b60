"""What tools said of commits, and which of it is risky."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.errors import SeveralRowsFound
from qadb.models import Application, CodeAnalysis, SecurityIssue
from qadb.repositories.quality.code_analyses import CodeAnalysisRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONTH_AGO = NOON - timedelta(days=30)
SHA = "abcdef0123456789abcdef0123456789abcdef01"


def analysis(tool: str, **values: Any) -> CodeAnalysis:
    return CodeAnalysis(tool=tool, **{"commit_sha": SHA, "analyzed_at": NOON, **values})


def tools(rows: Sequence[CodeAnalysis]) -> list[str | None]:
    return [row.tool for row in rows]


# By commit


def test_a_commits_analyses_come_newest_first_with_their_issues(
    acme: UnitOfWork, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    repository = CodeAnalysisRepository(acme)
    counts, found = [], repository.for_commit(SHA)
    for number in range(3):
        issues = [SecurityIssue(fingerprint=f"{number}-{each}") for each in range(2)]
        at = NOON + timedelta(minutes=number // 2)
        acme.add(analysis(f"t{number}", analyzed_at=at, security_issues=issues))
        acme.flush()
        acme.expunge_all()
        with queries() as seen:
            found = repository.for_commit(SHA)
            assert all(len(row.security_issues) == 2 for row in found)
        counts.append(len(seen))
    assert tools(found) == ["t2", "t1", "t0"]
    assert counts == [2, 2, 2]


def test_a_commit_may_be_named_by_how_it_begins(acme: UnitOfWork) -> None:
    acme.add_all([analysis("a"), analysis("b"), analysis("c", commit_sha="abcdefg")])
    repository = CodeAnalysisRepository(acme)
    assert tools(repository.for_commit("abcdef0")) == ["b", "a"]
    assert tools(repository.for_commit(SHA[:-1])) == ["b", "a"]
    assert tools(repository.for_commit("abcdefg")) == ["c"]
    assert repository.for_commit("abcdef1") == []
    assert repository.for_commit("ABCDEF0") == []
    assert repository.for_commit("abcdef%") == []
    assert repository.for_commit("abcdef") == []
    assert repository.for_commit("") == []


def test_how_several_commits_begin_names_none(acme: UnitOfWork) -> None:
    acme.add_all([analysis("a"), analysis("b", commit_sha="abcdef0f"), analysis("c")])
    repository = CodeAnalysisRepository(acme)
    with pytest.raises(SeveralRowsFound, match="'abcdef0'"):
        repository.for_commit("abcdef0")
    assert tools(repository.for_commit("abcdef0f")) == ["b"]
    acme.add(analysis("d", commit_sha="abcdef0"))
    assert tools(repository.for_commit("abcdef0")) == ["d"]


# By risk


@pytest.fixture
def risks(acme: UnitOfWork) -> CodeAnalysisRepository:
    application = acme.scalars(select(Application)).one()
    acme.add_all(
        [
            analysis("high-old", risk_level="high", analyzed_at=MONTH_AGO, application=application),
            analysis("critical-old", risk_level="critical", analyzed_at=MONTH_AGO),
            analysis("low", risk_level="low"),
            analysis("medium", risk_level="medium"),
            analysis("high-1", risk_level="high"),
            analysis("high-2", risk_level="high"),
            analysis("critical", risk_level="critical", analyzed_at=NOON + timedelta(hours=1)),
            analysis("unknown", risk_level=None),
            analysis("past", risk_level="critical", analyzed_at=MONTH_AGO - timedelta.resolution),
        ]
    )
    return CodeAnalysisRepository(acme)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("critical", "critical critical-old"),
        ("high", "critical critical-old high-2 high-1 high-old"),
        ("medium", "critical critical-old high-2 high-1 high-old medium"),
        ("low", "critical critical-old high-2 high-1 high-old medium low"),
    ],
)
def test_the_most_risky_come_first_then_the_newest(
    risks: CodeAnalysisRepository, level: str, expected: str
) -> None:
    assert tools(risks.risky(level, now=NOON)) == expected.split()


def test_risks_can_be_narrowed_down(
    risks: CodeAnalysisRepository, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    application = risks.session.scalars(select(Application)).one()
    assert tools(risks.risky(now=NOON, limit=2)) == ["critical", "critical-old"]
    assert tools(risks.risky(now=NOON, application=application)) == ["high-old"]
    assert tools(risks.risky(now=NOON, application=0)) == []
    assert tools(risks.risky("critical", 31, now=NOON))[-1] == "past"
    with queries() as seen:
        found = risks.risky(now=NOON, with_=["security_issues"])
        assert [row.security_issues for row in found] == [[]] * 5
    assert len(seen) == 2


def test_wrong_risks_are_refused(acme: UnitOfWork) -> None:
    repository = CodeAnalysisRepository(acme)
    assert repository.risky() == []
    with pytest.raises(ValueError, match="low, medium, high, critical, not 'severe'"):
        repository.risky("severe")
    with pytest.raises(ValueError, match="0 or more"):
        repository.risky(limit=-1)
    with pytest.raises(ValueError, match="0 days or more"):
        repository.risky(days=-1)


# Tenants


def test_another_tenants_analyses_are_not_found(database: Database) -> None:
    with database.session(tenant="rival") as session:
        other = analysis("rival's", commit_sha="abcdef0f", risk_level="high")
        session.add_all([other, analysis("rival's", risk_level="critical")])
    with database.session(tenant="acme") as session:
        session.add(analysis("ours", risk_level="high"))
    with database.session(tenant="acme", read_only=True) as session:
        repository = CodeAnalysisRepository(session)
        assert tools(repository.for_commit(SHA)) == ["ours"]
        assert tools(repository.for_commit("abcdef0")) == ["ours"]
        assert tools(repository.risky(now=NOON)) == ["ours"]
    with database.session(all_tenants=True, read_only=True) as session:
        repository = CodeAnalysisRepository(session)
        assert tools(repository.for_commit(SHA)) == ["ours", "rival's"]
        assert tools(repository.risky(now=NOON)) == ["rival's", "ours", "rival's"]
    with Session(database.engine()) as session:
        assert len(CodeAnalysisRepository(session).risky(now=NOON)) == 3

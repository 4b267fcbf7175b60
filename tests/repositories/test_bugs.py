"""Bugs of a section, open ones, and how long they took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from qadb.errors import RowNotFound
from qadb.models import Bug, Feature, Product, TestCase
from qadb.repositories.bugs import BugRepository
from qadb.repositories.generic.base import Repository
from tests.repositories.lab import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


def fill(session: UnitOfWork, owner: str) -> None:
    """A test that covers two features of Checkout, and one that covers Search, with bugs."""
    sections = {"pay": ("Checkout", "7"), "ship": ("Checkout", "8"), "find": ("Search", "Checkout")}
    product = Product(name=f"{owner} bench")
    pay, ship, search = (
        Feature(title=f"{owner} {title}", section_name=name, section_id=key, product=product)
        for title, (name, key) in sections.items()
    )
    for number, features in enumerate([[pay, ship], [search], []]):
        case = TestCase(case_key=f"b{number}", name=f"{owner} case {number}", features=features)
        for severity in ("low", "critical"):
            session.add(
                Bug(title=f"{owner} {severity} {number}", test_case=case, severity=severity)
            )
            session.flush()


@pytest.fixture
def bugs(database: Database) -> Iterator[BugRepository]:
    """Nothing but what a test puts into it; the other tenant has its own."""
    with database.session(tenant="rival") as session:
        fill(session, "rival")
        for bug in Repository(session, Bug).list(title__contains="critical"):
            BugRepository(session).resolve(bug)
    with database._unit("acme", None, all_tenants=False, read_only=False) as session:
        repository = BugRepository(session)
        repository.delete(repository.list()[0])
        yield repository


def titles(found: object) -> list[str]:
    return [bug.title for bug in found]  # type: ignore[attr-defined]  # a list of bugs


def test_bugs_of_a_section_come_once_with_their_tests(
    bugs: BugRepository, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    fill(bugs.session, "acme")  # type: ignore[arg-type]  # it is a unit of work
    bugs.session.flush()
    bugs.session.expunge_all()
    with queries() as sent:
        found = bugs.for_section("Checkout")
        assert [(bug.title, bug.test_case and bug.test_case.name) for bug in found] == [
            ("acme low 0", "acme case 0"), ("acme critical 0", "acme case 0"),
            ("acme low 1", "acme case 1"), ("acme critical 1", "acme case 1"),
        ]  # fmt: skip
    assert len(sent) == 1
    assert titles(bugs.for_section("7")) == ["acme low 0", "acme critical 0"]
    assert titles(bugs.for_section("Search", severity="low")) == ["acme low 1"]
    assert titles(bugs.for_section("8", order_by="-id")) == ["acme critical 0", "acme low 0"]
    assert titles(bugs.for_section("checkout")) == []
    bugs.delete(found[0])
    assert titles(bugs.for_section("7")) == ["acme critical 0"]
    with pytest.raises(ValueError, match="no column 'colour'"):
        bugs.for_section("7", colour="red")


def test_open_bugs_are_counted_by_severity(bugs: BugRepository) -> None:
    none = {"critical": 0, "high": 0, "medium": 0, "low": 0}
    assert list(bugs.open_by_severity().items()) == list(none.items())
    statuses = ["open", "confirmed", "known", "fixed", "rejected"]
    for status in statuses:
        bugs.create(title=status, status=status, severity="high")
    bugs.create(title="low", severity="low")
    bugs.delete(bugs.create(title="gone", severity="critical"))
    assert list(bugs.open_by_severity().items()) == list({**none, "high": 3, "low": 1}.items())


def test_the_mean_time_to_resolve_is_exact(bugs: BugRepository) -> None:
    assert bugs.mean_time_to_resolve(now=NOON) is None
    times = [timedelta(days=3, microseconds=1), timedelta(hours=1), timedelta(0)]
    for took in times:
        at = NOON - timedelta(days=1)
        bugs.create(title="x", status="fixed", reported_at=at - took, resolved_at=at)
    assert bugs.mean_time_to_resolve(now=NOON) == timedelta(days=1, minutes=20)
    mean = timedelta(days=1, minutes=20)
    for status, days_ago in (("rejected", -1), ("open", 1), ("fixed", 31)):
        at = NOON - timedelta(days=days_ago)
        bugs.create(title=status, status=status, reported_at=at - mean, resolved_at=at)
    bugs.create(title="imported", status="fixed")
    bugs.delete(bugs.create(title="gone", status="fixed", reported_at=NOON, resolved_at=NOON))
    assert bugs.mean_time_to_resolve(now=NOON) == mean
    assert bugs.mean_time_to_resolve(0, now=NOON) == mean
    assert bugs.mean_time_to_resolve(0, now=NOON + timedelta(days=2)) is None
    with pytest.raises(ValueError, match="period"):
        bugs.mean_time_to_resolve(-1)


def test_a_bug_is_resolved_once(bugs: BugRepository) -> None:
    bug = bugs.create(title="x")
    assert bugs.resolve(bug).status == "fixed"
    assert bug.resolved_at is not None
    assert bug.reported_at <= bug.resolved_at <= datetime.now(UTC) + timedelta(seconds=1)
    with pytest.raises(ValueError, match="is fixed already"):
        bugs.resolve(bug.id, "rejected")
    at = bug.reported_at + timedelta(hours=1)
    known = bugs.create(title="y", status="known")
    assert bugs.resolve(known.id, "rejected", resolved_at=at) is known
    assert (known.status, known.resolved_at) == ("rejected", at)


def test_a_bug_of_an_earlier_session_is_resolved(database: Database) -> None:
    with database.session(tenant="acme") as session:
        bug = BugRepository(session).list()[0]
    with database.session(tenant="acme") as session:
        BugRepository(session).resolve(bug)
    with database.session(tenant="acme") as session:
        assert BugRepository(session).count(status="fixed") == 1


def test_a_bug_of_a_clock_ahead_of_ours_took_no_time(bugs: BugRepository) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    assert bugs.resolve(bugs.create(title="x", reported_at=ahead)).resolved_at == ahead


def test_what_is_no_resolution_is_refused(bugs: BugRepository) -> None:
    bug = bugs.create(title="x", reported_at=NOON)
    with pytest.raises(ValueError, match="fixed or rejected"):
        bugs.resolve(bug, "known")
    with pytest.raises(ValueError, match="time zone"):
        bugs.resolve(bug, resolved_at=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="resolved_at"), bugs.session.begin_nested():
        bugs.resolve(bug, resolved_at=NOON - timedelta(seconds=1))
    with pytest.raises(RowNotFound, match="bugs"):
        bugs.resolve(0)


def test_another_tenants_bug_is_not_resolved(bugs: BugRepository, database: Database) -> None:
    with database.session(tenant="rival", read_only=True) as session:
        theirs = BugRepository(session)
        assert theirs.open_by_severity() == {"critical": 0, "high": 0, "medium": 1, "low": 3}
        assert theirs.mean_time_to_resolve() is not None
        key = theirs.list()[0].id
    with pytest.raises(RowNotFound):
        bugs.resolve(key)

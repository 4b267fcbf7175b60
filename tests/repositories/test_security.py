"""What is open, what a sweep closes, and whose issues these are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from qadb.errors import RowNotFound
from qadb.models import CodeAnalysis
from qadb.repositories.quality.security import SecurityRepository
from tests.repositories.issues import HOUR, NOON, add_issue, findings, shop, statuses

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NONE_OPEN = {"critical": 0, "high": 0, "medium": 0, "low": 0, "info": 0}


# What is open


def test_open_issues_are_counted_by_severity(acme: UnitOfWork) -> None:
    issues = SecurityRepository(acme)
    assert issues.open_by_severity() == NONE_OPEN
    application = shop(acme)
    for number, (severity, status) in enumerate(
        [
            ("info", "open"),
            ("high", "triaged"),
            ("high", "open"),
            ("high", "fixed"),
            ("critical", "false_positive"),
        ]
    ):
        add_issue(acme, f"f{number}", severity=severity, status=status, application=application)
    add_issue(acme, "of no application", severity="low")
    found = issues.open_by_severity()
    assert list(found.items()) == [
        ("critical", 0),
        ("high", 2),
        ("medium", 0),
        ("low", 1),
        ("info", 1),
    ]
    assert issues.open_by_severity(application) == {**NONE_OPEN, "high": 2, "info": 1}
    assert issues.open_by_severity(0) == NONE_OPEN


# Sweeps


def test_a_sweep_closes_what_was_last_seen_before(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    gone = add_issue(acme, "gone", application=application)
    triaged = add_issue(acme, "triaged", application=application, status="triaged")
    add_issue(acme, "fp", application=application, status="false_positive")
    add_issue(acme, "seen", application=application, last_seen_at=NOON)
    add_issue(acme, "other", application=application, tool="semgrep")
    assert issues.sweep(application, "bandit", since=NOON - HOUR) == ()
    assert issues.sweep(application, "bandit", now=NOON + HOUR) == (gone.id, triaged.id)
    assert (gone.status, gone.fixed_at) == ("fixed", NOON + HOUR)
    assert statuses(acme) == {
        "gone": "fixed",
        "triaged": "fixed",
        "fp": "false_positive",
        "seen": "open",
        "other": "open",
    }
    assert issues.sweep(application, "bandit", now=NOON + HOUR) == ()
    assert issues.sweep(application, "nothing") == ()


def test_what_a_sweep_closes_was_not_fixed_before_it_was_seen(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    row = add_issue(acme, "ahead", application=application, first_seen_at=NOON, last_seen_at=NOON)
    assert issues.sweep(application, "bandit", since=NOON + HOUR, now=NOON - HOUR) == (row.id,)
    assert row.fixed_at == NOON + HOUR


# Tenants


@pytest.fixture
def both(database: Database) -> Database:
    """The same issue of the same tool, open with both tenants."""
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            scan = findings("same", severity="high")
            SecurityRepository(session).record_scan(shop(session), "bandit", scan, now=NOON)
    return database


def test_another_tenants_issues_stay_as_they_are(both: Database) -> None:
    with both.session(tenant="rival") as session:
        theirs = shop(session).id
    with both.session(tenant="acme") as session:
        issues = SecurityRepository(session)
        assert issues.open_by_severity() == {**NONE_OPEN, "high": 1}
        assert issues.open_by_severity(theirs) == NONE_OPEN
        issues.record_scan(shop(session), "bandit", findings("new"), now=NOON + HOUR)
        with pytest.raises(RowNotFound):
            issues.record_scan(theirs, "bandit", [])
        with pytest.raises(RowNotFound):
            issues.sweep(theirs, "bandit")
        assert statuses(session) == {"same": "fixed", "new": "open"}
    with both.session(tenant="rival") as session:
        assert statuses(session) == {"same": "open"}


def test_another_tenants_analysis_is_not_found(both: Database) -> None:
    with both.session(tenant="rival") as session:
        analysis = CodeAnalysis(commit_sha="abc")
        session.add(analysis)
    with both.session(tenant="acme") as session, pytest.raises(RowNotFound):
        SecurityRepository(session).record_scan(
            shop(session), "bandit", [], code_analysis=analysis.id
        )


@pytest.mark.parametrize("is_plain", [False, True])
def test_sessions_without_a_tenant_write_for_the_applications(
    both: Database, is_plain: bool
) -> None:
    with both.session(tenant="rival") as session:
        theirs = shop(session).id
    unit = Session(both.engine()) if is_plain else both.session(all_tenants=True)
    with unit as session:
        issues = SecurityRepository(session)
        assert issues.open_by_severity()["high"] == 2
        outcome = issues.record_scan(theirs, "bandit", findings("new"), now=NOON + HOUR)
        assert (outcome.new, len(outcome.closed)) == (1, 1)
        session.commit()
    with both.session(tenant="rival") as session:
        assert statuses(session) == {"same": "fixed", "new": "open"}
    with both.session(tenant="acme") as session:
        assert statuses(session) == {"same": "open"}

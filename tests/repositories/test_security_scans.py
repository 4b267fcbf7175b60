"""What a scan enters, brings back and closes."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select

from qadb.errors import QadbError, RowNotFound
from qadb.models import Application, CodeAnalysis, SecurityIssue
from qadb.repositories.quality.security import Finding, ScanOutcome, SecurityRepository
from tests.repositories.issues import HOUR, NOON, add_issue, findings, shop, statuses

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


def test_a_first_scan_enters_what_it_reports(acme: UnitOfWork) -> None:
    analysis = CodeAnalysis(commit_sha="abc")
    acme.add(analysis)
    acme.flush()
    finding = Finding("f", "high", "B101", "CWE-79", "CVE-2026-1", "a.py", 7, "bad")
    outcome = SecurityRepository(acme).record_scan(
        shop(acme), "bandit", [finding], code_analysis=analysis, now=NOON
    )
    assert outcome == ScanOutcome(seen_at=NOON, reported=1, new=1, reopened=0, closed=())
    row = acme.scalars(select(SecurityIssue)).one()
    assert (row.tenant_id, row.application, row.tool) == ("acme", shop(acme), "bandit")
    assert (row.fingerprint, row.occurrence, row.severity, row.status) == ("f", 1, "high", "open")
    assert (row.rule_id, row.cwe, row.cve) == ("B101", "CWE-79", "CVE-2026-1")
    assert (row.file, row.line, row.message) == ("a.py", 7, "bad")
    assert (row.first_seen_at, row.last_seen_at, row.fixed_at) == (NOON, NOON, None)
    assert row.code_analysis is analysis


def test_a_second_scan_opens_keeps_and_closes(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    first = issues.record_scan(application, "bandit", findings("a b c d e"), now=NOON)
    by_name = {row.fingerprint: row for row in issues.list()}
    for name, status in {"b": "triaged", "c": "false_positive", "d": "fixed"}.items():
        fixed_at = NOON if status == "fixed" else None
        issues.update(by_name[name], status=status, fixed_at=fixed_at)
    later = NOON + HOUR
    again = issues.record_scan(
        application.id, "bandit", findings("b c d new", severity="low", line=3), now=later
    )
    assert (first.new, first.reported) == (5, 5)
    closed = (by_name["a"].id, by_name["e"].id)
    assert again == ScanOutcome(seen_at=later, reported=4, new=1, reopened=1, closed=closed)
    assert statuses(acme) == {
        "a": "fixed",
        "b": "triaged",
        "c": "false_positive",
        "d": "open",
        "e": "fixed",
        "new": "open",
    }
    assert (by_name["a"].fixed_at, by_name["a"].last_seen_at) == (later, NOON)
    assert (by_name["d"].fixed_at, by_name["d"].first_seen_at) == (None, NOON)
    assert {by_name[name].last_seen_at for name in "bcd"} == {later}
    assert (by_name["b"].severity, by_name["b"].line) == ("low", 3)


def test_false_positives_and_fixed_ones_stay_when_they_are_gone(acme: UnitOfWork) -> None:
    application = shop(acme)
    long_ago = NOON - HOUR / 2
    add_issue(acme, "fp", application=application, status="false_positive")
    fixed = add_issue(acme, "f", application=application, status="fixed", fixed_at=long_ago)
    outcome = SecurityRepository(acme).record_scan(application, "bandit", [], now=NOON)
    assert outcome == ScanOutcome(seen_at=NOON, reported=0, new=0, reopened=0, closed=())
    assert statuses(acme) == {"fp": "false_positive", "f": "fixed"}
    assert fixed.fixed_at == long_ago


def test_equal_fingerprints_are_numbered_within_the_scan(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    scan = [replace(each, line=line) for line, each in enumerate(findings("a b a a"), start=1)]
    assert issues.record_scan(application, "bandit", scan, now=NOON).new == 4
    assert [(r.fingerprint, r.occurrence, r.line) for r in issues.list(order_by="line")] == [
        ("a", 1, 1),
        ("b", 1, 2),
        ("a", 2, 3),
        ("a", 3, 4),
    ]
    again = issues.record_scan(application, "bandit", findings("a a b"), now=NOON + HOUR)
    assert (again.new, len(again.closed)) == (0, 1)
    assert statuses(acme) == {"a": "open", "b": "open", "a2": "open", "a3": "fixed"}


def test_other_tools_applications_and_issues_of_none_are_left_alone(acme: UnitOfWork) -> None:
    bank = Application(code="bank", name="Bank")
    add_issue(acme, "other tool", application=shop(acme), tool="semgrep")
    add_issue(acme, "no tool", application=shop(acme), tool="")
    add_issue(acme, "bank's", application=bank)
    add_issue(acme, "nobody's")
    add_issue(acme, "same")
    issues = SecurityRepository(acme)
    outcome = issues.record_scan(shop(acme), "bandit", findings("same"), now=NOON)
    assert (outcome.new, outcome.closed) == (1, ())
    assert issues.count(status="open") == 6
    assert issues.count(last_seen_at=NOON) == 1


def test_an_issue_keeps_its_analysis_unless_another_is_named(acme: UnitOfWork) -> None:
    analyses = [CodeAnalysis(commit_sha="abc"), CodeAnalysis(commit_sha="def")]
    acme.add_all(analyses)
    acme.flush()
    issues, application = SecurityRepository(acme), shop(acme)
    seen: list[int | None] = []
    for hours, analysis in enumerate([analyses[0].id, None, analyses[1]]):
        issues.record_scan(
            application,
            "bandit",
            findings("a"),
            code_analysis=analysis,
            now=NOON + hours * HOUR,
        )
        seen.append(issues.list()[0].code_analysis_id)
    assert seen == [analyses[0].id, analyses[0].id, analyses[1].id]


def test_a_clock_that_went_back_does_not_confuse_scans(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    issues.record_scan(application, "bandit", findings("a b"), now=NOON)
    again = issues.record_scan(application, "bandit", findings("b c"), now=NOON - HOUR)
    assert again.seen_at == NOON + timedelta.resolution
    assert (again.new, len(again.closed)) == (1, 1)
    assert statuses(acme) == {"a": "fixed", "b": "open", "c": "open"}


def test_the_present_is_the_moment_of_a_scan_by_itself(acme: UnitOfWork) -> None:
    before = datetime.now(UTC)
    outcome = SecurityRepository(acme).record_scan(shop(acme), "bandit", findings("a"))
    assert before <= outcome.seen_at <= datetime.now(UTC)


def test_a_bad_finding_keeps_the_whole_scan_out(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    issues.record_scan(application, "bandit", findings("old"), now=NOON)
    many = [Finding(f"f{number}") for number in range(1500)]
    for bad, words in (
        (Finding("x", severity="awful"), "severity: must be one of info"),
        (Finding("x", line=0), "line: must be above 0"),
        (Finding("x" * 256), "fingerprint: may have 255 characters"),
    ):
        with pytest.raises(ValueError, match=words):
            issues.record_scan(application, "bandit", [*many, bad], now=NOON + HOUR)
    assert statuses(acme) == {"old": "open"}


def test_a_scan_of_nothing_known_is_refused(acme: UnitOfWork) -> None:
    issues, application = SecurityRepository(acme), shop(acme)
    with pytest.raises(RowNotFound, match="no application 0"):
        issues.record_scan(0, "bandit", [])
    with pytest.raises(RowNotFound, match="no code analysis 0"):
        issues.record_scan(application, "bandit", [], code_analysis=0)
    with pytest.raises(ValueError, match="no time zone"):
        issues.record_scan(application, "bandit", [], now=NOON.replace(tzinfo=None))
    application.deleted_at = NOON
    with pytest.raises(RowNotFound):
        issues.sweep(application, "bandit")


def test_a_session_for_reading_records_no_scan(database: Database) -> None:
    with (
        pytest.raises(QadbError, match=r"opened for reading|takes no writes"),
        database.session(tenant="acme", read_only=True) as session,
    ):
        SecurityRepository(session).record_scan(shop(session), "bandit", findings("a"))


def test_large_scans_take_few_statements(database: Database) -> None:
    def scan(count: int) -> int:
        seen: list[str] = []

        def note(_c: Connection, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        many = (Finding(f"f{number // 2}") for number in range(count))
        with database.session(tenant="acme") as session:
            application = shop(session)
            event.listen(database.engine(), "before_cursor_execute", note)
            SecurityRepository(session).record_scan(application, "bandit", many)
            event.remove(database.engine(), "before_cursor_execute", note)
        return len(seen)

    small = scan(10)
    assert scan(4_000) <= small + 5
    assert scan(4_000) <= small + 5
    assert scan(10) <= small
    with database.session(tenant="acme") as session:
        issues = SecurityRepository(session)
        assert (issues.count(status="open"), issues.count(status="fixed")) == (10, 3_990)


def test_scans_at_once_enter_each_issue_once(database: Database) -> None:
    outcomes: list[ScanOutcome] = []

    def work(session: UnitOfWork) -> ScanOutcome:
        return SecurityRepository(session).record_scan(shop(session), "bandit", findings("a b c"))

    def scan() -> None:
        outcomes.append(database.run(work, tenant="acme"))

    threads = [threading.Thread(target=scan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.new for outcome in outcomes) == [0, 0, 0, 3]
    assert [outcome.closed for outcome in outcomes] == [()] * 4
    assert len({outcome.seen_at for outcome in outcomes}) == 4

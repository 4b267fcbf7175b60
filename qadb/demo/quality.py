"""Quality: what tools found in the code, why tests failed, and the bugs that came of it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from qadb.demo import failures as kinds
from qadb.demo.failures import FailureKind
from qadb.demo.plan import DAYS, Batch, Failure, Row, Scene, batch, draw_sha
from qadb.demo.schedule import INCIDENTS
from qadb.models import Bug, CodeAnalysis, FailureAnalysis, SecurityIssue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

ANALYSIS_EVERY_DAYS = 3
TOOL = "semgrep"
CONFIDENCE = {"product": 0.92, "flaky": 0.67, "infrastructure": 0.85, "performance": 0.74}
_RISKS = ("low", "low", "medium", "low", "high", "medium", "low", "critical", "medium", "low")

# rule, severity, CWE, CVE, message, status, first seen so many days ago
_ISSUES = (
    ("sql-injection", "critical", "CWE-89", None,
     "A value of the request becomes part of an SQL statement.", "fixed", 27.0),
    ("hard-coded-password", "high", "CWE-798", None,
     "A password is written in the source.", "triaged", 24.0),
    ("outdated-dependency", "high", "CWE-1395", "CVE-2024-35195",
     "A dependency keeps an unverified connection for later requests.", "open", 12.0),
    ("weak-hash", "medium", "CWE-328", None,
     "SHA-1 is used where nobody may forge the input.", "open", 21.0),
    ("open-redirect", "medium", "CWE-601", None,
     "The address after signing in comes from the request.", "false_positive", 18.0),
    ("missing-timeout", "low", "CWE-400", None,
     "A request to another service may wait for ever.", "open", 4.0),
    ("assert-in-code", "info", "CWE-617", None,
     "An assert is gone when Python runs with -O.", "open", 9.0),
)  # fmt: skip

# title, severity, status, reported and resolved so many days ago
_OTHER_BUGS = (
    ("Receipt prints the weekday in English", "low", "open", 22.0, None),
    ("Größentabelle is cut off on small screens", "medium", "confirmed", 11.5, None),
    ("Search forgets the filter after going back", "medium", "fixed", 25.0, 19.2),
    ("Keyboard focus jumps to the footer", "low", "rejected", 16.0, 15.1),
    ("Old browsers show no prices", "medium", "known", 120.0, None),
    ("Export lacks the last row", "high", "fixed", 9.0, 6.3),
)


def quality(scene: Scene) -> Iterator[Batch]:
    """Analyses and issues, then what failures left."""
    yield from _scans(scene)
    found = [(kind, scene.failures[kind.name]) for kind in _kinds() if kind.name in scene.failures]
    yield batch(FailureAnalysis, [_explained(scene, kind, failure) for kind, failure in found])
    yield batch(Bug, [*_bugs_of_incidents(scene), *_bugs_of_flakes(scene), *_other_bugs(scene)])


def _kinds() -> Iterator[FailureKind]:
    return (value for value in vars(kinds).values() if isinstance(value, FailureKind))


def _scans(scene: Scene) -> Iterator[Batch]:
    rng = scene.rng("scans")
    analyses: list[Row] = []
    issues: list[Row] = []
    for app in scene.company.apps:
        sections = sorted({suite.section for suite in app.suites})
        for number in range(DAYS // ANALYSIS_EVERY_DAYS):
            at = scene.plan.ago(DAYS - ANALYSIS_EVERY_DAYS * (number + rng.random()))
            section = rng.choice(sections)
            row = scene.row(
                CodeAnalysis,
                at,
                application_id=scene.applications[app.code],
                commit_sha=draw_sha(rng),
                risk_level=_RISKS[number],
                affected_subsystems=[section],
                changed_files=[f"src/{app.code}/{section.lower()}.py"],
                findings=[{"rule": "complexity", "value": rng.randint(4, 31)}],
                tool=TOOL,
                analyzed_at=at,
            )
            analyses.append(row)
        newest = scene.counted[CodeAnalysis.__tablename__]
        issues += _issues(scene, app.code, newest)
    yield batch(CodeAnalysis, analyses)
    yield batch(SecurityIssue, issues)


def _issues(scene: Scene, code: str, analysis_id: int) -> Iterator[Row]:
    rng = scene.rng(f"issues of {code}")
    for rule_id, severity, cwe, cve, message, status, days_ago in _ISSUES:
        is_fixed = status == "fixed"
        first_seen = scene.plan.ago(days_ago)
        yield scene.row(
            SecurityIssue,
            first_seen,
            application_id=scene.applications[code],
            code_analysis_id=analysis_id,
            tool=TOOL,
            fingerprint=sha256(f"{code}/{rule_id}".encode()).hexdigest()[:32],
            occurrence=1,
            rule_id=f"python.{rule_id}",
            severity=severity,
            cwe=cwe,
            cve=cve,
            file=f"src/{code}/{rule_id.split('-')[0]}.py",
            line=rng.randint(10, 400),
            message=message,
            status=status,
            first_seen_at=first_seen,
            last_seen_at=scene.plan.ago(days_ago - 3 if is_fixed else 0.6),
            fixed_at=scene.plan.ago(days_ago - 3.2) if is_fixed else None,
        )


def _explained(scene: Scene, kind: FailureKind, failure: Failure) -> Row:
    return scene.row(
        FailureAnalysis,
        failure.at,
        run_id=failure.run_id,
        test_case_id=failure.test_case_id,
        occurrence=failure.occurrence,
        attempt=failure.attempt,
        signature=failure.signature,
        category=kind.category,
        root_cause=kind.cause,
        confidence=CONFIDENCE[kind.category],
        suggested_fixes=list(kind.fixes),
        related_commits=[failure.commit_sha],
    )


def _bugs_of_incidents(scene: Scene) -> Iterator[Row]:
    """What broke for days; over since its tests pass again."""
    for incident in INCIDENTS:
        failure = scene.failures.get(incident.kind.name)
        if failure is not None:
            fixed_at = scene.plan.ago(incident.to_days_ago) if incident.to_days_ago else None
            yield _bug(
                scene,
                incident.bug,
                severity=incident.severity,
                status="confirmed" if fixed_at is None else "fixed",
                at=failure.at,
                resolved_at=fixed_at,
                failure=failure,
            )


def _bugs_of_flakes(scene: Scene) -> Iterator[Row]:
    for kind in (kinds.FLAKY_WAIT, kinds.FLAKY_ORDER, kinds.SLOW):
        failure = scene.failures.get(kind.name)
        if failure is not None:
            yield _bug(
                scene,
                kind.cause.removesuffix("."),
                severity="medium",
                status="open",
                at=failure.at,
                resolved_at=None,
                failure=failure,
            )


def _other_bugs(scene: Scene) -> Iterator[Row]:
    for title, severity, status, reported, resolved in _OTHER_BUGS:
        yield _bug(
            scene,
            title,
            severity=severity,
            status=status,
            at=scene.plan.ago(reported),
            resolved_at=None if resolved is None else scene.plan.ago(resolved),
            failure=None,
        )


def _bug(
    scene: Scene,
    title: str,
    *,
    severity: str,
    status: str,
    at: datetime,
    resolved_at: datetime | None,
    failure: Failure | None,
) -> Row:
    bug_id = scene.counted[Bug.__tablename__] + 1
    reporter, resolver = (scene.company.people[place].username for place in (1, 0))
    if resolved_at is not None:
        change = {"status": status, "resolved_at": resolved_at, "updated_at": resolved_at}
        scene.changes.append((Bug, bug_id, {**change, "updated_by": scene.users[resolver]}))
    return scene.row(
        Bug,
        at,
        external_id=f"BUG-{bug_id}",
        test_case_id=None if failure is None else failure.test_case_id,
        run_id=None if failure is None else failure.run_id,
        title=title,
        description=None if failure is None else "See the linked run for the stack trace.",
        severity=severity,
        status=status if resolved_at is None else "open",
        reported_by=reporter,
        reported_at=at,
        created_by=scene.users[reporter],
    )

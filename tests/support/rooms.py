"""Rows for every section of the figures, for one tenant; texts name it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qadb.models import (
    SLA,
    AgentExecution,
    Application,
    Bug,
    CodeAnalysis,
    CoverageData,
    PerformanceResult,
    SecurityIssue,
    TestCase,
    TestResult,
    TestRun,
    ToolExecution,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from qadb.models import Base

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def fill_rooms(session: Session, word: str) -> None:
    """Add two runs, of a day and of two days before `NOW`, and something to every room."""
    application = Application(code=f"{word}-app", name=word)
    runs = [
        TestRun(
            application=application,
            run_key=f"{word}-{number}",
            started_at=NOW - number * DAY,
            result="failure",
        )
        for number in (2, 1)
    ]
    session.add_all(
        [
            *_results(word, runs),
            *_coverage(runs),
            *_performance(word, application, runs[1]),
            *_bugs(word),
            *_security(application),
            *_agents(word),
        ]
    )
    session.flush()


def _results(word: str, runs: list[TestRun]) -> list[Base]:
    """One test flips, one fails twice with another, one is fine."""
    names = ("flaky", "broken", "fine")
    flaky, broken, fine = (
        TestCase(case_key=f"{word}::{name}", name=name, classname=word) for name in names
    )
    failure = {"status": "failed", "signature": f"{word}-sig", "error_type": "AssertionError"}
    message = f"{word} is wrong\nin two lines"
    before, last = runs
    return [
        TestResult(run=before, test_case=flaky, status="passed", duration_ms=10),
        TestResult(run=last, test_case=flaky, **failure, message=message),
        TestResult(run=before, test_case=broken, **failure, message="old"),
        TestResult(run=last, test_case=broken, status="error", signature=f"{word}-other"),
        TestResult(run=last, test_case=fine, status="passed", duration_ms=30),
    ]


def _coverage(runs: list[TestRun]) -> list[Base]:
    before, last = runs
    return [
        CoverageData(
            run=before, file="", covered_lines=50, total_lines=100, collected_at=NOW - 2 * DAY
        ),
        CoverageData(
            run=last, file="a.py", covered_lines=60, total_lines=80, covered_branches=1,
            total_branches=4, collected_at=NOW - DAY,
        ),
        CoverageData(
            run=last, file="b.py", covered_lines=15, total_lines=20, collected_at=NOW - DAY
        ),
    ]  # fmt: skip


def _performance(word: str, application: Application, run: TestRun) -> list[Base]:
    return [
        PerformanceResult(
            run=run, request_name=f"GET /{word}", total_requests=200, ok_requests=197,
            ko_requests=3, p95_response_time_ms=250.5,
        ),
        PerformanceResult(
            run=run, request_name="GET /", total_requests=10, ok_requests=10,
            p95_response_time_ms=100,
        ),
        SLA(application=application, metric="error_rate", threshold=0.02, unit="fraction"),
        SLA(application=application, metric="p95_response_time_ms", threshold=200),
        SLA(
            application=application, metric="p95_response_time_ms", threshold=1,
            request_name="GET /never",
        ),
    ]  # fmt: skip


def _bugs(word: str) -> list[Base]:
    return [
        Bug(title=word, severity="critical", status="open"),
        Bug(title=word, severity="low", status="known"),
        Bug(title=word, severity="low", status="confirmed", deleted_at=NOW),
        Bug(
            title=word, severity="high", status="fixed", reported_at=NOW - 3 * DAY,
            resolved_at=NOW - 3 * DAY + 2 * HOUR,
        ),
    ]  # fmt: skip


def _security(application: Application) -> list[Base]:
    analysis = CodeAnalysis(commit_sha="c0ffee", risk_level="low", tool="bandit")
    return [
        SecurityIssue(
            application=application, code_analysis=analysis, tool="bandit", fingerprint=status,
            severity=severity, status=status,
        )
        for severity, status in (("high", "open"), ("medium", "triaged"), ("critical", "fixed"))
    ]  # fmt: skip


def _agents(word: str) -> list[Base]:
    agent = AgentExecution(
        execution_id=f"{word}-1", agent_name=word, status="completed", tokens_used=1200,
        duration_ms=1500,
    )  # fmt: skip
    rows: list[AgentExecution | ToolExecution] = [
        agent,
        AgentExecution(execution_id=f"{word}-2", agent_name=word, status="failed"),
        AgentExecution(execution_id=f"{word}-3", agent_name="reviewer", status="running"),
        ToolExecution(agent=agent, tool_name="grep", status="success", duration_ms=20),
        ToolExecution(tool_name="grep", status="failed", error="no"),
        ToolExecution(tool_name="curl", status="running"),
    ]
    for row in rows:
        row.created_at = NOW
    return [*rows]

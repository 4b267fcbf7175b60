"""Rows of a known age, for cleanups: what is old enough to go, and what keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from qadb.models import (
    AgentExecution,
    Application,
    AuditLog,
    Bug,
    Conversation,
    CoverageData,
    Environment,
    FailureAnalysis,
    Feature,
    IngestFile,
    MessageHistory,
    Note,
    PerformanceResult,
    Product,
    Role,
    SecurityIssue,
    Tenant,
    TestCase,
    TestResult,
    TestRun,
    ToolExecution,
    User,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.database import Database
    from qadb.models import Base
    from qadb.sessions.unit import UnitOfWork

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
RESULTS = 3


def ago(days: float) -> datetime:
    """So many days before `NOW`."""
    return NOW - days * DAY


def add(database: Database, *rows: Base, tenant: str | None = None) -> None:
    """Add rows; those without a tenant of their own belong to the default one."""
    with database.session(tenant=tenant, all_tenants=tenant is None) as unit:
        unit.add_all(rows)


def add_runs(database: Database, *ages: float, code: str = "shop", **columns: Any) -> list[int]:
    """Add runs so many days old, each with rows in all tables that follow it; returns their ids."""
    with database.session(all_tenants=True) as unit:
        application = unit.scalar(select(Application).where(Application.code == code))
        application = application or Application(code=code, name=code)
        cases = _cases(unit, application)
        runs = [
            TestRun(
                application=application,
                run_key=f"{code}-{number}-{age}-{columns.get('branch', '')}",
                started_at=ago(age),
                **columns,
            )
            for number, age in enumerate(ages)
        ]
        for run in runs:
            unit.add_all([run, *_followers(run, cases)])
        unit.flush()
        return [run.id for run in runs]


def _cases(unit: UnitOfWork, application: Application) -> Sequence[TestCase]:
    mine = TestCase.case_key.startswith(f"{application.code}::")
    found = unit.scalars(select(TestCase).where(mine).order_by(TestCase.id)).all()
    return found or [
        TestCase(case_key=f"{application.code}::{n}", name=str(n)) for n in range(RESULTS)
    ]


def _followers(run: TestRun, cases: Sequence[TestCase]) -> list[Base]:
    """The analysis names a cause, so it keeps nothing."""
    digest = sha256(run.run_key.encode()).hexdigest()
    results = [
        TestResult(run=run, test_case=case, status="failed", executed_at=run.started_at)
        for case in cases
    ]
    return [
        *results,
        FailureAnalysis(test_result=results[0], root_cause="a cause"),
        CoverageData(run=run, file="", covered_lines=1, total_lines=2),
        PerformanceResult(run=run, request_name="GET /", total_requests=1, ok_requests=1),
        IngestFile(run=run, sha256=digest, file_name="r", bytes=1, format="junit"),
    ]


def add_audit_logs(database: Database, *ages: float, tenant: str = "default") -> None:
    """Add entries so many days old."""
    rows = [
        {
            "tenant_id": tenant,
            "table_name": "products",
            "record_id": str(age),
            "action_type": "UPDATE",
            "created_at": ago(age),
        }
        for age in ages
    ]
    with database.connect() as connection:
        connection.execute(insert(AuditLog), rows)


def add_every_kind(database: Database, word: str = "old") -> None:
    """Add something old and something young to every table that a policy is about."""
    with database.session(all_tenants=True) as unit:
        role = unit.scalars(select(Role).where(Role.name == "viewer")).one()
        user = User(username=f"{word}-user", role=role)
        unit.add_all([user, *_agents(word, user), *_quality(word), *_assistant(word, user)])
        unit.add_all(_softly_deleted(word, role))
    _make_each_other(database, f"{word}-one", f"{word}-two")
    add_runs(database, 179, 181, 400, code=f"{word}-app")
    add_audit_logs(database, 729, 731)


def _agents(word: str, user: User) -> list[Base]:
    old, young = (
        AgentExecution(execution_id=f"{word}-{age}", agent_name=word, created_at=ago(age))
        for age in (91, 89)
    )
    return [
        ToolExecution(agent=old, user=user, tool_name="old", created_at=ago(91)),
        ToolExecution(agent=old, user=user, tool_name="young", created_at=ago(1)),
        ToolExecution(agent=young, user=user, tool_name="young", created_at=ago(89)),
    ]


def _quality(word: str) -> list[Base]:
    return [
        SecurityIssue(
            fingerprint=f"{word}-{status}-{age}",
            status=status,
            first_seen_at=ago(500),
            last_seen_at=ago(450),
            fixed_at=moment,
        )
        for status, age in (("fixed", 181), ("fixed", 179), ("open", 400), ("triaged", 400))
        for moment in (ago(age) if status == "fixed" else None,)
    ]


def _assistant(word: str, user: User) -> list[Base]:
    talk = Conversation(session_id=word, user=user, last_activity_at=ago(400))
    return [
        MessageHistory(conversation=talk, user=user, user_message="hello", created_at=ago(age))
        for age in (91, 89)
    ]


def _softly_deleted(word: str, role: Role) -> list[Base]:
    """Rows that nothing refers to, some that something does, and users that made each other."""
    gone = ago(31)
    feature = Feature(product=Product(name=word), title=word)
    alone = TestCase(case_key=f"{word}::gone", name="gone", deleted_at=gone, features=[feature])
    used = TestCase(case_key=f"{word}::used", name="used", deleted_at=gone)
    author = User(username=f"{word}-author", role=role, deleted_at=gone)
    first, second = (
        User(username=f"{word}-{name}", role=role, deleted_at=gone) for name in ("one", "two")
    )
    return [
        Bug(title=word, test_case=used),
        Bug(title=f"{word} gone", test_case=alone, deleted_at=gone),
        Environment(name=f"{word}-gone", deleted_at=gone),
        Environment(name=f"{word}-lately", deleted_at=ago(29)),
        Environment(name=f"{word}-made", creator=author),
        Note(user=author, title=word, deleted_at=ago(29)),
        first,
        second,
    ]


def _make_each_other(database: Database, *names: str) -> None:
    """Let two users state that the other one made them."""
    one, other = names
    with database.session(all_tenants=True) as unit:
        users = {user.username: user for user in unit.scalars(select(User))}
        users[one].created_by, users[other].created_by = users[other].id, users[one].id


def add_tenant(database: Database, name: str = "acme") -> None:
    """Add a tenant."""
    with database.connect() as connection:
        connection.execute(insert(Tenant).values(id=name, name=name))

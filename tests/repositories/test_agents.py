"""What agents and tools did, summed up over a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.orm import Session

from qadb.errors import ConflictError, RowNotFound, SeveralRowsFound
from qadb.models import AgentExecution, ToolExecution, User
from qadb.repositories.agents.executions import (
    AgentExecutionRepository,
    AgentUsage,
    ToolExecutionRepository,
    ToolUsage,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONTH_AGO = NOON - timedelta(days=30)


def execution(name: str, number: int, **values: Any) -> AgentExecution:
    stated = {"created_at": NOON, **values}
    return AgentExecution(execution_id=f"{name}-{number}", agent_name=name, **stated)


def call(tool: str, **values: Any) -> ToolExecution:
    return ToolExecution(tool_name=tool, **{"created_at": NOON, **values})


@pytest.fixture
def busy(database: Database) -> Database:
    """Executions of two tenants, some outside the last 30 days."""
    with database.session(tenant="acme") as session:
        session.add_all(
            [
                execution(
                    "planner",
                    1,
                    status="completed",
                    tokens_used=2_000_000_000,
                    duration_ms=Decimal("0.001"),
                ),
                execution(
                    "planner",
                    2,
                    status="failed",
                    tokens_used=2_000_000_000,
                    duration_ms=Decimal("0.002"),
                ),
                execution("planner", 3, created_at=MONTH_AGO, duration_ms=Decimal("0.001")),
                execution("planner", 4, created_at=MONTH_AGO - timedelta(microseconds=1)),
                execution("Writer", 1, created_at=NOON + timedelta(hours=1)),
                execution("critic", 1, status="completed", tokens_used=0, duration_ms=0),
            ]
        )
    with database.session(tenant="rival") as session:
        session.add(execution("planner", 1, status="completed", tokens_used=7, duration_ms=7))
    return database


USAGE = (
    AgentUsage("planner", 3, 1, 1, 1, 4_000_000_000, 0.004, 0.001),
    AgentUsage("Writer", 1, 0, 0, 1, 0, 0.0, None),
    AgentUsage("critic", 1, 1, 0, 0, 0, 0.0, 0.0),
)


def test_usage_sums_up_each_agent_of_the_tenant(busy: Database) -> None:
    with busy.session(tenant="acme", read_only=True) as session:
        assert AgentExecutionRepository(session).usage(now=NOON) == USAGE
    with busy.session(tenant="rival") as session:
        own = AgentUsage("planner", 1, 1, 0, 0, 7, 7.0, 7.0)
        assert AgentExecutionRepository(session).usage(now=NOON) == (own,)


def test_usage_of_all_tenants_adds_them_up(busy: Database) -> None:
    both = AgentUsage("planner", 4, 2, 1, 1, 4_000_000_007, 7.004, 1.751)
    with busy.session(all_tenants=True) as session:
        assert AgentExecutionRepository(session).usage(now=NOON) == (both, *USAGE[1:])
    with Session(busy.engine()) as plain:
        assert AgentExecutionRepository(plain).usage(now=NOON) == (both, *USAGE[1:])


def test_usage_goes_as_far_back_as_told(busy: Database) -> None:
    with busy.session(tenant="acme") as session:
        agents = AgentExecutionRepository(session)
        assert [each.executions for each in agents.usage(31, now=NOON)] == [4, 1, 1]
        assert [each.executions for each in agents.usage(0, now=NOON)] == [2, 1, 1]
        later = NOON + timedelta(days=40)
        assert agents.usage(now=later) == ()
        for days, now in ((-1, NOON), (10**9, NOON), (30, NOON.replace(tzinfo=None))):
            with pytest.raises(ValueError, match=r"days|time zone"):
                agents.usage(days, now=now)


def test_usage_counts_from_the_present_by_default(acme: UnitOfWork) -> None:
    agents = AgentExecutionRepository(acme)
    agents.start("e-1", "planner")
    assert [each.running for each in agents.usage()] == [1]


def test_an_execution_starts_and_ends_once(acme: UnitOfWork) -> None:
    agents = AgentExecutionRepository(acme)
    begun = agents.start("e-1", "planner", prompt="plan it")
    assert begun.status == "running"
    ended = agents.finish("e-1", result={"steps": 3}, tokens_used=90, duration_ms=1.5)
    assert (ended, ended.status, ended.result) == (begun, "completed", {"steps": 3})
    assert (ended.tokens_used, ended.duration_ms) == (90, Decimal("1.5"))
    with pytest.raises(ConflictError, match="'e-1' has completed already"):
        agents.finish("e-1", failed=True)
    with pytest.raises(RowNotFound, match="no execution 'e-2'"):
        agents.finish("e-2")
    with pytest.raises(ConflictError, match="execution_id='e-1'"):
        agents.start("e-1", "planner")


def test_an_execution_that_two_tenants_have_is_not_ended_for_both(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            AgentExecutionRepository(session).start("e-1", "planner")
    with database.session(all_tenants=True) as session:
        agents = AgentExecutionRepository(session)
        with pytest.raises(SeveralRowsFound):
            agents.finish("e-1")
        assert agents.count(execution_id="e-1", status="running") == 2


def test_an_execution_of_another_tenant_is_not_ended(busy: Database) -> None:
    with busy.session(tenant="rival") as session:
        session.add(execution("writer", 9))
    with (
        busy.session(tenant="acme") as session,
        pytest.raises(RowNotFound),
    ):
        AgentExecutionRepository(session).finish("writer-9")


def test_an_execution_can_fail(acme: UnitOfWork) -> None:
    agents = AgentExecutionRepository(acme)
    agents.start("e-1", "planner")
    assert agents.finish("e-1", failed=True).status == "failed"


# Tools


@pytest.fixture
def called(database: Database) -> Database:
    with database.session(tenant="acme") as session:
        user = User(username="ada")
        planner, critic = execution("planner", 1), execution("critic", 1)
        session.add_all(
            [
                call("grep", agent=planner, status="success", duration_ms=1, correlation_id="c"),
                call("grep", agent=critic, user=user, status="success", duration_ms=2),
                call("grep", agent=planner, status="failed", created_at=MONTH_AGO),
                call(
                    "Sed",
                    agent=planner,
                    correlation_id="c",
                    created_at=NOON - timedelta(microseconds=1),
                ),
                call("awk", user=user, created_at=MONTH_AGO - timedelta(days=1)),
            ]
        )
    with database.session(tenant="rival") as session:
        session.add(call("grep", agent=execution("planner", 1), correlation_id="c"))
    return database


def test_usage_sums_up_each_tool_of_the_tenant(called: Database) -> None:
    with called.session(tenant="acme", read_only=True) as session:
        assert ToolExecutionRepository(session).usage(now=NOON) == (
            ToolUsage("grep", 3, 2, 1, 0, 0.666667, 3.0, 1.5),
            ToolUsage("Sed", 1, 0, 0, 1, None, 0.0, None),
        )
    with Session(called.engine()) as plain:
        assert [each.calls for each in ToolExecutionRepository(plain).usage(now=NOON)] == [4, 1]


def test_usage_of_tools_by_agent_and_user(called: Database) -> None:
    with called.session(tenant="acme") as session:
        tools = ToolExecutionRepository(session)
        ada = session.query(User).filter_by(username="ada").one().id
        by_planner = tools.usage(now=NOON, agent_name="planner")
        assert [(each.tool_name, each.calls) for each in by_planner] == [("grep", 2), ("Sed", 1)]
        assert [each.tool_name for each in tools.usage(40, now=NOON, user_id=ada)] == [
            "awk",
            "grep",
        ]
        both = tools.usage(now=NOON, user_id=ada, agent_name="critic")
        assert both == (ToolUsage("grep", 1, 1, 0, 0, 1.0, 2.0, 2.0),)
        assert tools.usage(now=NOON, agent_name="nobody") == ()
        with pytest.raises(ValueError, match="-1"):
            tools.usage(-1)


def test_calls_that_belong_together_come_oldest_first_with_their_agents(
    called: Database, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    with called.session(tenant="acme") as session, queries() as seen:
        found = ToolExecutionRepository(session).by_correlation("c")
        assert [row.tool_name for row in found] == ["Sed", "grep"]
        assert [row.agent.agent_name for row in found if row.agent] == ["planner", "planner"]
        assert ToolExecutionRepository(session).by_correlation("none") == []
    assert len(seen) == 3

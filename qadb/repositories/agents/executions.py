"""What agents did, which tools they called, and how long and how much that took."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select
from sqlalchemy.orm import selectinload

from qadb.errors import ConflictError, RowNotFound
from qadb.models import AgentExecution, ToolExecution
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.periods import period_start
from qadb.repositories.generic.rounding import fraction, milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute

RUNNING = "running"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class AgentUsage:
    """What one agent did in a period.

    Attributes:
        tokens_used: of those executions that tell.
        total_duration_ms: of those that were measured; 0 when none was.
        mean_duration_ms: over the same ones; None when none was.
    """

    agent_name: str
    executions: int
    completed: int
    failed: int
    running: int
    tokens_used: int
    total_duration_ms: float
    mean_duration_ms: float | None


@dataclass(frozen=True, slots=True)
class ToolUsage:
    """How one tool was called in a period.

    Attributes:
        success_rate: successes among the calls that have ended, 0 to 1; None when none has.
        total_duration_ms: of those that were measured; 0 when none was.
        mean_duration_ms: over the same ones; None when none was.
    """

    tool_name: str
    calls: int
    succeeded: int
    failed: int
    running: int
    success_rate: float | None
    total_duration_ms: float
    mean_duration_ms: float | None


class AgentExecutionRepository(Repository[AgentExecution]):
    """Executions of agents."""

    model = AgentExecution

    def start(
        self, execution_id: str, agent_name: str, *, prompt: str | None = None
    ) -> AgentExecution:
        """Record an execution that begins now.

        Raises:
            ConflictError: the tenant has one of this id.
        """
        return self.create(
            execution_id=execution_id, agent_name=agent_name, prompt=prompt, status=RUNNING
        )

    def finish(
        self,
        execution_id: str,
        *,
        failed: bool = False,
        result: Mapping[str, object] | None = None,
        tokens_used: int | None = None,
        duration_ms: Decimal | float | None = None,
    ) -> AgentExecution:
        """Record how a running execution ended.

        Raises:
            RowNotFound: there is none of this id.
            SeveralRowsFound: the session sees several tenants, and more than one has it.
            ConflictError: it has ended already.
            ValueError: a value breaks a rule of the model.
        """
        row = self._lock_by(AgentExecution.execution_id == execution_id)
        if row is None:
            raise RowNotFound(f"There is no execution {execution_id!r}.")
        if row.status != RUNNING:
            raise ConflictError(
                f"The execution {execution_id!r} has {row.status} already.",
                table=self._table_name,
                values={"execution_id": execution_id, "status": row.status},
            )
        return self.update(
            row,
            status="failed" if failed else "completed",
            result=None if result is None else dict(result),
            tokens_used=tokens_used,
            duration_ms=duration_ms,
        )

    def usage(self, days: int = 30, *, now: datetime | None = None) -> tuple[AgentUsage, ...]:
        """Sum up the executions that began in the period by agent, the busiest first.

        Args:
            days: length of the period.
            now: its end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense.
        """
        status, duration = AgentExecution.status, AgentExecution.duration_ms
        query = (
            select(
                AgentExecution.agent_name,
                func.count(),
                _count(status, "completed"),
                _count(status, "failed"),
                _count(status, RUNNING),
                func.sum(AgentExecution.tokens_used),
                func.sum(duration),
                func.count(duration),
            )
            .where(AgentExecution.created_at >= period_start(days, now))
            .group_by(AgentExecution.agent_name)
        )
        found = [
            AgentUsage(
                agent, executions, completed, failed, running,
                int(tokens or 0), milliseconds(total or ZERO), _mean(total, measured),
            )
            for agent, executions, completed, failed, running, tokens, total, measured
            in self.session.execute(query)
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda usage: (-usage.executions, usage.agent_name)))


class ToolExecutionRepository(Repository[ToolExecution]):
    """Calls of tools, by agents and by users."""

    model = ToolExecution

    def by_correlation(self, correlation_id: str) -> Sequence[ToolExecution]:
        """Return the calls that belong together, the oldest first, with their agents."""
        query = self.query(correlation_id=correlation_id).options(selectinload(ToolExecution.agent))
        order = (ToolExecution.created_at, ToolExecution.id)
        return self.session.scalars(query.order_by(*order)).all()

    def usage(
        self,
        days: int = 30,
        *,
        agent_name: str | None = None,
        user_id: int | None = None,
        now: datetime | None = None,
    ) -> tuple[ToolUsage, ...]:
        """Sum up the calls that began in the period by tool, the busiest first.

        Args:
            days: length of the period.
            agent_name: only calls by executions of this agent.
            user_id: only calls by this user.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense.
        """
        status, duration = ToolExecution.status, ToolExecution.duration_ms
        query = (
            select(
                ToolExecution.tool_name,
                func.count(),
                _count(status, "success"),
                _count(status, "failed"),
                _count(status, RUNNING),
                func.sum(duration),
                func.count(duration),
            )
            .where(ToolExecution.created_at >= period_start(days, now))
            .group_by(ToolExecution.tool_name)
        )
        if agent_name is not None:
            query = query.join(ToolExecution.agent).where(AgentExecution.agent_name == agent_name)
        if user_id is not None:
            query = query.where(ToolExecution.user_id == user_id)
        found = [
            ToolUsage(
                tool, calls, succeeded, failed, running, fraction(succeeded, succeeded + failed),
                milliseconds(total or ZERO), _mean(total, measured),
            )
            for tool, calls, succeeded, failed, running, total, measured
            in self.session.execute(query)
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda usage: (-usage.calls, usage.tool_name)))


def _count(column: InstrumentedAttribute[str], word: str) -> ColumnElement[int]:
    return func.count(case((column == word, 1)))


def _mean(total: Decimal | None, measured: int) -> float | None:
    return None if total is None else milliseconds(total / measured)

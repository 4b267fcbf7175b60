"""How rows of quality, performance, agents and assistant hang together."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from qadb.models import (
    AgentExecution,
    Conversation,
    CoverageData,
    Event,
    FailureAnalysis,
    MessageHistory,
    Note,
    Order,
    PerformanceBaseline,
    PerformanceResult,
    RAGDocument,
    SecurityIssue,
    ToolExecution,
    User,
)
from tests.models.rows import MORNING, make_result, make_run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from qadb.models import Base

WITH_UUID = ("agent_executions", "llm_round_table_results", "orders", "tool_executions")
NEW_ROW = {
    "agent_executions": "(execution_id, agent_name) VALUES ('e', 'a')",
    "llm_round_table_results": "(result_id) VALUES ('r')",
    "orders": "(order_number) VALUES ('o')",
    "tool_executions": "(tool_name) VALUES ('t')",
}


def _count(session: Session, *models: type[Base]) -> list[int]:
    return [session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


def test_what_hangs_on_a_run_goes_with_it(session: Session) -> None:
    result = make_result()
    result.failure_analyses.append(FailureAnalysis(root_cause="flaky network"))
    result.run.coverage_data.append(CoverageData(file="", covered_lines=1, total_lines=2))
    result.run.performance_results.append(PerformanceResult(request_name="GET /"))
    session.add(result)
    session.commit()
    session.execute(text("DELETE FROM test_runs"))
    hanging = (FailureAnalysis, CoverageData, PerformanceResult)
    assert _count(session, *hanging) == [0, 0, 0]


def test_an_analysis_explains_one_result_by_its_whole_key(session: Session) -> None:
    first, second = make_result(attempt=1), make_result(attempt=2)
    second.run, second.test_case = first.run, first.test_case
    session.add_all([first, second])
    analysis = FailureAnalysis(test_result=second, category="product", confidence=0.9)
    session.add(analysis)
    session.commit()
    assert (analysis.attempt, analysis.occurrence) == (2, 1)
    assert (first.failure_analyses, second.failure_analyses) == ([], [analysis])
    session.delete(second)
    session.commit()
    assert _count(session, FailureAnalysis) == [0]


def test_a_run_with_a_baseline_stays(session: Session) -> None:
    run = make_run()
    baseline = PerformanceBaseline(
        application=run.application, run=run, metric="p95", value=Decimal(1)
    )
    session.add(baseline)
    session.commit()
    assert run.performance_baselines == [baseline]
    session.delete(run)
    with pytest.raises(IntegrityError):
        session.flush()


def test_one_run_measures_a_request_once_a_scenario(session: Session) -> None:
    run = make_run()
    session.add_all(
        [
            PerformanceResult(run=run, request_name="GET /"),
            PerformanceResult(run=run, request_name="GET /", scenario="peak"),
        ]
    )
    session.commit()
    assert [measured.scenario for measured in run.performance_results] == ["", "peak"]
    with pytest.raises(IntegrityError):
        session.execute(text("UPDATE performance_results SET scenario = 'peak'"))


def test_an_issue_is_one_per_fingerprint_and_occurrence(session: Session) -> None:
    application = make_run().application
    session.add_all(
        SecurityIssue(application=application, tool="t", fingerprint="f", occurrence=number)
        for number in (1, 2)
    )
    session.commit()
    with pytest.raises(IntegrityError):
        session.execute(text("UPDATE security_issues SET occurrence = 1"))


def test_everything_of_the_assistant_goes_with_its_user(session: Session) -> None:
    user = User(username="ada")
    conversation = Conversation(session_id="s-1", user=user)
    session.add_all(
        [
            MessageHistory(conversation=conversation, user=user, user_message="hello"),
            Note(user=user, title="a"),
            Event(user=user, title="b", starts_at=MORNING),
            ToolExecution(user=user, tool_name="grep"),
        ]
    )
    session.commit()
    assert (conversation.context_data, len(conversation.messages)) == ({}, 1)
    session.execute(text("DELETE FROM users"))
    assert _count(session, Conversation, MessageHistory, Note, Event) == [0, 0, 0, 0]
    assert session.scalars(select(ToolExecution.user_id)).all() == [None]


def test_a_tools_execution_outlives_the_agents(session: Session) -> None:
    agent = AgentExecution(execution_id="e-1", agent_name="planner")
    agent.tool_executions.append(ToolExecution(tool_name="grep", inputs={"pattern": "x"}))
    session.add(agent)
    session.commit()
    session.delete(agent)
    session.commit()
    assert session.scalars(select(ToolExecution.agent_id)).all() == [None]


def test_chunks_are_unique_within_a_document(session: Session) -> None:
    session.add_all(
        RAGDocument(
            document_id="d",
            chunk_index=index,
            total_chunks=2,
            content="text",
            content_hash="0" * 64,
            embedding=b"\0" * 4 * index or None,
        )
        for index in (0, 1)
    )
    session.commit()
    found = session.scalars(select(RAGDocument).order_by(RAGDocument.chunk_index)).all()
    assert [chunk.embedding for chunk in found] == [None, b"\0" * 4]
    with pytest.raises(IntegrityError):
        session.execute(text("UPDATE rag_documents SET chunk_index = 0"))


@pytest.mark.parametrize("table", WITH_UUID)
def test_the_database_makes_random_keys_too(filled: Connection, table: str) -> None:
    filled.execute(text(f"DELETE FROM {table}"))
    for tenant in ("a", "b", "c"):
        filled.execute(text(f"INSERT INTO tenants (id, name) VALUES ('{tenant}', 'x')"))
        columns, values = NEW_ROW[table].split(" VALUES (")
        insert = (
            f"INSERT INTO {table} {columns[:-1]}, tenant_id) VALUES ({values[:-1]}, '{tenant}')"
        )
        filled.execute(text(insert))
    keys = {UUID(str(key)) for key in filled.execute(text(f"SELECT id FROM {table}")).scalars()}
    assert len(keys) == 3
    assert {(key.version, key.variant) for key in keys} == {(4, "specified in RFC 4122")}


def test_a_key_that_the_database_made_is_found_by_the_orm(session: Session) -> None:
    session.execute(text("INSERT INTO orders (order_number) VALUES ('o-1')"))
    order = session.scalars(select(Order)).one()
    session.expunge_all()
    again = session.get(Order, order.id)
    assert again is not None
    assert again.order_number == "o-1"

"""Agents: their work, the tools they called, how models compared, and what they look up."""

from __future__ import annotations

import sys
from array import array
from hashlib import sha256
from math import sqrt
from typing import TYPE_CHECKING

from qadb.demo.plan import DAYS, Batch, Row, Scene, batch, draw_uuid
from qadb.models import AgentExecution, LLMRoundTableResult, RAGDocument, ToolExecution

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

EXECUTIONS = 40
ROUND_TABLES = 12
DIMENSIONS = 8
CHANCE_OF_FAILURE = 0.1
EMBEDDING_MODEL = "demo-8"

_AGENTS = (
    ("triage", "Why does {code} fail since yesterday?"),
    ("test-writer", "Write tests for the newest change of {code}."),
    ("reviewer", "Review the newest change of {code}."),
    ("flake-hunter", "Which tests of {code} pass and fail on the same commit?"),
)
_TOOLS = ("search_results", "read_file", "git_log", "run_tests")
_PROVIDERS = ("anthropic", "openai", "mistral")
_CATEGORIES = ("review", "triage", "test design")

_DOCUMENTS = {
    "handbook/releases.md": (
        "We release on Tuesdays. The nightly run on staging must be green.",
        "A release is tagged by whoever merged last, and its run is protected from cleanup.",
        "After a release the error rate is watched for an hour.",
    ),
    "handbook/flaky-tests.md": (
        "A flaky test is quarantined after the third flake in a week.",
        "Quarantined tests run nightly; nobody is paged for them.",
    ),
    "runbooks/refunds.md": (
        "Refunds that answer 500 are booked again by the ledger's night job.",
        "If more than ten hang, page whoever is on call for payments.",
        "Naïve retries book twice: use the reference of the first try.",
    ),
}


def agents(scene: Scene) -> Iterator[Batch]:
    """All four tables of the room."""
    rng = scene.rng("agents")
    executions = [*_executions(scene, rng)]
    calls = [row for at, each in executions for row in _tools(scene, rng, at, each)]
    yield batch(AgentExecution, [row for _, row in executions])
    yield batch(ToolExecution, calls)
    yield batch(LLMRoundTableResult, [*_round_tables(scene, rng)])
    yield batch(RAGDocument, [*_documents(scene, rng)])


def _executions(scene: Scene, rng: Random) -> Iterator[tuple[datetime, Row]]:
    for number in range(EXECUTIONS):
        at = scene.plan.ago(DAYS * (1 - (number + rng.random()) / (EXECUTIONS + 1)))
        name, prompt = _AGENTS[number % len(_AGENTS)]
        app = rng.choice(scene.company.apps)
        has_failed = rng.random() < CHANCE_OF_FAILURE
        row = {
            "id": draw_uuid(rng),
            **scene.unnumbered(
                at,
                execution_id=f"agent-{number + 1:04}",
                agent_name=name,
                prompt=prompt.format(code=app.code),
                status="failed" if has_failed else "completed",
                result=None if has_failed else {"findings": rng.randint(0, 5)},
                tokens_used=rng.randint(800, 24_000),
                duration_ms=rng.randint(2_000, 90_000),
            ),
        }
        yield at, row


def _tools(scene: Scene, rng: Random, at: datetime, execution: Row) -> Iterator[Row]:
    person = scene.users[scene.company.people[1].username]
    for tool in rng.sample(_TOOLS, rng.randint(1, 3)):
        has_failed = rng.random() < CHANCE_OF_FAILURE
        yield {
            "id": draw_uuid(rng),
            **scene.unnumbered(
                at,
                correlation_id=execution["execution_id"],
                tool_name=tool,
                agent_id=execution["id"],
                user_id=person,
                inputs={"limit": rng.choice([10, 50])},
                outputs=None if has_failed else {"rows": rng.randint(0, 50)},
                status="failed" if has_failed else "success",
                error="no answer within 30 s" if has_failed else None,
                duration_ms=rng.randint(20, 4_000),
            ),
        }


def _round_tables(scene: Scene, rng: Random) -> Iterator[Row]:
    for number in range(ROUND_TABLES):
        at = scene.plan.ago(DAYS * (1 - (number + rng.random()) / (ROUND_TABLES + 1)))
        scores = {provider: round(rng.uniform(5.5, 9.5), 1) for provider in _PROVIDERS}
        winner = max(_PROVIDERS, key=scores.__getitem__)
        yield {
            "id": draw_uuid(rng),
            **scene.unnumbered(
                at,
                result_id=f"round-{number + 1:03}",
                task_category=_CATEGORIES[number % len(_CATEGORIES)],
                prompt="Which of these tests is missing?",
                winner_provider=winner,
                winner_response="The one for an empty cart.",
                participants=[*_PROVIDERS],
                scores=scores,
            ),
        }


def _documents(scene: Scene, rng: Random) -> Iterator[Row]:
    for path, chunks in _DOCUMENTS.items():
        for index, content in enumerate(chunks):
            yield {
                "id": draw_uuid(rng),
                **scene.unnumbered(
                    scene.plan.ago(DAYS + 15),
                    document_id=path,
                    chunk_index=index,
                    total_chunks=len(chunks),
                    source_path=f"docs/{path}",
                    content=content,
                    content_hash=sha256(content.encode()).hexdigest(),
                    embedding_model=EMBEDDING_MODEL,
                    embedding=_embedding(rng),
                    extra_data={"language": "en"},
                ),
            }


def _embedding(rng: Random) -> bytes:
    """A vector of length 1, as little-endian float32 numbers."""
    drawn = [rng.uniform(-1, 1) for _ in range(DIMENSIONS)]
    length = sqrt(sum(number * number for number in drawn))
    numbers = array("f", [number / length for number in drawn])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()

"""Test runs with their results, reports, coverage and measurements, some runs at a time."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from qadb.demo import measured
from qadb.demo.cases import classname
from qadb.demo.outcomes import RESULT_COLUMNS, RunOutcomes, expected_results
from qadb.demo.plan import DAYS, Batch, Failure, Row, Scene, batch
from qadb.demo.schedule import NIGHTLY_EVERY, Slot, slots, started_at
from qadb.models import CoverageData, IngestFile, PerformanceResult, TestResult, TestRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from qadb.demo.outcomes import ResultRow

BATCH_RESULTS = 5_000
SECONDS_A_DAY = 86_400

_TRIGGERS = {
    "push": ("push", "pytest tests"),
    "nightly": ("schedule", "pytest tests --cov"),
    "load": ("schedule", "pytest tests/load"),
    "cancelled": ("push", "pytest tests"),
    "broken": ("push", "pytest tests"),
    "running": ("manual", "pytest tests"),
}
_PLACES = {"push": "ci-linux", "nightly": "staging", "load": "load-lab", "running": "ci-arm"}
_TYPES = {"load": "performance", "nightly": "regression"}


def count_results(scene: Scene) -> int:
    """How many final results `test_runs` will make."""
    expected = sum(expected_results(slot.app, slot.flavour) for slot in slots(scene))
    return expected * scene.plan.scale


def test_runs(scene: Scene) -> Iterator[Batch]:
    """Every run, in batches of a bounded size, each with all that hangs on it."""
    gathered = _Gathered()
    for slot in slots(scene):
        for shard in range(scene.plan.scale):
            _add_run(scene, slot, shard, gathered)
            if len(gathered.results) >= BATCH_RESULTS:
                yield from gathered.batches()
                gathered = _Gathered()
    yield from gathered.batches()


class _Gathered:
    """Rows of the runs of one batch."""

    def __init__(self) -> None:
        self.runs: list[Row] = []
        self.results: list[ResultRow] = []
        self.files: list[Row] = []
        self.coverage: list[Row] = []
        self.performance: list[Row] = []

    def batches(self) -> Iterator[Batch]:
        """The rows, those first that others refer to."""
        yield batch(TestRun, self.runs)
        yield Batch(TestResult, RESULT_COLUMNS, self.results)
        yield batch(IngestFile, self.files)
        yield batch(CoverageData, self.coverage)
        yield batch(PerformanceResult, self.performance)


def _add_run(scene: Scene, slot: Slot, shard: int, gathered: _Gathered) -> None:
    run_id = scene.next_id(TestRun)
    begins = started_at(scene, slot, shard)
    run_key = f"{slot.app.code}-{slot.build}" + (f"-{shard + 1}" if shard else "")
    scene.runs.setdefault(f"{slot.app.code}/{slot.flavour}", run_id)
    if not expected_results(slot.app, slot.flavour):
        gathered.runs.append(_run_without_results(scene, slot, run_id, run_key, begins))
        return
    days_ago = (scene.plan.now - begins).total_seconds() / SECONDS_A_DAY
    outcomes = RunOutcomes(
        slot,
        scene.rng(f"run {run_key}"),
        tenant_id=scene.company.tenant_id,
        run_id=run_id,
        first_case_id=scene.cases[slot.app.code].case_id(shard, 0),
        shard_suites={s.name: classname(slot.app, s.name, shard) for s in slot.app.suites},
        started_at=begins,
        day=DAYS - days_ago,
    )
    before = len(gathered.results)
    gathered.results.extend(outcomes.rows())
    written = len(gathered.results) - before
    gathered.runs.append(_run_row(scene, slot, run_id, run_key, begins, outcomes))
    gathered.files.append(_file_row(scene, slot, run_id, run_key, outcomes, written))
    _remember_failures(scene, slot, run_id, outcomes)
    if slot.flavour == "nightly":
        gathered.coverage += measured.coverage(scene, slot.app, run_id, begins, days_ago)
    elif slot.flavour == "load":
        gathered.performance += measured.performance(scene, slot.app, run_id, begins, days_ago)


def _label(scene: Scene, slot: Slot) -> Row:
    trigger_type, trigger_command = _TRIGGERS[slot.flavour]
    is_manual = trigger_type == "manual"
    person = scene.company.people[0].username if is_manual else "ci-bot"
    return {
        "application_id": scene.applications[slot.app.code],
        "country_id": scene.company.country,
        "environment_id": scene.environments[_PLACES.get(slot.flavour, "ci-linux")],
        "test_type_id": scene.reference.test_types[_TYPES.get(slot.flavour, "integration")],
        "triggered_by": scene.users[person],
        "trigger_type": trigger_type,
        "trigger_command": trigger_command,
        "branch": slot.branch,
        "commit_sha": slot.commit_sha,
        "build_url": f"https://ci.example.org/{slot.app.code}/{slot.build}",
        "is_protected": slot.build == slot.app.first_build + NIGHTLY_EVERY,
        "extra_data": {"shards": scene.plan.scale},
    }


def _run_row(
    scene: Scene,
    slot: Slot,
    run_id: int,
    run_key: str,
    begins: datetime,
    outcomes: RunOutcomes,
) -> Row:
    counts = outcomes.counts
    errors = counts["error"] + counts["timeout"]
    result = "failure" if counts["failed"] else "error" if errors else "success"
    return {
        "id": run_id,
        **scene.unnumbered(
            begins,
            run_key=run_key,
            **_label(scene, slot),
            started_at=begins,
            ended_at=outcomes.ended_at,
            duration_seconds=round((outcomes.ended_at - begins).total_seconds(), 3),
            status="completed",
            result=result,
            exit_code=0 if result == "success" else 1,
            total=sum(counts.values()),
            passed=counts["passed"],
            failed=counts["failed"],
            errors=errors,
            skipped=counts["skipped"],
        ),
    }


def _run_without_results(
    scene: Scene, slot: Slot, run_id: int, run_key: str, begins: datetime
) -> Row:
    """A run that is still going, was cancelled, or broke before the first test."""
    is_running = slot.flavour == "running"
    is_broken = slot.flavour == "broken"
    ended_at = None if is_running else begins + timedelta(seconds=41)
    return {
        "id": run_id,
        **scene.unnumbered(
            begins,
            run_key=run_key,
            **_label(scene, slot),
            started_at=begins,
            ended_at=ended_at,
            duration_seconds=None if is_running else 41,
            status="running" if is_running else "failed" if is_broken else "cancelled",
            result="error" if is_broken else None,
            exit_code=2 if is_broken else None,
            total=0,
            passed=0,
            failed=0,
            errors=0,
            skipped=0,
        ),
    }


def _file_row(
    scene: Scene, slot: Slot, run_id: int, run_key: str, outcomes: RunOutcomes, rows: int
) -> Row:
    counts = outcomes.counts
    declared = {
        "tests": sum(counts.values()),
        "failures": counts["failed"],
        "errors": counts["error"] + counts["timeout"],
        "skipped": counts["skipped"],
    }
    name = f"{scene.plan.seed}/{scene.company.tenant_id}/{run_key}"
    return scene.row(
        IngestFile,
        outcomes.ended_at,
        run_id=run_id,
        sha256=sha256(name.encode()).hexdigest(),
        file_name=f"build/{slot.app.code}/{slot.build}/junit.xml",
        bytes=420 + 180 * rows,
        format="junit",
        dialect="pytest",
        tool_version=None,
        rows=rows,
        declared=declared,
        warnings=[],
    )


def _remember_failures(scene: Scene, slot: Slot, run_id: int, outcomes: RunOutcomes) -> None:
    for kind, (case_id, occurrence, attempt, words, at) in outcomes.failures.items():
        if kind not in scene.failures:
            scene.failures[kind] = Failure(
                kind, run_id, case_id, occurrence, attempt, words.signature, slot.commit_sha, at
            )

"""The checks of test results: whether what the tables hold makes sense.

Plain SQL that both engines understand, and that reads no large table whole: the models are not
loaded for it. Sessions confined to a tenant are none here; a role that sees one alone is refused.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sqlalchemy import TextClause, bindparam, text

from qadb.checks import Asked, Check, Finding, Limits, count_of
from qadb.models.types import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Row

HOUR: Final = timedelta(hours=1)
RECENT_RUNS: Final = 200  # as the statements below have it
LONG_RUNNING: Final = timedelta(hours=24)
FEWEST_PAUSES: Final = 5

# Of the newest runs that hold results: what they say against what they hold.
WRONG_TOTALS: Final = """
SELECT run_id, stated, counted FROM (
  SELECT r.id AS run_id, r.total AS stated,
    (SELECT count(*) FROM test_results AS t WHERE t.run_id = r.id AND t.is_final) AS counted,
    r.passed <> (SELECT count(*) FROM test_results AS t
      WHERE t.run_id = r.id AND t.is_final AND t.status = 'passed') AS differs
  FROM (SELECT id, total, passed FROM test_runs WHERE status NOT IN ('pending', 'running')
        ORDER BY id DESC LIMIT 200) AS r
) AS found
WHERE counted > 0 AND (stated <> counted OR differs)
ORDER BY run_id
"""

STUCK_RUNS: Final = """
SELECT r.id, r.run_key, r.started_at
FROM tenants AS t JOIN test_runs AS r ON r.tenant_id = t.id
WHERE r.status = 'running' AND r.started_at < :before
ORDER BY r.started_at LIMIT 1000
"""

# From one run id to the next below it, along the key: as many steps as runs, not as results.
ORPHANS: Final = """
WITH RECURSIVE steps (run_id, step) AS (
  SELECT (SELECT max(run_id) FROM test_results), 1
  UNION ALL
  SELECT (SELECT max(t.run_id) FROM test_results AS t WHERE t.run_id < steps.run_id), step + 1
  FROM steps WHERE run_id IS NOT NULL AND step < :steps
)
SELECT run_id FROM steps
WHERE run_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM test_runs AS r WHERE r.id = run_id)
ORDER BY run_id
"""
ALL_STEPS: Final = 1_000_000_000

FUTURE_RUNS: Final = """
SELECT r.id, r.run_key, r.started_at
FROM tenants AS t JOIN test_runs AS r ON r.tenant_id = t.id
WHERE r.started_at > :after
ORDER BY r.started_at DESC LIMIT 1000
"""

ARRIVALS: Final = "SELECT created_at FROM test_runs ORDER BY id DESC LIMIT 200"


def _with_moments(statement: str, *names: str) -> TextClause:
    """The statement with parameters that are moments."""
    moments = [bindparam(name, type_=UtcDateTime) for name in names]
    return text(statement).bindparams(*moments)


def wrong_totals(asked: Asked) -> Finding:
    """Runs whose totals are not those of their results."""
    rows = asked.connection.execute(text(WRONG_TOTALS)).all()
    details = [f"run {r.run_id}: {r.stated} results stated, {r.counted} there" for r in rows]
    return _count(
        asked, details, "has", "have", f"totals that are wrong, of the newest {RECENT_RUNS}"
    )


def stuck_runs(asked: Asked) -> Finding:
    """Runs that have been running for too long."""
    return _runs(asked, STUCK_RUNS, "before", asked.now - LONG_RUNNING, "running for over a day")


def future_runs(asked: Asked) -> Finding:
    """Runs that start later than now."""
    return _runs(asked, FUTURE_RUNS, "after", asked.now + HOUR, "dated later than now")


def _runs(asked: Asked, statement: str, name: str, moment: datetime, what: str) -> Finding:
    moments = _with_moments(statement, name).columns(started_at=UtcDateTime)
    rows: Sequence[Row[tuple[object, ...]]] = asked.connection.execute(
        moments, {name: moment}
    ).all()
    details = [f"run {row.id} ({row.run_key}), started {row.started_at}" for row in rows]
    return _count(asked, details, "is", "are", what)


def _orphans(steps: int, where: str) -> Callable[[Asked], Finding]:
    def probe(asked: Asked) -> Finding:
        """Results of runs that are not there."""
        found = asked.connection.execute(text(ORPHANS), {"steps": steps}).scalars().all()
        details = [f"run {run} has results and is not there" for run in found]
        count = len(details)
        what = count_of(count, "missing run has", "missing runs have")
        message = f"{what} results{where}."
        return Finding(asked.limits.judge(count), message, count, tuple(details))

    return probe


def _count(asked: Asked, details: Sequence[str], one: str, several: str, what: str) -> Finding:
    count = len(details)
    message = f"{count_of(count, f'run {one}', f'runs {several}')} {what}."
    return Finding(asked.limits.judge(count), message, count, tuple(details))


def no_arrivals(asked: Asked) -> Finding:
    """Whether runs still arrive about as often as they did."""
    statement = text(ARRIVALS).columns(created_at=UtcDateTime)
    moments = sorted(asked.connection.execute(statement).scalars())
    pauses = [b - a for a, b in pairwise(moments) if b - a > HOUR]
    if len(pauses) < FEWEST_PAUSES:
        return Finding("ok", "Too few runs have arrived to tell what is usual.")
    longest = max(pauses)
    passed = asked.now - moments[-1]
    ratio = round(passed / longest, 2)
    return Finding(
        asked.limits.judge(ratio),
        f"The newest run arrived {passed / HOUR:.0f} h ago; the longest pause among the last "
        f"{len(moments)} was {longest / HOUR:.0f} h.",
        ratio,
    )


CHECKS: tuple[Check[Asked], ...] = (
    Check(
        id="QADB-D10",
        title="Totals of runs",
        group="data",
        severity="warn",
        limits=Limits("runs", 1, None, "our judgement: a single one is wrong"),
        cost="moderate",
        why="Pass rates are computed from totals: they lie where results came or went past qadb.",
        remedy="Load the report again: qadb ingest FILE --run-key KEY --replace",
        probe=wrong_totals,
        reads=WRONG_TOTALS,
        needs_tables=True,
    ),
    Check(
        id="QADB-D11",
        title="Runs stuck in running",
        group="data",
        severity="warn",
        limits=Limits("runs", 1, None, "our judgement: test runs end within a day"),
        cost="moderate",
        why="Whoever started them is gone: they are counted as running for ever.",
        remedy="UPDATE test_runs SET status = 'cancelled' WHERE id = …",
        probe=stuck_runs,
        reads=STUCK_RUNS,
        needs_tables=True,
    ),
    Check(
        id="QADB-D12",
        title="Results have their run",
        group="data",
        severity="crit",
        limits=Limits("runs", None, 1, "our judgement: a single one is wrong"),
        cost="moderate",
        why="Results without a run are in no tenant's figures, and cleanup never takes them. Only "
        "software that goes past the foreign keys leaves them.",
        remedy="DELETE FROM test_results WHERE run_id = …",
        probe=_orphans(RECENT_RUNS, " among the newest"),
        reads=ORPHANS,
        needs_tables=True,
    ),
    Check(
        id="QADB-D13",
        title="All results have their run",
        group="data",
        severity="crit",
        limits=Limits("runs", None, 1, "our judgement: a single one is wrong"),
        cost="deep",
        why="As QADB-D12, for every run that there is.",
        remedy="DELETE FROM test_results WHERE run_id = …",
        probe=_orphans(ALL_STEPS, ""),
        reads=ORPHANS,
        needs_tables=True,
    ),
    Check(
        id="QADB-D14",
        title="Times in the future",
        group="data",
        severity="warn",
        limits=Limits("runs", 1, None, "our judgement: clocks agree within an hour"),
        cost="moderate",
        why="A run dated later than now stays the newest one, and cleanup keeps it for longer.",
        remedy="Set the clock of the machine that wrote the report, and load it with --replace",
        probe=future_runs,
        reads=FUTURE_RUNS,
        needs_tables=True,
    ),
    Check(
        id="QADB-D15",
        title="Runs arrive as usual",
        group="data",
        severity="warn",
        limits=Limits("times as long", 3, None, "our judgement: no holiday is that long"),
        cost="cheap",
        why="A job that no longer loads its reports fails silently: all that is there looks well.",
        remedy="Look at the CI step that runs qadb ingest",
        probe=no_arrivals,
        reads=ARRIVALS,
        needs_tables=True,
    ),
)

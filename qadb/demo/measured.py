"""What nightly runs cover, and what runs under load measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.demo.companies import PERFORMANCE
from qadb.demo.plan import DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from qadb.demo.companies import App
    from qadb.demo.plan import Row, Scene

FIRST_RATE, RISE = 0.71, 0.09
LINES_A_TEST = 34
DRIFTING_SINCE_DAYS = 7
SECONDS_UNDER_LOAD = 600

# The scenario, its load in requests a second, and what it does to response times.
_SCENARIOS = (("steady", 40, 0.82), ("peak", 160, 1.0))


def coverage(scene: Scene, app: App, run_id: int, at: datetime, days_ago: float) -> Iterator[Row]:
    """A row a source file and one for all of them, which adds them up."""
    rng = scene.rng(f"coverage of {app.code} at {at}")
    rate = FIRST_RATE + RISE * (DAYS - days_ago) / DAYS
    rows = []
    for suite in app.suites:
        if suite.kind != PERFORMANCE:
            total = LINES_A_TEST * len(suite.tests)
            lines = round(total * min(1.0, rate + rng.uniform(-0.04, 0.04)))
            file = f"src/{app.code}/{suite.name.replace('.test_', '/')}.py"
            rows.append(_file(scene, run_id, at, file, lines, total))
    yield _sum(rows)
    yield from rows


def _file(scene: Scene, run_id: int, at: datetime, file: str, lines: int, total: int) -> Row:
    uncovered: list[object] = [[lines + 1, total]] if lines < total else []
    return scene.unnumbered(
        at,
        run_id=run_id,
        file=file,
        covered_lines=lines,
        total_lines=total,
        covered_branches=lines // 5,
        total_branches=total // 4,
        covered_functions=lines // 11,
        total_functions=total // 10,
        uncovered=uncovered,
        declared_rate=round(lines / total, 4),
        collected_at=at,
    )


def _sum(rows: list[Row]) -> Row:
    counts = [name for name in rows[0] if name.startswith(("covered_", "total_"))]
    sums = {name: sum(int(str(row[name])) for row in rows) for name in counts}
    rate = round(sums["covered_lines"] / sums["total_lines"], 4)
    return {**rows[0], "file": "", **sums, "uncovered": None, "declared_rate": rate}


def performance(
    scene: Scene, app: App, run_id: int, at: datetime, days_ago: float
) -> Iterator[Row]:
    """Every request in every scenario; what drifts does so in the last week."""
    rng = scene.rng(f"load of {app.code} at {at}")
    for request in app.requests:
        drift = request.drift if days_ago < DRIFTING_SINCE_DAYS else 1.0
        for scenario, requests_a_second, slowness in _SCENARIOS:
            p95_ms = request.p95_ms * drift * slowness * rng.uniform(0.98, 1.02)
            total = requests_a_second * SECONDS_UNDER_LOAD
            failed = rng.randint(0, total // 2_000)
            times = _times(p95_ms)
            yield scene.unnumbered(
                at,
                run_id=run_id,
                request_name=request.name,
                scenario=scenario,
                total_requests=total,
                ok_requests=total - failed,
                ko_requests=failed,
                **times,
                rps_achieved=round(requests_a_second * rng.uniform(0.985, 1.0), 3),
            )


def _times(p95_ms: float) -> dict[str, float]:
    shares = {"mean": 0.46, "p50": 0.41, "p95": 1.0, "p99": 1.52, "max": 3.4}
    return {f"{name}_response_time_ms": round(p95_ms * share, 3) for name, share in shares.items()}

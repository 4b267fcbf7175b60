"""Health for Prometheus: the text format, as node_exporter's textfile collector reads it.

https://prometheus.io/docs/instrumenting/exposition_formats/ No sample has a time: the collector
refuses those, and tells the file's age itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qadb.checks import Limits
    from qadb.health.results import CheckResult
    from qadb.operations.health import HealthReport

_STATES: Mapping[str, int] = {"ok": 0, "warn": 1, "crit": 2, "unknown": 3, "not_run": 3}
_UP = "Whether the database could be reached."
_STATE = "0: ok, 1: warning, 2: critical, 3: unknown or not run."


def prometheus_text(report: HealthReport | None, where: str) -> str:
    """Return the metrics; None where the database could not be reached."""
    base = {"database": where}
    lines = [*_family("qadb_up", _UP, [(base, int(report is not None))])]
    if report is not None:
        lines += _report_lines(report, base)
    return "".join(f"{line}\n" for line in lines)


def _report_lines(report: HealthReport, base: Mapping[str, str]) -> Iterator[str]:
    run = [result for result in report.results if result.status in _STATES]
    names = [{**base, "id": r.check.id, "group": r.check.group} for r in run]
    yield from _family(
        "qadb_health_status", f"The worst of all checks; {_STATE}", [(base, _STATES[report.status])]
    )
    yield from _family(
        "qadb_health_check_status",
        f"One check; {_STATE}",
        [
            ({**labels, "title": r.check.title}, _STATES[r.status])
            for r, labels in zip(run, names, strict=True)
        ],
    )
    yield from _family(
        "qadb_health_check_value",
        "The figure that a check judges.",
        [
            ({**labels, "unit": r.check.limits.unit}, r.value)
            for r, labels in zip(run, names, strict=True)
            if r.value is not None
        ],
    )
    yield from _family(
        "qadb_health_check_limit",
        "From where on the figure is a warning, or critical.",
        [
            ({**labels, "severity": severity}, limit)
            for r, labels in zip(run, names, strict=True)
            for severity, limit in _limits(r.check.limits)
        ],
    )
    yield from _family(
        "qadb_health_check_duration_seconds",
        "How long a check took.",
        [(labels, _seconds(r)) for r, labels in zip(run, names, strict=True)],
    )


def _limits(limits: Limits) -> Iterator[tuple[str, float]]:
    for severity, limit in (("warn", limits.warn), ("crit", limits.crit)):
        if limit is not None:
            yield severity, limit


def _seconds(result: CheckResult) -> float:
    return round(result.elapsed_seconds, 6)


def _family(
    name: str, meaning: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        spelled = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
        yield f"{name}{{{spelled}}} {value:.15g}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

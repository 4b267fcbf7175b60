"""What a run of checks found, and what it means as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qadb.checks import Status
    from qadb.health.context import HealthCheck

Overall: TypeAlias = Literal["ok", "warn", "crit", "unknown"]

# The worst first. What nobody could tell is as bad as a warning.
WORST_FIRST: tuple[Status, ...] = ("crit", "warn", "unknown", "not_run", "ok", "skipped")
_AS_WARNINGS = frozenset({"warn", "unknown", "not_run"})
_CHECKED = frozenset({"ok", "warn", "crit"})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check and its answer.

    Attributes:
        value: the figure that was judged, in the unit of the check's limits.
        details: a line each.
        hint: what mends it, or the grant that is missing; None where nothing is to be done.
    """

    check: HealthCheck
    status: Status
    message: str
    value: float | None = None
    details: tuple[str, ...] = ()
    hint: str | None = None
    elapsed_seconds: float = 0.0


def overall(results: Iterable[CheckResult]) -> Overall:
    """The worst of all; ``unknown`` where nothing could be checked."""
    found = {result.status for result in results}
    if not found & _CHECKED:
        return "unknown"
    if "crit" in found:
        return "crit"
    return "warn" if found & _AS_WARNINGS else "ok"


def worst_first(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """Sort by status; equals stay in the catalogue's order."""
    return tuple(sorted(results, key=lambda result: WORST_FIRST.index(result.status)))

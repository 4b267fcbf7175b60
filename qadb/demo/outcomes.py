"""What comes out of every test of a run: passes, failures, retries, repetitions, times."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from qadb.demo.companies import PERFORMANCE
from qadb.demo.failures import ASSERTION, FLAKY_ORDER, FLAKY_WAIT, SLOW, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

    from qadb.demo.companies import App, Suite
    from qadb.demo.failures import FailureKind, Words
    from qadb.demo.schedule import Slot

ResultRow: TypeAlias = "tuple[object, ...]"

RESULT_COLUMNS = (
    "run_id",
    "test_case_id",
    "occurrence",
    "attempt",
    "tenant_id",
    "is_final",
    "status",
    "duration_ms",
    "executed_at",
    "error_type",
    "message",
    "stack_trace",
    "signature",
    "artifacts",
)

FLAKY = {
    "test_suggests_while_typing": FLAKY_WAIT,
    "test_zooms_image": FLAKY_WAIT,
    "test_keeps_order": FLAKY_ORDER,
}
SLOWING = frozenset({"test_sorts_large_result", "test_exports_csv", "test_sorts_by_year"})
SKIPPED = {"test_accepts_passkey": "needs a browser with passkeys", "test_reopens_day": "on hold"}
REPEATED = {"test_converts_currency": 3, "test_rounds_half_up": 2}

_CHANCE_OF_FLAKE = 0.22
_CHANCE_OF_SECOND_FLAKE = 0.2
_CHANCE_OF_FAILURE = 0.003
_CHANCE_OF_SKIP = 0.008
_SLOWER_A_DAY = 0.035
_SLOW_FROM_DAY = 24
_CHANCE_OF_TIMEOUT = 0.15


class RunOutcomes:
    """Makes the results of one run.

    Args:
        run_id: the run.
        first_case_id: the id of the first test of the run's shard.
        shard_suites: a class name for each suite of the application.
        day: days since the period began, for what changes slowly.

    Attributes:
        counts: final results by status.
        failures: the first failure of each kind: kind, test case, occurrence, attempt, words, time.
        ended_at: when the last test was over.
    """

    def __init__(
        self,
        slot: Slot,
        rng: Random,
        *,
        tenant_id: str,
        run_id: int,
        first_case_id: int,
        shard_suites: dict[str, str],
        started_at: datetime,
        day: float,
    ) -> None:
        self._slot = slot
        self._rng = rng
        self._tenant_id = tenant_id
        self._run_id = run_id
        self._first_case_id = first_case_id
        self._classnames = shard_suites
        self._day = day
        self.counts = dict.fromkeys(("passed", "failed", "error", "skipped", "timeout"), 0)
        self.failures: dict[str, tuple[int, int, int, Words, datetime]] = {}
        self.ended_at = started_at

    def rows(self) -> Iterator[ResultRow]:
        """All results in the order of their execution."""
        is_load = self._slot.flavour == "load"
        for position, (suite, test) in enumerate(self._slot.app.tests()):
            if (suite.kind == PERFORMANCE) is not is_load:
                continue
            case_id = self._first_case_id + position
            for occurrence in range(1, REPEATED.get(test, 1) + 1):
                yield from self._attempts(case_id, occurrence, suite, test)

    def _attempts(
        self, case_id: int, occurrence: int, suite: Suite, test: str
    ) -> Iterator[ResultRow]:
        fault = self._fault(suite, test)
        if fault is not None:
            yield self._failed(case_id, occurrence, 1, suite, test, fault, is_final=True)
        elif test in FLAKY and self._rng.random() < _CHANCE_OF_FLAKE:
            kind = FLAKY[test]
            yield self._failed(case_id, occurrence, 1, suite, test, kind, is_final=False)
            if self._rng.random() < _CHANCE_OF_SECOND_FLAKE:
                yield self._failed(case_id, occurrence, 2, suite, test, kind, is_final=True)
            else:
                yield self._passed(case_id, occurrence, 2, suite, test)
        else:
            yield self._usual(case_id, occurrence, suite, test)

    def _fault(self, suite: Suite, test: str) -> FailureKind | None:
        for kind, suite_name, word, share in self._slot.faults:
            is_hit = suite_name in ("", suite.name) and word in test
            if is_hit and (share >= 1 or self._rng.random() < share):
                return kind
        if test in SLOWING and self._day > _SLOW_FROM_DAY:
            return SLOW if self._rng.random() < _CHANCE_OF_TIMEOUT else None
        return None

    def _usual(self, case_id: int, occurrence: int, suite: Suite, test: str) -> ResultRow:
        roll = self._rng.random()
        if test in SKIPPED or roll < _CHANCE_OF_SKIP:
            return self._skipped(case_id, occurrence, SKIPPED.get(test, "not on this platform"))
        if roll > 1 - _CHANCE_OF_FAILURE:
            return self._failed(case_id, occurrence, 1, suite, test, ASSERTION, is_final=True)
        return self._passed(case_id, occurrence, 1, suite, test)

    def _passed(
        self, case_id: int, occurrence: int, attempt: int, suite: Suite, test: str
    ) -> ResultRow:
        self.counts["passed"] += 1
        key = (self._run_id, case_id, occurrence, attempt, self._tenant_id, True)
        timing = self._time(suite, test)
        return (*key, "passed", *timing, None, None, None, None, None)

    def _skipped(self, case_id: int, occurrence: int, reason: str) -> ResultRow:
        self.counts["skipped"] += 1
        key = (self._run_id, case_id, occurrence, 1, self._tenant_id, True)
        return (*key, "skipped", None, self.ended_at, None, reason, None, None, None)

    def _failed(
        self,
        case_id: int,
        occurrence: int,
        attempt: int,
        suite: Suite,
        test: str,
        kind: FailureKind,
        *,
        is_final: bool,
    ) -> ResultRow:
        self.counts[kind.status] += is_final
        words = say(kind, self._classnames[suite.name], test, self._rng)
        duration_ms, executed_at = self._time(suite, test)
        found = (case_id, occurrence, attempt, words, executed_at)
        self.failures.setdefault(kind.name, found)
        return (
            *(self._run_id, case_id, occurrence, attempt, self._tenant_id, is_final),
            *(kind.status, duration_ms, executed_at),
            *(kind.error_type, words.message, words.stack_trace, words.signature),
            _screenshot(self._run_id, test) if suite.kind == "ui" else None,
        )

    def _time(self, suite: Suite, test: str) -> tuple[int, datetime]:
        """How long a test takes, which moves the run's clock on, and when it began."""
        slower = 1 + _SLOWER_A_DAY * self._day if test in SLOWING else 1.0
        duration_ms = round(suite.mean_ms * slower * (0.7 + 0.6 * self._rng.random()))
        executed_at = self.ended_at
        self.ended_at = executed_at + timedelta(milliseconds=duration_ms)
        return duration_ms, executed_at


def expected_results(app: App, flavour: str) -> int:
    """How many final results a run of this kind has."""
    if flavour in ("cancelled", "broken", "running"):
        return 0
    is_load = flavour == "load"
    return sum(
        REPEATED.get(test, 1)
        for suite, test in app.tests()
        if (suite.kind == PERFORMANCE) is is_load
    )


def _screenshot(run_id: int, test: str) -> list[object]:
    url = f"https://ci.example.org/artifacts/{run_id}/{test}.png"
    return [{"name": "screenshot", "url": url}]

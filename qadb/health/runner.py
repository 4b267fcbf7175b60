"""Runs checks: the cheap ones first, each by itself, none able to stop the others.

Each has a short read-only transaction of its own, with timeouts; what the budget leaves no time
for is not run. Which checks there are and which are wanted is decided elsewhere.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from qadb.checks import Finding
from qadb.errors import DatabaseUnreachable, InsufficientPrivilege, NotADatabase, QadbError
from qadb.health.context import Context, Shared
from qadb.health.results import CheckResult
from qadb.retries import connect_again

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from qadb.checks import Cost
    from qadb.database import Database
    from qadb.health.context import HealthCheck
    from qadb.settings.retention import RetentionSetting

COSTS: tuple[Cost, ...] = ("cheap", "moderate", "costly", "deep")
LOCK_SECONDS = 0.5
COSTLY_AT_ONCE = 2
LONGEST_SECONDS = 3600.0
_NOT_MANAGED = ("empty", "unmanaged", "absent")


@dataclass(frozen=True, slots=True)
class Selected:
    """A check that is wanted; ``skip_reason`` says why it is not run all the same."""

    check: HealthCheck
    skip_reason: str | None = None


def run_checks(
    database: Database,
    selection: Sequence[Selected],
    *,
    budget_seconds: float | None,
    backup_dir: Path | None,
    retention: Mapping[str, RetentionSetting] = MappingProxyType({}),
    on_check: Callable[[HealthCheck], None] = lambda _check: None,
) -> tuple[CheckResult, ...]:
    """Run what is selected; the results come in the selection's order.

    Args:
        database: what to ask.
        selection: what is wanted.
        budget_seconds: how long all may take together; None: as long as they take.
        backup_dir: where the database's backups are.
        retention: what the configuration says of how long rows stay, by table.
        on_check: told which check runs next; costly ones tell from threads of their own.

    Raises:
        DatabaseUnreachable: there was no first connection, or the server went away meanwhile.
    """
    run = _Run(database, budget_seconds, backup_dir, retention)
    wanted = [each.check for each in selection if each.skip_reason is None]
    if wanted:
        run.connect_first()
    found: dict[str, CheckResult] = {}
    for cost in COSTS:
        found |= _run_alike(run, [each for each in wanted if each.cost == cost], cost, on_check)
    run.require_server()
    return tuple(
        CheckResult(each.check, "skipped", each.skip_reason)
        if each.skip_reason is not None
        else found[each.check.id]
        for each in selection
    )


def _run_alike(
    run: _Run, checks: Sequence[HealthCheck], cost: Cost, on_check: Callable[[HealthCheck], None]
) -> dict[str, CheckResult]:
    """Run the checks of one cost: the costly ones two at a time, or they would add up."""
    if cost != "costly" or len(checks) == 1 or run.has_one_connection:
        return {check.id: _ask(run, check, on_check) for check in checks}
    with ThreadPoolExecutor(COSTLY_AT_ONCE, "qadb-health") as pool:
        try:
            answers = [pool.submit(_ask, run, check, on_check) for check in checks]
            return {c.id: answer.result() for c, answer in zip(checks, answers, strict=True)}
        except BaseException:  # Ctrl-C: what runs must not be waited for
            run.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ask(run: _Run, check: HealthCheck, on_check: Callable[[HealthCheck], None]) -> CheckResult:
    on_check(check)
    return run.ask(check)


class _Run:
    """One run: its clock, and whether the server is still there."""

    def __init__(
        self,
        database: Database,
        budget_seconds: float | None,
        backup_dir: Path | None,
        retention: Mapping[str, RetentionSetting],
    ) -> None:
        self._database = database
        self._backup_dir = backup_dir
        self._retention = retention
        self._now = datetime.now(UTC)
        self._budget = budget_seconds
        self._started = time.monotonic()
        self._shared = Shared()
        self._lost: QadbError | None = None
        self._stopped = threading.Event()

    @property
    def has_one_connection(self) -> bool:
        """A database in memory is nowhere else."""
        return self._database.url.is_memory

    def stop(self) -> None:
        """End what runs, as far as the engine can."""
        self._stopped.set()

    def connect_first(self) -> None:
        """Connect, with the retries that are set; what else is wrong the checks will tell."""
        try:
            connect_again(self._ping, retries=self._database.connect_retries)
        except DatabaseUnreachable:
            raise
        except QadbError:
            return
        finally:
            self._started = time.monotonic()

    def _ping(self) -> None:
        with self._database.connect(read_only=True, retries=0) as connection:
            self._database.backend.inspector.ping(connection)

    def ask(self, check: HealthCheck) -> CheckResult:
        """Run one check, or say why it is not run."""
        remaining = self._remaining_seconds()
        if self._lost is not None:
            return CheckResult(check, "unknown", self._lost.message, hint=self._lost.hint)
        if remaining <= 0:
            return CheckResult(
                check, "not_run", f"The budget of {self._budget:g} s was used up before its turn."
            )
        started = time.monotonic()
        result = self._answer(check, remaining)
        return replace(result, elapsed_seconds=time.monotonic() - started)

    def require_server(self) -> None:
        """Raise where it is gone: of a database that is down nothing else matters."""
        if self._lost is not None:
            raise self._lost

    def _remaining_seconds(self) -> float:
        if self._budget is None:
            return LONGEST_SECONDS
        return self._budget - (time.monotonic() - self._started)

    def _answer(self, check: HealthCheck, seconds: float) -> CheckResult:
        try:
            finding = self._probe(check, seconds)
        except DatabaseUnreachable as error:
            self._look_again()
            return CheckResult(check, "unknown", error.message, hint=error.hint)
        except QadbError as error:
            return self._explain(check, error, seconds)
        except Exception as error:  # noqa: BLE001 - one check's mistake must not hide the others' answers
            reason = f"{type(error).__name__}: {error}"
            return CheckResult(check, "unknown", f"The check itself failed: {reason}.")
        hint = finding.hint or (None if finding.status in {"ok", "skipped"} else check.remedy)
        return CheckResult(
            check, finding.status, finding.message, finding.value, finding.details, hint
        )

    def _probe(self, check: HealthCheck, seconds: float) -> Finding:
        database = self._database
        inspector = database.backend.inspector
        with (
            database.connect(read_only=True, retries=0) as connection,
            inspector.confined(
                connection,
                seconds=seconds,
                lock_seconds=LOCK_SECONDS,
                is_stopped=self._stopped.is_set,
            ),
        ):
            database.backend.context.set_context(connection, tenant=None, actor=None)
            context = Context(
                database=database,
                connection=connection,
                limits=check.limits,
                now=self._now,
                seconds=seconds,
                backup_dir=self._backup_dir,
                shared=self._shared,
                retention=self._retention,
            )
            if check.needs_tables and context.state.state in _NOT_MANAGED:
                return _NO_TABLES
            return check.probe(context)

    def _look_again(self) -> None:
        """Find out whether it was one connection or the server that is gone."""
        try:
            self._ping()
        except DatabaseUnreachable as error:
            self._lost = error
        except QadbError:
            return

    def _explain(self, check: HealthCheck, error: QadbError, seconds: float) -> CheckResult:
        inspector = self._database.backend.inspector
        cause = error.__cause__ or error
        if inspector.was_stopped(cause):
            return CheckResult(check, "not_run", f"It was stopped after {seconds:.1f} s: no time.")
        if isinstance(error, NotADatabase) and check.finds_damage:
            return CheckResult(check, "crit", error.message, hint=error.hint)
        grant = inspector.missing_grant(cause, self._database.url)
        if isinstance(error, InsufficientPrivilege) and grant is not None:
            return CheckResult(check, "unknown", error.message, hint=f"Grant it with: {grant}")
        return CheckResult(check, "unknown", error.message, hint=error.hint)


_NO_TABLES = Finding("unknown", "There are no tables of qadb to ask.", hint="See: qadb status")

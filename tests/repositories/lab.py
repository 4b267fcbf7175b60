"""Runs and their results in a few words, for the tests of what is read from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import delete

from qadb.models import Application, TestCase, TestResult, TestRun

if TYPE_CHECKING:
    from qadb.sessions.unit import UnitOfWork

R = TypeVar("R")

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Lab:
    """One application's tests; what was there before is taken away."""

    def __init__(self, session: UnitOfWork) -> None:
        session.execute(delete(TestResult))
        self.session = session
        self.application = Application(code="lab", name="Lab")
        self._cases: dict[str, TestCase] = {}
        self._runs = 0

    def case(self, name: str) -> TestCase:
        """The test of a name, made when it is first named."""
        if name not in self._cases:
            self._cases[name] = self._add(TestCase(case_key=f"lab::{name}", name=name))
        return self._cases[name]

    def run(self, *, days_ago: float = 1, verdicts: str = "", **values: object) -> TestRun:
        """A run with results such as ``a:passed b:failed,passed``, which is a test and a retry."""
        self._runs += 1
        stated = {
            "application": self.application,
            "run_key": f"lab-{self._runs}",
            "started_at": NOON - timedelta(days=days_ago),
        }
        run = self._add(TestRun(**{**stated, **values}))
        for verdict in verdicts.split():
            name, attempts = verdict.split(":")
            statuses = attempts.split(",")
            for attempt, status in enumerate(statuses, start=1):
                is_final = attempt == len(statuses)
                self.result(run, name, status, attempt=attempt, is_final=is_final)
        return run

    def result(self, run: TestRun, name: str, status: str, **values: object) -> TestResult:
        return self._add(TestResult(run=run, test_case=self.case(name), status=status, **values))

    def delete(self, name: str) -> None:
        self.case(name).deleted_at = NOON
        self.session.flush()

    def _add(self, row: R) -> R:
        self.session.add(row)
        self.session.flush()
        return row

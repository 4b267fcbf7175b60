"""Health for CI systems: a check each, as JUnit and GitHub's annotations have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.views.checks import Check
from qadb.cli.views.github import github_commands
from qadb.cli.views.junit import junit_xml

if TYPE_CHECKING:
    from qadb.cli.views.checks import Outcome
    from qadb.errors import QadbError
    from qadb.health.results import CheckResult
    from qadb.operations.health import FailOn, HealthReport

SUITE = "qadb.health"
_FAILING = {"warn": {"warn", "crit"}, "crit": {"crit"}, "never": set[str]()}
_NOT_TOLD = {"unknown", "not_run"}


def health_junit(report: HealthReport, fail_on: FailOn) -> str:
    """A test case each. What fails the run is a failure; what nobody could tell an error then."""
    return junit_xml(SUITE, [_case(result, fail_on) for result in report.results])


def _case(result: CheckResult, fail_on: FailOn) -> Check:
    check = result.check
    outcome: Outcome = "passed"
    if result.status in _FAILING[fail_on]:
        outcome = "failed"
    elif result.status in _NOT_TOLD:
        outcome = "unknown" if fail_on == "warn" else "skipped"
    elif result.status == "skipped":
        outcome = "skipped"
    name = f"{check.id} {check.title}"
    return Check(name, outcome, _messages(result), result.elapsed_seconds)


def health_github(report: HealthReport, where: str) -> str:
    """An annotation for each check that is not well, and one that sums up."""
    checks = [
        Check(f"{r.check.id} {r.check.title}", _level(r), ("\n".join(_messages(r)),))
        for r in report.results
        if r.status not in {"ok", "skipped"}
    ]
    well = sum(r.status == "ok" for r in report.results)
    sentence = f"{where}: {report.status}, {well} of {len(report.results)} checks passed."
    return github_commands([*checks, Check("health", "passed", (sentence,))])


def failure_junit(error: QadbError) -> str:
    """The report of a run that could not begin."""
    return junit_xml(SUITE, [_failure(error)])


def failure_github(error: QadbError) -> str:
    """The annotation of a run that could not begin."""
    return github_commands([Check("health", "failed", ("\n".join(_sentences(error)),))])


def _failure(error: QadbError) -> Check:
    return Check("health", "unknown", _sentences(error))


def _sentences(error: QadbError) -> tuple[str, ...]:
    return (error.message, error.hint) if error.hint else (error.message,)


def _level(result: CheckResult) -> Outcome:
    return "failed" if result.status == "crit" else "unknown"


def _messages(result: CheckResult) -> tuple[str, ...]:
    hint = (f"Mend it: {result.hint}",) if result.hint else ()
    return (result.message, *result.details, *hint)

"""Health as a Nagios plugin says it: one line with performance data, and a code of its own.

https://nagios-plugins.org/doc/guidelines.html The codes are the state's and hold in this format
alone; ``--fail-on`` changes nothing about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.plugin_codes import NagiosCode
from qadb.cli.text import one_line, shorten
from qadb.health.results import worst_first

if TYPE_CHECKING:
    from qadb.checks import Limits
    from qadb.errors import QadbError
    from qadb.health.results import CheckResult
    from qadb.operations.health import HealthReport

_UNITS = frozenset({"s", "ms", "us", "%", "B"})
_LONGEST_MESSAGE = 160


_CODES = {
    "ok": NagiosCode.OK,
    "warn": NagiosCode.WARNING,
    "crit": NagiosCode.CRITICAL,
    "unknown": NagiosCode.UNKNOWN,
}


def nagios_code(report: HealthReport) -> NagiosCode:
    """The state as a code."""
    return _CODES[report.status]


def nagios_line(report: HealthReport) -> str:
    """Return the line: the state, what is not well, and the figures."""
    bad = [r for r in worst_first(report.results) if r.status not in {"ok", "skipped"}]
    told = "; ".join(f"{r.check.id} {r.check.title}: {_plain(r.message)}" for r in bad)
    well = sum(r.status == "ok" for r in report.results)
    text = told or f"{well} checks passed"
    figures = " ".join(_figure(r) for r in report.results if r.value is not None)
    data = f" | {figures}" if figures else ""
    return f"QADB {nagios_code(report).name} - {text}{data}\n"


def nagios_failure(error: QadbError, code: NagiosCode) -> str:
    """Return the line for what kept the checks from being run."""
    return f"QADB {code.name} - {_plain(error.message)}\n"


def _plain(message: str) -> str:
    """A bar begins the performance data, and a line break what few people see."""
    return shorten(one_line(message).replace("|", "/"), _LONGEST_MESSAGE)


def _figure(result: CheckResult) -> str:
    limits = result.check.limits
    unit = limits.unit if limits.unit in _UNITS else ""
    warn, crit = _range(limits, limits.warn), _range(limits, limits.crit)
    return f"'{result.check.id}'={result.value:.15g}{unit};{warn};{crit}"


def _range(limits: Limits, limit: float | None) -> str:
    """The range outside of which a value is bad."""
    if limit is None:
        return ""
    return f"{limit:g}:" if limits.lower_is_worse else f"{limit:.15g}"

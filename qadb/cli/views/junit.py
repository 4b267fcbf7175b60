"""Checks as JUnit XML, a test case each, for whatever shows test reports."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qadb.cli.views.checks import Check

_ELEMENTS: Mapping[str, str] = {"failed": "failure", "unknown": "error", "skipped": "skipped"}


def junit_xml(suite: str, checks: Sequence[Check]) -> str:
    """Return a report with one suite; what nobody can tell counts as an error."""
    root = Element(
        "testsuite",
        name=suite,
        tests=str(len(checks)),
        failures=str(sum(check.outcome == "failed" for check in checks)),
        errors=str(sum(check.outcome == "unknown" for check in checks)),
        skipped=str(sum(check.outcome == "skipped" for check in checks)),
    )
    timed = [check.elapsed_seconds for check in checks if check.elapsed_seconds is not None]
    if timed:
        root.set("time", f"{sum(timed):.6f}")
    for check in checks:
        _add_case(root, suite, check)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _add_case(root: Element, suite: str, check: Check) -> None:
    case = SubElement(root, "testcase", classname=suite, name=check.name)
    if check.elapsed_seconds is not None:
        case.set("time", f"{check.elapsed_seconds:.6f}")
    text = _clean("\n".join(check.messages))
    if check.outcome == "passed":
        if check.elapsed_seconds is not None:
            SubElement(case, "system-out").text = text
        return
    found = SubElement(
        case, _ELEMENTS[check.outcome], message=_clean("; ".join(check.messages[:1]))
    )
    found.text = text


def _clean(text: str) -> str:
    """Leave out the control characters that XML 1.0 can't hold."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")

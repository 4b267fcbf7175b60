"""Checks as JUnit XML, a test case each, for whatever shows test reports."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.cli.views.checks import Check


def junit_xml(suite: str, checks: Sequence[Check]) -> str:
    """Return a report with one suite; what nobody can tell counts as an error."""
    root = Element(
        "testsuite",
        name=suite,
        tests=str(len(checks)),
        failures=str(sum(check.outcome == "failed" for check in checks)),
        errors=str(sum(check.outcome == "unknown" for check in checks)),
        skipped="0",
    )
    for check in checks:
        case = SubElement(root, "testcase", classname=suite, name=check.name)
        if check.outcome != "passed":
            kind = "failure" if check.outcome == "failed" else "error"
            found = SubElement(case, kind, message=_clean("; ".join(check.messages[:1])))
            found.text = _clean("\n".join(check.messages))
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _clean(text: str) -> str:
    """Leave out the control characters that XML 1.0 can't hold."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")

"""JUnit's elements: which one means what, and where.

Owns the way from a tag to its meaning, whatever its prefix and case, and the shape of the document:
root, depth, what is whose child. Suites and cases have rooms of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from qadb.reports.junit.attributes import Attributes, local_name, with_plain_names
from qadb.reports.junit.cases import CaseElements
from qadb.reports.junit.clock import Clock
from qadb.reports.junit.dialect import DialectGuess
from qadb.reports.junit.outcomes import ATTEMPT_STATUS, OUTCOME_STATUS
from qadb.reports.junit.suites import SuiteElements
from qadb.reports.junit.totals import Totals
from qadb.reports.records import ReportSummary, ResultRecord, Status
from qadb.reports.remarks import Remark, Remarks

if TYPE_CHECKING:
    from qadb.reports.xmlstream import XmlStream

_SHOWN_TAG_CHARS: Final = 60

# Opening an element gives what is to be done when it closes.
Closer = Callable[[], None]
Opener = Callable[[Attributes], Closer | None]


class JUnitElements:
    """Listens to a stream of elements and collects the records of closed cases."""

    def __init__(self, stream: XmlStream) -> None:
        self._stream = stream
        self._remarks = Remarks()
        self._totals = Totals()
        self._guess = DialectGuess()
        self._clock = Clock(self._remarks, lambda: stream.line)
        self._suites = SuiteElements(self._clock, self._totals, self._guess)
        self._cases = CaseElements(stream, self._suites, self._clock, self._totals, self._remarks)
        self._closers: list[Closer | None] = []
        self._openers = self._known_openers()
        stream.set_handlers(self._start_root, self._end)

    def take_records(self) -> list[ResultRecord]:
        """Hand over the records that were completed since the last call."""
        return self._cases.take_records()

    def summary(self) -> ReportSummary:
        """Sum up what was seen so far."""
        disagreement = self._totals.disagreement()
        return ReportSummary(
            format="junit",
            dialect=self._guess.dialect,
            tool_version=self._guess.tool_version,
            started_at=self._clock.earliest,
            duration_ms=self._suites.total_ms,
            declared=self._totals.declared(),
            counted=self._totals.counted(),
            warnings=self._remarks.sentences() + ((disagreement,) if disagreement else ()),
        )

    def _known_openers(self) -> dict[str, Opener]:
        openers: dict[str, Opener] = {
            "testcase": self._cases.open,
            "testsuite": partial(self._open_suite, is_collection=False),
            "testsuites": partial(self._open_suite, is_collection=True),
            "system-out": self._open_output,
            "system-err": self._open_output,
            "stacktrace": self._open_stack_trace,
            "property": self._open_property,
            "properties": self._open_other,
        }
        for tag, status in OUTCOME_STATUS.items():
            openers[tag] = partial(self._open_outcome, status, is_attempt=False)
        for tag, status in ATTEMPT_STATUS.items():
            openers[tag] = partial(self._open_outcome, status, is_attempt=True)
        return openers

    def _start_root(self, tag: str, attributes: Attributes) -> None:
        if local_name(tag) not in ("testsuites", "testsuite"):
            raise self._stream.unknown_format(
                f"is no JUnit report: its root is <{tag[:_SHOWN_TAG_CHARS]}>",
                hint="The root of a JUnit report is <testsuites> or <testsuite>.",
            )
        self._stream.set_handlers(self._start, self._end)
        self._start(tag, attributes)

    def _start(self, tag: str, attributes: Attributes) -> None:
        opener = self._openers.get(tag) or self._find_opener(tag)
        self._closers.append(opener(attributes))

    def _end(self, _tag: str) -> None:
        closer = self._closers.pop()
        if closer is not None:
            closer()

    def _find_opener(self, tag: str) -> Opener:
        """Find a tag in another spelling, and remember it if it is known."""
        opener = self._openers.get(local_name(tag))
        if opener is None:
            return self._open_other
        self._openers[tag] = opener
        return opener

    def _check_depth(self) -> None:
        self._stream.check_depth(len(self._closers))

    def _open_suite(self, attributes: Attributes, *, is_collection: bool) -> Closer:
        self._check_depth()
        self._suites.open(attributes, is_collection=is_collection)
        return self._suites.close

    def _open_outcome(
        self, status: Status, attributes: Attributes, *, is_attempt: bool
    ) -> Closer | None:
        if self._closers[-1] is self._cases.closer:
            self._cases.open_outcome(status, attributes, is_attempt=is_attempt)
            return self._cases.close_outcome
        if not self._cases.is_open and status in ("failed", "error"):
            self._remarks.add(Remark.OUTCOME_OUTSIDE_CASE, self._stream.line)
        return self._open_other(attributes)

    def _open_stack_trace(self, attributes: Attributes) -> Closer | None:
        self._cases.begin_stack_trace()
        return self._open_other(attributes)

    def _open_output(self, attributes: Attributes) -> Closer | None:
        self._open_other(attributes)
        self._cases.pause_text()
        return self._cases.resume_text

    def _open_property(self, attributes: Attributes) -> Closer | None:
        if not self._cases.is_open:
            self._guess.see_property(with_plain_names(attributes))
        return self._open_other(attributes)

    def _open_other(self, _attributes: Attributes) -> Closer | None:
        self._check_depth()
        return None

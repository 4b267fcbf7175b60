"""JUnit's test cases: from the opening tag to the record.

Owns the verdict and the fields of a record. It has to be quick: a report can hold a million cases,
so the way of a case that just passed is kept short.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qadb.reports.junit.attributes import (
    Attributes,
    line_or_none,
    text_or_none,
    with_plain_names,
)
from qadb.reports.junit.clock import Clock, inherited
from qadb.reports.junit.outcomes import PASSED, CaseOutcomes, Outcome, stated_verdict
from qadb.reports.records import MAX_ERROR_TYPE_CHARS, ResultRecord, Status
from qadb.reports.remarks import Remark, Remarks

if TYPE_CHECKING:
    from qadb.reports.junit.suites import SuiteElements
    from qadb.reports.junit.totals import Totals
    from qadb.reports.xmlstream import XmlStream

Closer = Callable[[], None]

UNNAMED: Final = "(unnamed)"


class CaseElements:
    """Keeps the open case and collects the records of closed ones."""

    def __init__(
        self,
        stream: XmlStream,
        suites: SuiteElements,
        clock: Clock,
        totals: Totals,
        remarks: Remarks,
    ) -> None:
        self._stream = stream
        self._suites = suites
        self._clock = clock
        self._totals = totals
        self._remarks = remarks
        self._records: list[ResultRecord] = []
        # The open case as it would be if nothing else were said of it, and what else is said.
        self._record: ResultRecord | None = None
        self._outcomes: CaseOutcomes | None = None
        self._outer: list[tuple[ResultRecord, CaseOutcomes | None]] = []
        self._outcome: Outcome | None = None
        self.closer: Closer = self.close

    @property
    def is_open(self) -> bool:
        """Tell whether a case is open."""
        return self._record is not None

    def take_records(self) -> list[ResultRecord]:
        """Hand over, and count, the records that were completed since the last call."""
        records, self._records = self._records, []
        self._totals.tests += len(records)
        return records

    def open(self, attributes: Attributes) -> Closer:
        """Open `<testcase>`: make the record of a case that passes; gives what closes it."""
        if self._record is not None:
            self._set_aside(self._record)
        if "name" not in attributes:
            attributes = with_plain_names(attributes)
        get = attributes.get
        suite = self._suites.current
        name = get("name")
        classname = get("classname") or get("class")
        duration_ms = self._clock.duration_ms(attributes)
        if duration_ms is not None:
            suite.held_ms += duration_ms
            suite.is_timed = True
        executed_at = suite.executed_at
        if "timestamp" in attributes:
            executed_at = inherited(self._clock.moment(attributes), executed_at)
        if "status" in attributes or "result" in attributes:
            stated = stated_verdict(get("status", ""), get("result", ""))
            self._outcomes = None if stated is PASSED else CaseOutcomes(stated)
        # By position: by keyword it takes a third longer.
        self._record = ResultRecord(
            suite.name,
            None if not classname or classname.isspace() else classname,
            name if name and not name.isspace() else self._substitute_name(attributes),
            get("file") or suite.file,
            line_or_none(attributes["line"]) if "line" in attributes else None,
            "passed",
            duration_ms,
            None,
            None,
            None,
            False,
            None,
            executed_at,
        )
        return self.closer

    def _set_aside(self, record: ResultRecord) -> None:
        """Keep an open case while another is open inside it, which no known tool writes."""
        self._stream.check_depth(len(self._outer))
        if self._outcome is not None:
            raise self._stream.failure("holds a test case inside a failure")
        self._outer.append((record, self._outcomes))
        self._outcomes = None

    def close(self) -> None:
        """Close it: the record is complete."""
        record = self._record
        if record is None:
            return
        if self._outcomes is not None:
            record = self._with_verdict(record, self._outcomes)
            self._outcomes = None
        self._records.append(record)
        self._record = None
        if self._outer:
            self._record, self._outcomes = self._outer.pop()

    def _substitute_name(self, attributes: Attributes) -> str:
        name = text_or_none(attributes.get("id"))
        if name is None:
            self._remarks.add(Remark.UNNAMED, self._stream.line)
        return name or UNNAMED

    def _with_verdict(self, record: ResultRecord, outcomes: CaseOutcomes) -> ResultRecord:
        attempts = outcomes.attempts
        self._totals.attempts.update(attempt.status for attempt in attempts)
        verdict = outcomes.verdict()
        if verdict is None:
            self._remarks.add(Remark.VERDICT_MISSING, self._stream.line)
            verdict = PASSED
        if verdict.status != "passed":
            self._totals.verdicts[verdict.status] += 1
        return record._replace(
            status=verdict.status,
            error_type=verdict.error_type,
            message=verdict.message,
            stack_trace=verdict.stack_trace,
            is_truncated=verdict.is_truncated,
            signature=verdict.signature,
            prior_attempts=attempts,
        )

    def open_outcome(self, status: Status, attributes: Attributes, *, is_attempt: bool) -> None:
        """Open a child of the case that says how it, or an earlier attempt, ended."""
        attributes = with_plain_names(attributes)
        clock = self._clock
        error_type = attributes.get("type", "")
        self._outcome = outcome = Outcome(
            status=status,
            is_attempt=is_attempt,
            error_type=text_or_none(error_type[:MAX_ERROR_TYPE_CHARS]),
            stated_message=text_or_none(attributes.get("message")),
            duration_ms=clock.duration_ms(attributes) if is_attempt else None,
            executed_at=inherited(clock.moment(attributes), None) if is_attempt else None,
        )
        self._stream.capture_text(outcome.text.add)

    def close_outcome(self) -> None:
        """Close it and leave it with its case."""
        self._stream.capture_text(None)
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            return
        if not outcome.is_attempt:
            self._totals.elements[outcome.status] += 1
        if self._outcomes is None:
            self._outcomes = CaseOutcomes(PASSED)
        if not self._outcomes.add(outcome):
            self._remarks.add(Remark.ATTEMPTS_LEFT_OUT, self._stream.line)

    def begin_stack_trace(self) -> None:
        """Begin `<stackTrace>` in an outcome: its text is the outcome's."""
        if self._outcome is not None:
            self._outcome.text.drop_blank()

    def pause_text(self) -> None:
        """Begin output inside an outcome: it is no part of the failure's text."""
        self._stream.capture_text(None)

    def resume_text(self) -> None:
        """End it."""
        if self._outcome is not None:
            self._stream.capture_text(self._outcome.text.add)

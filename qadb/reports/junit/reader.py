"""The JUnit reader: a stream of bytes in, records out, a summary at the end.

Owns the order of things. The elements' meaning is in `elements`, failures are in `outcomes`,
totals in `totals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.reports.junit.elements import JUnitElements
from qadb.reports.xmlstream import XmlStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.reports.records import ByteSource, ReportSummary, ResultRecord


class JUnitReader:
    """Reads one JUnit XML file, once.

    Memory depends neither on the number of cases nor on the length of texts.
    """

    def __init__(self, name: str) -> None:
        """Prepare to read; ``name`` is the file as the user typed it, for errors."""
        self._stream = XmlStream(name)
        self._elements = JUnitElements(self._stream)
        self._is_complete = False

    def read(self, stream: ByteSource) -> Iterator[ResultRecord]:
        """Yield a record for each test case, in file order, while the stream is being read.

        Raises:
            ReportError: the file is no readable JUnit report. Records of the part before the
                problem may have been yielded by then; they are worth nothing.
        """
        for _ in self._stream.feed(stream):
            yield from self._elements.take_records()
        self._is_complete = True

    def summary(self) -> ReportSummary:
        """Sum up the file, when `read` has come to its end.

        Raises:
            RuntimeError: it has not.
        """
        if not self._is_complete:
            raise RuntimeError("a report has no summary before its last record")
        return self._elements.summary()

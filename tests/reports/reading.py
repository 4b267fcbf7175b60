"""Reading of reports that tests write inline."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ReportError
from qadb.reports.junit import JUnitReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.reports.records import ReportSummary, ResultRecord

FILE = "build/report.xml"


def read(document: str | bytes) -> tuple[list[ResultRecord], ReportSummary]:
    """Read a whole document; a string becomes UTF-8."""
    reader = JUnitReader(FILE)
    data = document.encode() if isinstance(document, str) else document
    return list(reader.read(io.BytesIO(data))), reader.summary()


def read_case(document: str) -> ResultRecord:
    """Read a document made of one test case; the suite is called shop."""
    records, _ = read(f'<testsuite name="shop">{document}</testsuite>')
    (record,) = records
    return record


def warnings_of(document: str) -> tuple[str, ...]:
    """Read a document for its warnings."""
    return read(document)[1].warnings


def refused(document: str | bytes) -> ReportError:
    """Read a document that must be refused, and give the error."""
    with pytest.raises(ReportError) as caught:
        read(document)
    assert caught.value.file == FILE
    return caught.value


class Pieces:
    """A source that makes its bytes as they are asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int, /) -> bytes:
        """Give the next piece."""
        return next(self._pieces, b"")

"""JUnit XML, in the dialects of the tools that write it.

Owns the reading of `<testsuites>` and `<testsuite>` documents. The same format, without a standard,
comes from pytest, Maven, Gradle, Jest, PHPUnit, GoogleTest, nextest and many more.
"""

from __future__ import annotations

from typing import Final

from qadb.reports.junit.reader import JUnitReader
from qadb.reports.registry import ReportFormat
from qadb.reports.xmlstream import looks_like_xml

__all__ = ["FORMAT", "JUnitReader"]

# The only XML format so far: other XML is left to the reader, which says what is wrong with it.
FORMAT: Final = ReportFormat("junit", "JUnit XML", JUnitReader, looks_like_xml)

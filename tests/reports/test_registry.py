"""The choice of a format."""

from __future__ import annotations

import io

import pytest

from qadb.errors import ReportError
from qadb.reports.registry import detect_format, find_format, format_names


def test_a_format_is_found_by_name_in_any_case() -> None:
    reader = find_format(" JUnit", file="a.xml").open_reader("a.xml")
    records = list(reader.read(io.BytesIO(b"<testsuite><testcase name='a'/></testsuite>")))
    assert [record.name for record in records] == ["a"]
    assert reader.summary().format == "junit"


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ReportError, match=r"a\.xml: the format 'nunit' is not known") as caught:
        find_format("nunit", file="a.xml")
    assert caught.value.hint == f"Known formats: {', '.join(format_names())}."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_xml_is_recognised_by_its_content(encoding: str) -> None:
    head = "\n <?xml version='1.0'?><testsuites>".encode(encoding)
    assert detect_format(head, file="a.xml").name == "junit"


@pytest.mark.parametrize("head", [b'{"tests": 1}', b"TAP version 13", b"\x1f\x8b\x08"])
def test_what_is_no_xml_is_refused_with_the_known_formats(head: bytes) -> None:
    with pytest.raises(ReportError, match="is in no format that can be read") as caught:
        detect_format(head, file="a.json")
    assert "junit" in (caught.value.hint or "")


def test_nothing_is_no_format() -> None:
    with pytest.raises(ReportError, match=r"a\.xml: is empty"):
        detect_format(b"", file="a.xml")

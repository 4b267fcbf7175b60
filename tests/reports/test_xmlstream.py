"""What no report may do: be broken, be hostile, be something else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ReportError
from qadb.reports.junit import JUnitReader
from tests.reports.reading import FILE, Pieces, read, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1_000_000


def _refused_stream(pieces: Iterator[bytes]) -> ReportError:
    with pytest.raises(ReportError) as caught:
        list(JUnitReader(FILE).read(Pieces(pieces)))
    return caught.value


def _endless(first: bytes, again: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield again


@pytest.mark.parametrize(
    ("document", "reason", "line"),
    [
        ("", "is empty", None),
        (" \n\n", "is not well-formed XML: it holds no element", 3),
        ("\ufeff", "is not well-formed XML: it holds no element", 1),
        ("<testsuite>\n<testcase>", "it ends before its elements are closed", 2),
        ("<testsuite>\n<testcase na", "it ends inside a tag or a comment", 2),
        ("<testsuite>\n<![CDATA[ x", "it ends inside a CDATA section", 2),
        ("<testsuite>\n</testcase>", "mismatched tag", 2),
        ('<testsuite>\n<testcase time="<<x>>"/>', "unexpected '<'", 2),
        ('<testsuite>\n<testcase name="a" name="b"/>', "an attribute is given twice", 2),
        ("<testsuite>\n\x1b[31m", "the control character 0x1b is not allowed in XML", 2),
        ("<testsuite>\n\0", "the control character 0x00 is not allowed in XML", 2),
        ("<testsuite>\n&#0;", "a character reference names no valid character", 2),
        ("<testsuite>\n&#xD800;", "a character reference names no valid character", 2),
        ("<testsuite>\n&nbsp;", "an entity is used that XML does not define", 2),
        ("<testsuite/>\n<testsuite/>", "something follows the root element", 2),
        ("\n<?xml version='1.0'?>", "the XML declaration is not at the very start", 2),
        ("not XML at all", "it does not begin with a tag", 1),
        ('{"tests": 3}', "unexpected '{'", 1),
    ],
)
def test_broken_files_are_refused_in_plain_words_with_their_line(
    document: str, reason: str, line: int | None
) -> None:
    error = refused(document)
    assert reason in error.reason
    assert error.line == line


@pytest.mark.parametrize("root", ["suites", "html", "testcase", "assemblies", "x:test-suite"])
def test_other_xml_is_refused_by_its_root(root: str) -> None:
    error = refused(f"<?xml version='1.0'?>\n<{root}><testcase name='a'/></{root}>")
    assert (error.reason, error.line) == (f"is no JUnit report: its root is <{root}>", 2)
    assert "<testsuites>" in (error.hint or "")


@pytest.mark.parametrize(
    "declaration",
    [
        "<!ENTITY lol 'lol'>",
        "<!ENTITY lol SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY % lol 'x'>",
        "<!ENTITY % lol SYSTEM 'http://127.0.0.1/x'>",
        "<!NOTATION n SYSTEM 'n'><!ENTITY lol SYSTEM 'x' NDATA n>",
    ],
)
def test_entity_declarations_are_refused_before_they_are_used(declaration: str) -> None:
    error = refused(f"<!DOCTYPE testsuite [\n{declaration}]>\n<testsuite>&lol;</testsuite>")
    assert (error.reason, error.line) == ("declares the entity 'lol'; entities are refused", 2)


def test_an_entity_from_a_document_type_that_is_not_read_is_refused() -> None:
    error = refused('<!DOCTYPE testsuite SYSTEM "x.dtd">\n<testsuite>&lol;</testsuite>')
    assert (error.reason, error.line) == ("uses the entity 'lol', which it does not define", 2)


def test_a_document_type_without_entities_is_fine() -> None:
    records, _ = read(
        '<!DOCTYPE testsuite [<!ELEMENT testsuite ANY><!ATTLIST testcase time CDATA "9">]>'
        '<testsuite><testcase name="a &lt; &amp; &#98;"/></testsuite>'
    )
    assert [(record.name, record.duration_ms) for record in records] == [("a < & b", None)]


def test_a_giant_attribute_is_refused_before_it_fills_memory() -> None:
    error = _refused_stream(_endless(b"<testsuite>\n<testcase name='", b"x" * MEGABYTE))
    assert (error.reason, error.line) == ("holds a single tag or comment of more than 16 MB", 2)


def test_a_giant_comment_is_refused_before_it_fills_memory() -> None:
    error = _refused_stream(_endless(b"<testsuite>\n<!--", b"x" * MEGABYTE))
    assert "16 MB" in error.reason


def test_a_megabyte_in_an_attribute_is_read() -> None:
    records, _ = read(f'<testsuite><testcase name="{"x" * MEGABYTE}"/></testsuite>')
    assert len(records[0].name) == MEGABYTE


def test_endless_document_types_are_refused() -> None:
    error = _refused_stream(_endless(b"<!DOCTYPE a [", b"<!ELEMENT a ANY>\n" * 50_000))
    assert "no element in its first 4 MB" in error.reason


@pytest.mark.parametrize("tag", ["testsuite", "testcase", "failure", "system-out", "other"])
def test_endless_nesting_is_refused(tag: str) -> None:
    start = f"<{tag}>\n".encode()
    error = _refused_stream(_endless(b"<testsuite><testcase>", start * 10_000))
    assert "nests elements more than 500 deep" in error.reason


def test_endless_new_names_are_refused() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"<testsuite>"
        for first in range(1_000):
            yield b"".join(b"<a%d_%d/>" % (first, second) for second in range(1_000))

    assert "100,000 different names" in _refused_stream(pieces()).reason


def test_records_before_the_broken_place_come_first_and_there_is_no_summary() -> None:
    reader = JUnitReader(FILE)
    filler = b"<testcase name='a'/>" * 20_000
    records = reader.read(io.BytesIO(b"<testsuite>" + filler + b"</oops>"))
    assert next(records).name == "a"
    with pytest.raises(ReportError, match="mismatched tag"):
        list(records)
    with pytest.raises(RuntimeError):
        reader.summary()


def test_the_error_names_the_file_as_the_user_typed_it() -> None:
    assert str(refused("<testsuite>\n<")).startswith(f"{FILE}:2: is not well-formed XML: ")

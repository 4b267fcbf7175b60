"""Damaged reports: whatever the damage, a report is read or refused, nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest

from qadb.errors import ReportError
from qadb.reports.junit import JUnitReader

_EXAMPLE = (Path(__file__).parents[2] / "examples" / "junit.xml").read_bytes()
_TEXT = _EXAMPLE.decode()
_DOCUMENTS = {
    "utf-8": _EXAMPLE,
    "utf-16": _TEXT.replace("UTF-8", "UTF-16").encode("utf-16"),
    "windows-1252": _TEXT.replace("UTF-8", "windows-1252").encode("windows-1252"),
    "shift_jis": _TEXT.replace("UTF-8", "Shift_JIS").encode("shift_jis"),
    "utf-32": _TEXT.encode("utf-32"),
}
_WORDS = (
    b"<testcase>",
    b"</testcase>",
    b"<testsuite>",
    b"<failure>",
    b"<system-out>",
    b"<stackTrace>",
    b"</failure>",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE a [",
    b"&amp;",
    b"&#0;",
    b"&x;",
    b'"',
    b"\0",
    b"\xff",
    b' status="failed"',
    b' time="1e999"',
    b' timestamp="9999-12-31T23:59:59-23:59"',
)


def _damaged(document: bytes, random: Random) -> bytes:
    """Cut, flip, double, put something in: a few times."""
    data = bytearray(document)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) or 1)
        match random.randrange(5):
            case 0:
                del data[at:]
            case 1:
                data[at : at + 1] = bytes([random.randrange(256)])
            case 2:
                del data[at : at + random.randrange(60)]
            case 3:
                data[at:at] = data[at : at + random.randrange(200)]
            case _:
                data[at:at] = random.choice(_WORDS)
    return bytes(data)


def _is_impossible(line: int | None) -> bool:
    return line is not None and line < 1


def is_read_or_refused(data: bytes) -> bool:
    """Read it; True when that worked. Any error but ReportError comes through."""
    reader = JUnitReader("damaged.xml")
    try:
        records = list(reader.read(io.BytesIO(data)))
    except ReportError as error:
        return _is_impossible(error.line)
    assert reader.summary().counted["tests"] == len(records)
    for record in records:
        assert record.name
        assert "\0" not in "".join(filter(None, (record.name, record.message, record.stack_trace)))
        "".join(filter(None, (record.name, record.message, record.stack_trace))).encode()
    return True


@pytest.mark.parametrize("encoding", _DOCUMENTS)
def test_a_damaged_report_is_read_or_refused(encoding: str) -> None:
    random = Random(encoding)
    verdicts = {is_read_or_refused(_damaged(_DOCUMENTS[encoding], random)) for _ in range(150)}
    assert verdicts == {True, False}


@pytest.mark.parametrize("encoding", _DOCUMENTS)
def test_every_cut_off_report_is_refused(encoding: str) -> None:
    document = _DOCUMENTS[encoding].rstrip(b"\n\0")
    for length in range(0, len(document) - 4, 97):
        assert not is_read_or_refused(document[:length])

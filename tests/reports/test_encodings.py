"""Reports in the encodings that tools write."""

from __future__ import annotations

import codecs
import io

import pytest

from qadb.reports.junit import JUnitReader
from tests.reports.reading import FILE, Pieces, read, refused

WESTERN = "prüft den Käse"
JAPANESE = "カートに本を入れる"
KOREAN = "장바구니 시험"
CHINESE = "购物车测试"


def _document(name: str, declared: str | None) -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return f'{declaration}<testsuite>\n<testcase name="{name}"/>\n</testsuite>'


def _name_in(data: bytes) -> str:
    (record,), _ = read(data)
    return record.name


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("declared", [None, "UTF-8", "utf8", "UTF-16"])
def test_utf8_is_read_with_and_without_mark_whatever_is_declared(
    mark: bytes, declared: str | None
) -> None:
    assert _name_in(mark + _document(JAPANESE, declared).encode()) == JAPANESE


@pytest.mark.parametrize(
    ("mark", "codec"), [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
)
@pytest.mark.parametrize("declared", [None, "UTF-16", "utf-8"])
def test_utf16_with_a_mark_is_read_whatever_is_declared(
    mark: bytes, codec: str, declared: str | None
) -> None:
    assert _name_in(mark + _document(JAPANESE, declared).encode(codec)) == JAPANESE


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_recognised(codec: str) -> None:
    assert _name_in(_document(JAPANESE, "UTF-16").encode(codec)) == JAPANESE


@pytest.mark.parametrize("codec", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf32_is_transcoded(codec: str) -> None:
    assert _name_in(_document(JAPANESE, "UTF-32").encode(codec)) == JAPANESE


@pytest.mark.parametrize("codec", ["ISO-8859-1", "windows-1252", "iso-8859-15", "cp850"])
def test_single_byte_code_pages_are_read(codec: str) -> None:
    assert _name_in(_document(WESTERN, codec).encode(codec)) == WESTERN


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("Shift_JIS", JAPANESE),
        ("EUC-JP", JAPANESE),
        ("ISO-2022-JP", JAPANESE),
        ("GB2312", CHINESE),
        ("gb18030", CHINESE),
        ("EUC-KR", KOREAN),
    ],
)
def test_multi_byte_encodings_are_transcoded(codec: str, name: str) -> None:
    assert _name_in(_document(name, codec).encode(codec)) == name


def test_a_character_cut_by_a_chunk_is_put_together() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 1_025, 1_025))

    names = [JAPANESE * 9 + str(number) for number in range(50)]
    cases = "".join(f'<testcase name="{name}"/>' for name in names)
    document = f'<?xml version="1.0" encoding="Shift_JIS"?><testsuite>{cases}</testsuite>'
    reader = JUnitReader(FILE)
    records = list(reader.read(Trickle(document.encode("shift_jis"))))
    assert [record.name for record in records] == names


def test_an_encoding_is_known_from_a_pipe_that_gives_one_byte_at_a_time() -> None:
    document = _document(JAPANESE, "Shift_JIS").encode("shift_jis")
    source = Pieces(bytes([byte]) for byte in document)
    assert [record.name for record in JUnitReader(FILE).read(source)] == [JAPANESE]


def test_a_multi_byte_file_that_ends_inside_a_character_is_refused() -> None:
    document = _document(JAPANESE, "Shift_JIS").encode("shift_jis") + b"\x83"
    assert "not valid shift_jis" in refused(document).reason


def test_ascii_may_not_hold_other_bytes() -> None:
    error = refused(_document(WESTERN, "US-ASCII").encode())
    assert (error.line, "0xc3" in error.reason) == (3, True)


def test_an_unknown_encoding_is_named() -> None:
    error = refused(_document("x", "klingon-8"))
    assert (error.reason, error.line) == (
        "declares the encoding 'klingon-8', which is not known",
        1,
    )


@pytest.mark.parametrize("codec", ["rot13", "hex", "utf-7", "idna", "unicode_escape", "undefined"])
def test_codecs_that_are_no_code_page_are_refused(codec: str) -> None:
    error = refused(_document("x", codec))
    assert "not known" in error.reason or "can't be decoded" in error.reason


def test_bytes_outside_a_multi_byte_encoding_are_refused_with_their_line() -> None:
    good = _document("x", "Shift_JIS").encode()
    error = refused(good.replace(b'"x"', b'"\x81\xff"'))
    assert (error.reason, error.line) == ("holds bytes that are not valid shift_jis", 3)


def test_bytes_outside_utf8_are_refused_with_their_line() -> None:
    error = refused(_document("x", None).encode().replace(b"x", b"\xe9"))
    assert error.line == 2
    assert "0xe9" in error.reason


def test_a_file_that_ends_inside_a_character_is_refused() -> None:
    assert "ends inside" in refused("<testsuite>é".encode()[:-1]).reason

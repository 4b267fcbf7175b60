"""Encodings of XML files: what expat reads itself, and what is transcoded before it.

Owns the look at a file's first bytes. Expat knows UTF-8, UTF-16, Latin-1 and ASCII, and learns any
single-byte code page from Python; multi-byte ones and UTF-32 have to become UTF-8 first.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from qadb.errors import ReportError

HEAD_BYTES: Final = 1_024

_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,400}?\sencoding\s*=\s*[\"']([^\"'>]{1,60})[\"']")
_MARKS: Final = (
    # The longer mark first: UTF-32's begins like UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MULTI_BYTE: Final = re.compile(
    r"shift_jis|shift_jis_2004|shift_jisx0213|cp932|euc_jp|euc_jis_2004|euc_jisx0213|iso2022_\w+"
    r"|gb2312|gbk|gb18030|hz|big5|big5hkscs|cp950|euc_kr|cp949|johab"
)
# Python's own notations, no encodings of files; one of them warns when it is tried.
_NO_ENCODINGS: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to hand a file to expat.

    Attributes:
        override: encoding that expat shall assume whatever the file declares, or None.
        codec: codec to transcode from into UTF-8 first, or None.
    """

    override: str | None = None
    codec: str | None = None


def detect_encoding(head: bytes, *, file: str) -> Encoding:
    """Decide from the first bytes: a byte order mark is believed before the declaration.

    Raises:
        ReportError: the file declares an encoding that nobody knows.
    """
    for mark, marked in _MARKS:
        if head.startswith(mark):
            return _transcoded(marked) if marked.startswith("utf-32") else Encoding(marked)
    declared = _DECLARED.match(head)
    if declared is None:
        return Encoding()
    label = declared[1].decode("ascii", "replace")
    name = _codec_name(label)
    if name is None:
        raise ReportError(f"declares the encoding {label!r}, which is not known", file=file, line=1)
    if name.startswith(("utf-8", "utf-16", "utf-32")):
        # The declaration could be read as ASCII, so it can't be UTF-16 whatever it says.
        return Encoding(override="utf-8")
    return _transcoded(name) if _MULTI_BYTE.fullmatch(name) else Encoding()


def _codec_name(label: str) -> str | None:
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    return None if name in _NO_ENCODINGS else name


def _transcoded(codec: str) -> Encoding:
    return Encoding(override="utf-8", codec=codec)


class Transcoder:
    """Turns chunks of a multi-byte encoding into UTF-8, and knows the line of what it can't."""

    def __init__(self, codec: str, *, file: str) -> None:
        self._codec = codec
        self._file = file
        self._decoder = codecs.getincrementaldecoder(codec)("strict")
        self._lines = 1

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """Transcode one chunk.

        Raises:
            ReportError: the bytes are not valid in the encoding.
        """
        try:
            converted = self._decoder.decode(chunk, is_last).encode("utf-8")
        except UnicodeError as error:
            before = chunk[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            raise ReportError(
                f"holds bytes that are not valid {self._codec}",
                file=self._file,
                line=self._lines + before.count(b"\n"),
            ) from error
        self._lines += converted.count(b"\n")
        return converted

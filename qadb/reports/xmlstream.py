"""Streaming XML: expat set up so that memory stays flat and nothing outside the file is read.

Owns chunks, encodings, limits and the wording of expat's errors, for every report format that is
XML. What the elements mean is the business of the handlers.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NoReturn
from xml.parsers import expat

from qadb.errors import ReportError, UnknownFormat
from qadb.reports.encodings import HEAD_BYTES, Transcoder, detect_encoding

if TYPE_CHECKING:
    from qadb.reports.records import ByteSource

_CHUNK_BYTES: Final = 64 * 1024
_TEXT_BUFFER_BYTES: Final = 64 * 1024
# Expat has to hold one tag, comment or instruction in memory as a whole (and scans it again with
# each chunk), so this bounds memory; real messages in attributes stay far below.
_MAX_TOKEN_BYTES: Final = 16 * 1024 * 1024
_MAX_PROLOG_BYTES: Final = 4 * 1024 * 1024
_MAX_NAMES: Final = 100_000
_MAX_DEPTH: Final = 500

_CODES = expat.errors.codes
_PLAIN_WORDS: Final = {
    _CODES[expat.errors.XML_ERROR_SYNTAX]: "it does not begin with a tag",
    _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]: "it ends before its elements are closed",
    _CODES[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: "it ends inside a tag or a comment",
    _CODES[expat.errors.XML_ERROR_PARTIAL_CHAR]: "it ends inside a character",
    _CODES[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION]: "it ends inside a CDATA section",
    _CODES[expat.errors.XML_ERROR_TAG_MISMATCH]: "mismatched tag",
    _CODES[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "an attribute is given twice",
    _CODES[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "something follows the root element",
    _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "an entity is used that XML does not define",
    _CODES[expat.errors.XML_ERROR_BAD_CHAR_REF]: "a character reference names no valid character",
    _CODES[expat.errors.XML_ERROR_MISPLACED_XML_PI]: "the XML declaration is not at the very start",
}
_MARKS_AND_BLANKS: Final = codecs.BOM_UTF8 + codecs.BOM_UTF16 + codecs.BOM_UTF16_BE + b" \t\r\n\0"
_INVALID_TOKEN: Final = _CODES[expat.errors.XML_ERROR_INVALID_TOKEN]
_NO_ELEMENTS: Final = _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]

StartHandler = Callable[[str, dict[str, str]], None]
EndHandler = Callable[[str], None]
TextHandler = Callable[[str], None]


class XmlStream:
    """One pass over one XML file.

    Set the handlers, then iterate over `feed`. An exception of a handler ends the pass and reaches
    the caller unchanged.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._parser = expat.ParserCreate()
        self._on_start: StartHandler | None = None
        self._on_end: EndHandler | None = None
        self._is_in_root = False
        self._fed_bytes = 0
        self._chunk = b""

    @property
    def line(self) -> int:
        """Line of the current event, counted from 1."""
        return self._parser.CurrentLineNumber

    def set_handlers(self, on_start: StartHandler, on_end: EndHandler) -> None:
        """Set who hears of elements; the start handler may be changed while feeding."""
        self._on_start, self._on_end = on_start, on_end
        if self._is_in_root:
            self._parser.StartElementHandler = on_start
            self._parser.EndElementHandler = on_end

    def capture_text(self, on_text: TextHandler | None) -> None:
        """Hand text to this handler from now on, in pieces; None drops it unseen."""
        self._parser.CharacterDataHandler = on_text

    def unknown_format(self, reason: str, *, hint: str | None = None) -> UnknownFormat:
        """Make the error for a file that is well-formed XML of another kind."""
        return UnknownFormat(reason, file=self._file, line=self.line, hint=hint)

    def failure(self, reason: str, *, hint: str | None = None) -> ReportError:
        """Make the error for a problem at the current line."""
        return ReportError(reason, file=self._file, line=self.line, hint=hint)

    def check_depth(self, depth: int) -> None:
        """Refuse what is nested too deep; expat keeps every open element in memory.

        Raises:
            ReportError: it is.
        """
        if depth >= _MAX_DEPTH:
            raise self.failure(f"nests elements more than {_MAX_DEPTH} deep")

    def feed(self, stream: ByteSource) -> Iterator[None]:
        """Parse the stream; yields after each chunk, when the handlers have seen its events.

        Raises:
            ReportError: the file is empty, no well-formed XML, hostile, or in an unknown encoding.
        """
        head = _read_head(stream)
        if not head:
            raise ReportError("is empty", file=self._file)
        encoding = detect_encoding(head, file=self._file)
        self._prepare(encoding.override)
        codec = None if encoding.codec is None else Transcoder(encoding.codec, file=self._file)
        chunk = head
        while chunk:
            self._parse(codec.feed(chunk) if codec else chunk)
            self._check_limits()
            yield
            chunk = stream.read(_CHUNK_BYTES)
        self._parse(codec.feed(b"", is_last=True) if codec else b"", is_last=True)
        yield

    def _prepare(self, encoding: str | None) -> None:
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.buffer_size = _TEXT_BUFFER_BYTES
        # Defaults from a DTD would come again with every element.
        parser.specified_attributes = True
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_skipped_entity
        parser.StartElementHandler = self._enter_root
        parser.EndElementHandler = self._on_end
        self._parser = parser

    def _enter_root(self, tag: str, attributes: dict[str, str]) -> None:
        self._is_in_root = True
        self._parser.StartElementHandler = self._on_start
        if self._on_start is not None:
            self._on_start(tag, attributes)

    def _parse(self, data: bytes, *, is_last: bool = False) -> None:
        self._chunk = data
        self._fed_bytes += len(data)
        try:
            self._parser.Parse(data, is_last)
        except expat.ExpatError as error:
            raise ReportError(
                f"is not well-formed XML: {self._explain(error)}",
                file=self._file,
                line=error.lineno,
            ) from error
        except (LookupError, ValueError) as error:
            # Python's part of the parser: a code page that is none, text that can't be decoded.
            if self._is_in_root and not isinstance(error, UnicodeError):
                raise
            raise self.failure(f"can't be decoded: {error}") from error

    def _explain(self, error: expat.ExpatError) -> str:
        if error.code == _NO_ELEMENTS and not self._is_in_root:
            return "it holds no element"
        if error.code == _INVALID_TOKEN:
            return _describe_byte(self._offending_byte())
        return _PLAIN_WORDS.get(error.code, expat.ErrorString(error.code) or "unknown error")

    def _offending_byte(self) -> int | None:
        offset = self._parser.ErrorByteIndex - (self._fed_bytes - len(self._chunk))
        return self._chunk[offset] if 0 <= offset < len(self._chunk) else None

    def _check_limits(self) -> None:
        if self._fed_bytes - self._parser.CurrentByteIndex > _MAX_TOKEN_BYTES:
            raise self.failure("holds a single tag or comment of more than 16 MB")
        if not self._is_in_root and self._fed_bytes > _MAX_PROLOG_BYTES:
            raise self.failure("holds no element in its first 4 MB")
        if len(self._parser.intern) > _MAX_NAMES:
            raise self.failure("uses more than 100,000 different names for elements and attributes")

    def _refuse_entity(self, name: str, *_details: object) -> NoReturn:
        raise self.failure(
            f"declares the entity {name!r}; entities are refused",
            hint="Test reports need none: remove the DOCTYPE, or find out who put it there.",
        )

    def _refuse_skipped_entity(self, name: str, _is_parameter: bool) -> NoReturn:
        raise self.failure(f"uses the entity {name!r}, which it does not define")


def _describe_byte(byte: int | None) -> str:
    if byte is None:
        return "invalid token"
    if byte < 0x20 or byte == 0x7F:  # noqa: PLR2004 (ASCII control characters)
        return f"the control character 0x{byte:02x} is not allowed in XML"
    if byte > 0x7E:  # noqa: PLR2004 (beyond ASCII)
        return f"the byte 0x{byte:02x} is invalid in the file's encoding or at this place"
    return f"unexpected {chr(byte)!r}"


def _read_head(stream: ByteSource) -> bytes:
    """Read enough to know the encoding, from a pipe too, which may give a few bytes at a time."""
    head = stream.read(_CHUNK_BYTES)
    while head and len(head) < HEAD_BYTES:
        more = stream.read(_CHUNK_BYTES)
        if not more:
            break
        head += more
    return head


def looks_like_xml(head: bytes) -> bool:
    """Tell whether the first bytes begin a tag, whatever the encoding."""
    return head.lstrip(_MARKS_AND_BLANKS).startswith(b"<")

"""The first 100 bytes of a SQLite file, and those among them that SQLite reads over.

SQLite looks at no byte that it needs not, so a disk may change one there and nobody is told. The
schema's cookie, the default size of the cache and the user's version hold any number at all: a
change of these nobody can see. https://www.sqlite.org/fileformat.html#the_database_header
"""

from __future__ import annotations

from typing import Final

SIZE: Final = 100

_MAGIC: Final = b"SQLite format 3\x00"
_JOURNAL, _WAL = 1, 2
_FRACTIONS: Final = bytes((64, 32, 32))
_SCHEMA_FORMATS: Final = range(5)
_TEXT_ENCODINGS: Final = range(4)  # 0 until the first table is made
_MOST_PATCH_RELEASES: Final = 100


def faults_of(header: bytes) -> tuple[str, ...]:
    """What is wrong with a header, as lines to read; nothing for one that ends too early.

    Two fields that are written together are compared, and others have to be what some release of
    SQLite writes there.
    """
    if len(header) < SIZE:
        return ()
    faults = {
        "it does not begin with SQLite's mark": not header.startswith(_MAGIC),
        "its versions to write and to read it are none that SQLite writes": (
            header[18] != header[19] or header[18] not in {_JOURNAL, _WAL}
        ),
        "its payload fractions are none that SQLite writes": header[21:24] != _FRACTIONS,
        "its change counter and the copy of it differ": header[24:28] != header[92:96],
        "its schema format is unknown": _number(header, 44) not in _SCHEMA_FORMATS,
        "its text encoding is unknown": _number(header, 56) not in _TEXT_ENCODINGS,
        "its incremental vacuum is neither on nor off": _number(header, 64)
        > int(_number(header, 52) > 0),
        "bytes that are reserved are not zero": any(header[72:92]),
        "no release of SQLite has the version that wrote it": not _is_release(_number(header, 96)),
    }
    return tuple(f"header: {fault}" for fault, is_there in faults.items() if is_there)


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _is_release(number: int) -> bool:
    """Tell whether it reads as a release of SQLite 3, which 3.45.1 writes as 3045001."""
    return number // 1_000_000 == 3 and number % 1000 < _MOST_PATCH_RELEASES  # noqa: PLR2004

"""The formats that qadb reads, and the choice of one by name or by a file's first bytes.

A format is a package or module beside this one that offers a `ReportFormat` called ``FORMAT``; its
name in `_MODULES` makes it known. Modules are imported when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from qadb.errors import ReportError, UnknownFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qadb.reports.records import ByteSource, ReportSummary, ResultRecord

# In the order in which they are asked whether a file is theirs.
_MODULES: Final = ("junit",)


class ReportReader(Protocol):
    """Reads one file, once."""

    def read(self, stream: ByteSource) -> Iterator[ResultRecord]:
        """Yield the records in file order; raises ReportError."""
        ...

    def summary(self) -> ReportSummary:
        """Sum up the file, when `read` has come to its end."""
        ...


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """One format.

    Attributes:
        name: what a user calls it.
        title: what it is called in a sentence.
        open_reader: makes a reader from the file's name as the user typed it.
        recognises: tells from a file's first bytes whether it may be this format.
    """

    name: str
    title: str
    open_reader: Callable[[str], ReportReader]
    recognises: Callable[[bytes], bool]


def format_names() -> tuple[str, ...]:
    """Names of the formats that can be read."""
    return tuple(known.name for known in _formats())


def find_format(name: str, *, file: str) -> ReportFormat:
    """Find a format by the name that a user gave it.

    Raises:
        ReportError: there is no such format.
    """
    for known in _formats():
        if known.name == name.strip().lower():
            return known
    raise ReportError(f"the format {name!r} is not known", file=file, hint=_known_formats())


def detect_format(head: bytes, *, file: str) -> ReportFormat:
    """Choose the format by the first bytes of a file (a few kilobytes will do).

    Raises:
        ReportError: the file is empty.
        UnknownFormat: no format takes it for its own.
    """
    if not head:
        raise ReportError("is empty", file=file)
    for known in _formats():
        if known.recognises(head):
            return known
    raise UnknownFormat("is in no format that can be read", file=file, hint=_known_formats())


def _formats() -> Iterator[ReportFormat]:
    for module in _MODULES:
        known = import_module(f"qadb.reports.{module}").FORMAT
        if not isinstance(known, ReportFormat):
            raise TypeError(f"qadb.reports.{module}.FORMAT is no ReportFormat")
        yield known


def _known_formats() -> str:
    return f"Known formats: {', '.join(format_names())}."

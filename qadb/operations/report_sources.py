"""The files that ``ingest`` was asked for: folders and globs expanded, stdin and pipes too.

Owns which files a name stands for. Opening and unpacking them is `qadb.operations.report_files`'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDIN = "-"
FOLDER_PATTERNS = ("*.xml", "*.xml.gz")


@dataclass(frozen=True, slots=True)
class ReportSource:
    """One report to read.

    Attributes:
        name: as the user would name it.
        path: None for stdin.
        was_named: the user named this file; False for one found in a folder, where other files may
            lie as well.
    """

    name: str
    path: Path | None
    was_named: bool


def find_sources(names: Sequence[str]) -> tuple[ReportSource, ...]:
    """Expand what the user named, in order; a folder's files sorted by name.

    A name that stands for nothing is kept: opening it says what is wrong. A file that is found and
    named counts as named.
    """
    sources: dict[str, ReportSource] = {}
    for name in names:
        for source in _expand(name):
            if source.was_named or source.name not in sources:
                sources[source.name] = source
    return tuple(sources.values())


def _expand(name: str) -> Iterator[ReportSource]:
    """A name; os.path answers no where pathlib raises: for what may not be looked at."""
    if name == STDIN:
        yield ReportSource("<stdin>", None, was_named=True)
        return
    found: list[Path] = []
    if os.path.isdir(name):  # noqa: PTH112 - see above; and an empty name is no folder for it
        found = _find_in_folder(Path(name))
    elif not os.path.lexists(name) and any(mark in name for mark in "*?["):
        found = _find_by_pattern(Path(name))
    if found:
        yield from (ReportSource(str(path), path, was_named=False) for path in found)
    else:
        yield ReportSource(name, Path(name), was_named=True)


def _find_in_folder(folder: Path) -> list[Path]:
    found = {path for pattern in FOLDER_PATTERNS for path in folder.rglob(pattern)}
    return sorted(path for path in found if path.is_file())


def _find_by_pattern(pattern: Path) -> list[Path]:
    anchor = Path(pattern.anchor) if pattern.anchor else Path()
    parts = pattern.parts[1:] if pattern.anchor else pattern.parts
    try:
        return sorted(path for path in anchor.glob(str(Path(*parts))) if path.is_file())
    except ValueError:  # "**" beside other characters: no pattern
        return []

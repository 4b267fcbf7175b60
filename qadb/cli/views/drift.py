"""Differences between a database's catalog and what its revisions make: a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Line, Table
from qadb.cli.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qadb.backends.catalog import Difference
    from qadb.operations.adopt import AdoptResult
    from qadb.revisions.drift import Drift

_LONGEST = 100
_CONTEXT = 20


def drift_document(drift: Drift) -> dict[str, object]:
    """Return the JSON value of a comparison."""
    return {
        "status": drift.status,
        "differences": [difference_document(each) for each in drift.differences],
        "reason": drift.reason,
    }


def difference_document(difference: Difference) -> dict[str, object]:
    """Return one difference, whole, and as a line."""
    return {
        "object": difference.object,
        "expected": difference.expected,
        "found": difference.found,
        "line": difference_line(difference),
    }


def drift_text(drift: Drift) -> Iterator[Block]:
    """Say how the catalog differs from what the revisions make."""
    if drift.status == "unknown":
        yield Line(f"Whether the schema drifted is unknown: {drift.reason}", "warn")
    elif not drift.differences:
        yield Line("The schema is what its revisions make.", "ok")
    else:
        yield from _differences(drift.differences)
        count = len(drift.differences)
        what = "1 object differs" if count == 1 else f"{count} objects differ"
        yield Line(f"The schema drifted: {what} from what its revisions make.", "crit")
        if drift.reason is not None:
            yield Line(f"There may be more: {drift.reason}", "warn")


def mismatch_document(adopted: AdoptResult) -> dict[str, object]:
    """Return init's JSON fields for a database that is like no revision."""
    return {
        "created": False,
        "from": None,
        "to": None,
        "applied": [],
        "dry_run": False,
        "adopted": False,
        "nearest": adopted.revision,
        "differences": [difference_document(each) for each in adopted.differences],
        "demo": None,
        "backup": None,
    }


def mismatch_text(adopted: AdoptResult, where: str) -> Iterator[Block]:
    """List what stands between a database and the revision that is nearest to it."""
    yield from _differences(adopted.differences)
    count = len(adopted.differences)
    what = "1 object" if count == 1 else f"{count} objects"
    yield Line(
        f"{where} was not taken over: it is nearest to revision {adopted.revision} and differs in"
        f" {what}. Nothing was changed.",
        "crit",
    )


def difference_line(difference: Difference) -> str:
    """Say in one line what was expected and what is there, around where they part."""
    expected, found = difference.expected, difference.found
    if expected is None:
        return f"{difference.object}: unexpected"
    if found is None:
        return f"{difference.object}: missing"
    ours, theirs = _excerpts(" ".join(expected.split()), " ".join(found.split()))
    return f"{difference.object}: expected {ours!r}, found {theirs!r}"


def _differences(differences: Sequence[Difference]) -> Iterator[Block]:
    rows = []
    for each in differences:
        expected, found = _cells(each)
        rows.append((each.object, expected, found))
    yield Table([Column("Object"), Column("Expected"), Column("Found")], rows)


def _cells(difference: Difference) -> tuple[str, str]:
    expected, found = (" ".join((x or "").split()) for x in (difference.expected, difference.found))
    if difference.expected is None:
        return "-", "unexpected"
    if difference.found is None:
        return shorten(expected, _LONGEST), "missing"
    return _excerpts(expected, found)


def _excerpts(expected: str, found: str) -> tuple[str, str]:
    """Cut two texts to where they part, with a little of what stands before."""
    alike = next(
        (at for at, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(found)),
    )
    if max(len(expected), len(found)) <= _LONGEST:
        return expected, found
    start = max(0, alike - _CONTEXT)
    mark = "…" if start else ""
    return shorten(mark + expected[start:], _LONGEST), shorten(mark + found[start:], _LONGEST)

"""`qadb ingest`: what became of each file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Line, Marked, Table
from qadb.humanize import format_count, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.cli.blocks import Severity
    from qadb.operations.ingest import IngestedFile, IngestResult

_SEVERITY: dict[str, Severity] = {
    "ingested": "ok",
    "replaced": "ok",
    "duplicate": "ok",
    "rejected": "crit",
}
_COUNTS = ("Tests", "Passed", "Failed", "Errors", "Skipped")


def ingest_document(result: IngestResult) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "files": [_file_document(file) for file in result.files],
        "passed_over": result.passed_over,
    }


def _file_document(file: IngestedFile) -> dict[str, object]:
    return {
        "file": file.file,
        "format": file.format,
        "status": file.status,
        "run_id": file.run_id,
        "run_key": file.run_key,
        "tests": file.totals,
        "rows": file.rows,
        "warnings": file.warnings,
        "error": file.error,
        "elapsed_seconds": round(file.elapsed_seconds, 6),
    }


def warnings(result: IngestResult) -> Iterator[str]:
    """What somebody should look at: a line a file, or a line for files that say the same."""
    files_by_doubts: dict[tuple[str, ...], list[str]] = {}
    for file in result.files:
        if file.warnings:
            files_by_doubts.setdefault(file.warnings, []).append(file.file)
    for doubts, (first, *others) in files_by_doubts.items():
        more = f" and {len(others)} more" if others else ""
        yield f"{first}{more}: {'; '.join(doubts)}."
    for name in result.passed_over:
        yield f"{name}: no report of a known format; passed over."


def rejections(result: IngestResult) -> Iterator[tuple[str, str | None]]:
    """Each rejected file with the reason, and a hint where there is one."""
    for file in result.files:
        if file.error is not None:
            yield f"{file.error.rstrip('.')}. Nothing of it was kept.", file.hint


def ingest_text(result: IngestResult, where: str) -> Iterator[Block]:
    """Return a line a file and a sum."""
    columns = [Column("File"), Column("Status"), Column("Run", "right")]
    columns += [Column(title, "right") for title in _COUNTS]
    yield Table(columns, [_row(file) for file in result.files], empty="No report was found.")
    rows = sum(file.rows for file in result.files)
    seconds = sum(file.elapsed_seconds for file in result.files)
    yield Line(
        f"{_counts(result)}: {format_count(rows)} results into {where} "
        f"in {format_duration(seconds)}.",
        "ok" if result.is_complete else "crit",
    )


def _counts(result: IngestResult) -> str:
    """How many files went which way, such as ``3 files ingested, 1 rejected``."""
    found = [file.status for file in result.files]
    counts = [(status, found.count(status)) for status in _SEVERITY if status in found]
    if not counts:
        return "0 files"
    (first, count), *others = counts
    noun = "file" if count == 1 else "files"
    return ", ".join([f"{count} {noun} {first}", *(f"{n} {status}" for status, n in others)])


def _row(file: IngestedFile) -> list[str | Marked]:
    totals = file.totals
    counts = (totals.total, totals.passed, totals.failed, totals.errors, totals.skipped)
    is_counted = file.status in ("ingested", "replaced")
    return [
        file.file,
        Marked(file.status, _SEVERITY[file.status]),
        "-" if file.run_id is None else str(file.run_id),
        *(format_count(count) if is_counted else "-" for count in counts),
    ]

"""One report into its run: claimed, emptied where it is replaced, filled, summed up.

Owns what happens in a file's one transaction and its repetition when two ingests collide. SQL is
the repositories' work, what the bytes mean the readers'.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from qadb.errors import ReportError, TransactionConflict
from qadb.operations.ingest_labels import storable
from qadb.operations.report_files import open_report
from qadb.progress import ProgressEvent
from qadb.reports.registry import detect_format, find_format
from qadb.repositories.figures.run_totals import Totals
from qadb.repositories.ingesting.result_loader import ResultLoader
from qadb.repositories.ingesting.runs import IngestRuns, ReportTime
from qadb.retries import backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.operations.ingest_labels import RunLabelling
    from qadb.operations.report_files import OpenReport
    from qadb.operations.report_sources import ReportSource
    from qadb.progress import Progress
    from qadb.reports.records import ReportSummary, ResultRecord
    from qadb.reports.registry import ReportReader
    from qadb.repositories.ingesting.runs import ClaimedRun, RunOfFile

CONFLICT_ATTEMPTS = 8
CONFLICT_PAUSE_SECONDS = 0.1
MS_PER_SECOND = 1000

NO_START = "states no readable start; the run is dated now"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that its run holds, since now or since before."""

    status: Literal["ingested", "duplicate", "replaced"]
    run_id: int
    run_key: str
    format: str | None = None
    totals: Totals = field(default_factory=Totals)
    rows: int = 0
    warnings: tuple[str, ...] = ()


class FileLoader:
    """Loads files, each in a transaction of its own.

    Args:
        replace: empty a run that is there already before the first of its files goes in.
        format_name: name of the reader; None recognises the format.
    """

    def __init__(
        self,
        database: Database,
        labelling: RunLabelling,
        *,
        replace: bool,
        format_name: str | None,
        progress: Progress,
    ) -> None:
        self._database = database
        self._labelling = labelling
        self._replace = replace
        self._format_name = format_name
        self._progress = progress
        self._emptied: set[int] = set()

    def load(self, source: ReportSource) -> Loaded:
        """Load a file, or find that it is there.

        Raises:
            ReportError: it can't be read; no row of it is kept.
            QadbError: the database failed; no row of it is kept.
        """

        def on_read(done: int, total: int) -> None:
            self._progress(ProgressEvent(PurePath(source.name).name, done, total, "bytes"))

        with open_report(source, on_read) as report:
            reader = self._open_reader(source, report)
            for attempt in range(1, CONFLICT_ATTEMPTS):
                try:
                    return self._load_once(source, report, reader)
                except TransactionConflict:
                    time.sleep(backoff_seconds(attempt, first=CONFLICT_PAUSE_SECONDS, longest=2.0))
                    reader = self._open_reader(source, report)
            return self._load_once(source, report, reader)

    def _open_reader(self, source: ReportSource, report: OpenReport) -> ReportReader:
        if self._format_name is not None:
            found = find_format(self._format_name, file=source.name)
        else:
            found = detect_format(report.head, file=source.name)
        return found.open_reader(source.name)

    def _load_once(self, source: ReportSource, report: OpenReport, reader: ReportReader) -> Loaded:
        records = _begin_reading(reader, report)
        with self._database.connect() as connection:
            backend, tenant = self._database.backend, self._labelling.tenant_id
            backend.context.set_context(connection, tenant=tenant, actor=None)
            runs = IngestRuns(connection, self._database.backend.bulk)
            run_key, holder = self._choose_run(runs, source, report)
            if holder is not None:
                return Loaded("duplicate", holder.run_id, run_key)
            run = runs.claim(self._labelling.labels(run_key))
            replaces = self._replace and run.has_files and run.id not in self._emptied
            if replaces:
                runs.empty(run.id)
                run = replace(run, has_files=False)
            elif runs.holds_file(run.id, report.sha256):
                return Loaded("duplicate", run.id, run_key)
            loader = self._result_loader(connection, run)
            loader.load(records)
            report.check_unchanged()
            content = _Content(reader.summary(), loader.rows)
            loader.touch_cases(content.time.started_at or datetime.now(UTC))
            runs.complete(run, content.totals, content.time)
            runs.add_file(self._file_row(run, source, report, content))
        self._emptied.add(run.id)
        return Loaded(
            status="replaced" if replaces else "ingested",
            run_id=run.id,
            run_key=run_key,
            format=content.summary.format,
            totals=content.totals,
            rows=content.rows,
            warnings=content.warnings,
        )

    def _choose_run(
        self, runs: IngestRuns, source: ReportSource, report: OpenReport
    ) -> tuple[str, RunOfFile | None]:
        """The key of the run to load into, and the run that holds the file already.

        Without a key of the user's, a file that the application holds is a duplicate wherever it
        is, and is replaced there; but not alone out of a run of several.
        """
        labelling = self._labelling
        if labelling.run_key is not None:
            return labelling.run_key, None
        holder = runs.find_file(labelling.tenant_id, labelling.application, report.sha256)
        if holder is None:
            return report.sha256, None
        if not self._replace:
            return holder.run_key, holder
        if holder.files > 1:
            raise ReportError(
                f"is one of {holder.files} files of run {holder.run_id}",
                file=source.name,
                hint=f"Replace them together, with --run-key {holder.run_key}",
            )
        return holder.run_key, None

    def _result_loader(self, connection: Connection, run: ClaimedRun) -> ResultLoader:
        return ResultLoader(
            connection,
            self._database.backend,
            tenant_id=self._labelling.tenant_id,
            application_id=run.application_id,
            application=self._labelling.application,
            run_id=run.id,
            run_has_results=run.has_files,
        )

    def _file_row(
        self, run: ClaimedRun, source: ReportSource, report: OpenReport, content: _Content
    ) -> dict[str, object]:
        return {
            "tenant_id": self._labelling.tenant_id,
            "run_id": run.id,
            "sha256": report.sha256,
            "file_name": storable(source.name),
            "bytes": report.size_bytes,
            "format": content.summary.format,
            "dialect": content.summary.dialect,
            "tool_version": content.summary.tool_version,
            "rows": content.rows,
            "declared": dict(content.summary.declared),
            "warnings": list(content.warnings),
        }


def _begin_reading(reader: ReportReader, report: OpenReport) -> Iterator[ResultRecord]:
    """Read up to the first record, so that a file of another kind never reaches the database."""
    records = reader.read(report.read_again())
    first = next(records, None)
    return records if first is None else chain((first,), records)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a report held, once it is read to its end."""

    summary: ReportSummary
    rows: int

    @property
    def totals(self) -> Totals:
        counted = self.summary.counted
        return Totals(
            total=counted["tests"],
            passed=counted["passed"],
            failed=counted["failures"],
            errors=counted["errors"],
            skipped=counted["skipped"],
        )

    @property
    def time(self) -> ReportTime:
        duration_ms = self.summary.duration_ms
        seconds = 0.0 if duration_ms is None else duration_ms / MS_PER_SECOND
        return ReportTime(self.summary.started_at, seconds)

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.summary.started_at is None:
            return (*self.summary.warnings, NO_START)
        return self.summary.warnings

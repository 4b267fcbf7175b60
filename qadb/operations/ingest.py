"""Load test reports: one file, one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from qadb.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseFailure,
    ReportError,
    TransactionConflict,
    UnknownFormat,
)
from qadb.operations.ci_environment import BuildFacts
from qadb.operations.report_sources import (
    OpenReport,
    ReportSource,
    open_report,
)
from qadb.progress import ProgressEvent, no_progress
from qadb.reports.registry import detect_format, find_format, format_names
from qadb.repositories.ingest_runs import ClaimedRun, IngestRuns, RunLabels, Totals
from qadb.repositories.result_loader import ResultLoader
from qadb.repositories.tenants import require_tenant
from qadb.revisions.state import require_current

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.progress import Progress
    from qadb.reports.records import ReportSummary
    from qadb.reports.registry import ReportReader

FileStatus = Literal["ingested", "duplicate", "replaced", "rejected"]

DEFAULT_TENANT = "default"
DEFAULT_APPLICATION = "default"
CONFLICT_ATTEMPTS = 5
MAX_LABEL_CHARS = {
    "--application": 100,
    "--environment": 255,
    "--run-key": 255,
    "--branch": 255,
    "--commit": 64,
}


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How reports are labelled; what is None is taken from the build or left open.

    Attributes:
        run_key: name of one run for all files; None makes a run of each file, named by its SHA-256.
        replace: a run that is there already is emptied first.
        format: name of the reader; None recognises the format.
    """

    tenant: str = DEFAULT_TENANT
    application: str = DEFAULT_APPLICATION
    environment: str | None = None
    run_key: str | None = None
    branch: str | None = None
    commit_sha: str | None = None
    replace: bool = False
    format: str | None = None
    build: BuildFacts = field(default_factory=BuildFacts)


@dataclass(frozen=True, slots=True)
class IngestedFile:
    """What became of one file.

    Attributes:
        run_id: the run that holds it; None when it was rejected.
        totals: final verdicts in the file.
        rows: result rows written, earlier attempts included; 0 for a duplicate.
        error: why it was rejected.
    """

    file: str
    format: str | None
    status: FileStatus
    run_id: int | None
    run_key: str | None
    totals: Totals
    rows: int
    warnings: tuple[str, ...]
    error: str | None
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of every file, in order.

    Attributes:
        passed_over: files found in a folder that are no report.
    """

    files: tuple[IngestedFile, ...]
    passed_over: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """No file was rejected."""
        return all(file.status != "rejected" for file in self.files)


def ingest(
    database: Database,
    sources: Sequence[ReportSource],
    options: IngestOptions,
    *,
    progress: Progress = no_progress,
    on_file: Callable[[IngestedFile], None] = lambda _file: None,
) -> IngestResult:
    """Load each file in a transaction of its own; a bad file leaves no row and stops no other.

    Raises:
        EmptyDatabase, UnmanagedDatabase, RevisionMismatch: the database is not at head.
        QadbError: the database failed; files before that are loaded, and known when met again.
    """
    _check_options(options)
    with database.connect(read_only=True) as connection:
        require_current(database, connection)
        require_tenant(connection, options.tenant)
    job = _Job(database, options, progress)
    files: list[IngestedFile] = []
    passed_over: list[str] = []
    for source in sources:
        try:
            file = job.load(source)
        except _NoReport:
            passed_over.append(source.name)
            continue
        files.append(file)
        on_file(file)
    return IngestResult(tuple(files), tuple(passed_over))


def _check_options(options: IngestOptions) -> None:
    given = {
        "--application": options.application,
        "--environment": options.environment,
        "--run-key": options.run_key,
        "--branch": options.branch,
        "--commit": options.commit_sha,
    }
    for option, value in given.items():
        if value is not None and not 0 < len(value) <= MAX_LABEL_CHARS[option]:
            raise ConfigurationError(
                f"{option} takes 1 to {MAX_LABEL_CHARS[option]} characters, not {len(value)}."
            )
    name = options.format
    if name is not None and name.strip().lower() not in format_names():
        raise ConfigurationError(
            f"The format {name!r} in --format is not known.",
            hint=f"Known formats: {', '.join(format_names())}.",
        )


def _open_reader(name: str | None, source: ReportSource, report: OpenReport) -> ReportReader:
    if name is not None:
        return find_format(name, file=source.name).open_reader(source.name)
    return detect_format(report.head, file=source.name).open_reader(source.name)


class _NoReport(Exception):
    """A file found in a folder is no report of any known format."""


class _Job:
    def __init__(self, database: Database, options: IngestOptions, progress: Progress) -> None:
        self._database = database
        self._options = options
        self._progress = progress
        self._emptied: set[int] = set()

    def load(self, source: ReportSource) -> IngestedFile:
        started = time.monotonic()
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                return self._load_once(source, started)
            except ReportError as error:
                if isinstance(error, UnknownFormat) and not source.was_named:
                    raise _NoReport from error
                return _rejected(source, error.message, started)
            except TransactionConflict as error:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    return _rejected(source, error.message, started)
            except (ConflictError, DatabaseFailure) as error:
                return _rejected(source, f"{source.name}: {error.message}", started)
        raise AssertionError("the last attempt returns")

    def _load_once(self, source: ReportSource, started: float) -> IngestedFile:
        def on_read(done: int, total: int) -> None:
            self._progress(ProgressEvent(PurePath(source.name).name, done, total, "bytes"))

        with (
            open_report(source, on_read) as report,
            self._database.connect() as connection,
        ):
            runs = IngestRuns(connection, self._database.backend.bulk)
            known = self._find_known(runs, report)
            if known is not None:
                return _duplicate(source, known, started)
            labels = _label(self._options, report)
            run = runs.claim(labels)
            replaces = self._options.replace and run.has_files and run.id not in self._emptied
            if replaces:
                runs.empty(run.id)
                run = replace(run, has_files=False)
            elif runs.holds_file(run.id, report.sha256):
                return _duplicate(source, (run.id, labels.run_key), started)
            loaded = self._load_into(connection, runs, run, source, report)
        self._emptied.add(run.id)
        return IngestedFile(
            file=source.name,
            format=loaded.summary.format,
            status="replaced" if replaces else "ingested",
            run_id=run.id,
            run_key=labels.run_key,
            totals=loaded.totals,
            rows=loaded.rows,
            warnings=loaded.warnings,
            error=None,
            elapsed_seconds=time.monotonic() - started,
        )

    def _find_known(self, runs: IngestRuns, report: OpenReport) -> tuple[int, str] | None:
        """Without a key of the user's, a file that the application holds is a duplicate."""
        if self._options.replace or self._options.run_key is not None:
            return None
        return runs.find_file(self._options.tenant, self._options.application, report.sha256)

    def _load_into(
        self,
        connection: Connection,
        runs: IngestRuns,
        run: ClaimedRun,
        source: ReportSource,
        report: OpenReport,
    ) -> _Loaded:
        options = self._options
        reader = _open_reader(options.format, source, report)
        loader = ResultLoader(
            connection,
            self._database.backend.bulk,
            tenant_id=options.tenant,
            application_id=run.application_id,
            application=options.application,
            run_id=run.id,
            run_has_results=run.has_files,
        )
        loader.load(reader.read(report.stream))
        loaded = _sum_up(reader.summary(), loader.rows)
        runs.complete(
            run,
            loaded.totals,
            started_at=loaded.started_at,
            duration_seconds=loaded.duration_seconds,
        )
        loader.touch_cases(loaded.started_at)
        runs.add_file(_file_row(options.tenant, run, source, report, loaded))
        return loaded


@dataclass(frozen=True, slots=True)
class _Loaded:
    summary: ReportSummary
    totals: Totals
    rows: int
    started_at: datetime
    duration_seconds: float | None
    warnings: tuple[str, ...]


def _label(options: IngestOptions, report: OpenReport) -> RunLabels:
    build = options.build
    return RunLabels(
        tenant_id=options.tenant,
        application=options.application,
        run_key=options.run_key or report.sha256,
        environment=options.environment,
        branch=options.branch or build.branch,
        commit_sha=options.commit_sha or build.commit_sha,
        build_url=build.build_url,
        trigger_type=build.trigger,
    )


def _sum_up(summary: ReportSummary, rows: int) -> _Loaded:
    counted = summary.counted
    warnings = summary.warnings
    started_at = summary.started_at
    if started_at is None:
        started_at = datetime.now(UTC)
        warnings += ("states no readable start; the run is dated now",)
    totals = Totals(
        total=counted["tests"],
        passed=counted["passed"],
        failed=counted["failures"],
        errors=counted["errors"],
        skipped=counted["skipped"],
    )
    seconds = None if summary.duration_ms is None else summary.duration_ms / 1000
    return _Loaded(summary, totals, rows, started_at, seconds, warnings)


def _file_row(
    tenant: str, run: ClaimedRun, source: ReportSource, report: OpenReport, loaded: _Loaded
) -> dict[str, object]:
    return {
        "tenant_id": tenant,
        "run_id": run.id,
        "sha256": report.sha256,
        "file_name": source.name,
        "bytes": report.bytes,
        "format": loaded.summary.format,
        "dialect": loaded.summary.dialect,
        "tool_version": loaded.summary.tool_version,
        "rows": loaded.rows,
        "declared": dict(loaded.summary.declared),
        "warnings": list(loaded.warnings),
    }


def _duplicate(source: ReportSource, run: tuple[int, str], started: float) -> IngestedFile:
    return _nothing_loaded(source, "duplicate", started, run=run)


def _rejected(source: ReportSource, reason: str, started: float) -> IngestedFile:
    return _nothing_loaded(source, "rejected", started, error=reason)


def _nothing_loaded(
    source: ReportSource,
    status: FileStatus,
    started: float,
    *,
    run: tuple[int, str] | None = None,
    error: str | None = None,
) -> IngestedFile:
    return IngestedFile(
        file=source.name,
        format=None,
        status=status,
        run_id=run[0] if run else None,
        run_key=run[1] if run else None,
        totals=Totals(),
        rows=0,
        warnings=(),
        error=error,
        elapsed_seconds=time.monotonic() - started,
    )

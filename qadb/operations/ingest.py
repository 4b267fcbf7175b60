"""Load test reports: options in, what became of each file out.

Owns the order of files and what one file's failure means for the others. The loading of one is
`qadb.operations.ingest_file`'s.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from qadb.errors import (
    ConfigurationError,
    ConflictError,
    DatabaseFailure,
    QadbError,
    ReportError,
    TransactionConflict,
    UnknownFormat,
)
from qadb.operations.ci_environment import BuildFacts
from qadb.operations.ingest_file import FileLoader, Loaded
from qadb.operations.ingest_labels import LONGEST_LABELS, RunLabelling
from qadb.progress import no_progress
from qadb.reports.registry import format_names
from qadb.repositories.figures.run_totals import Totals
from qadb.repositories.tenants import require_tenant
from qadb.revisions.state import require_current

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qadb.database import Database
    from qadb.operations.report_sources import ReportSource
    from qadb.progress import Progress

FileStatus = Literal["ingested", "duplicate", "replaced", "rejected"]

DEFAULT_TENANT = "default"
DEFAULT_APPLICATION = "default"

# What is wrong with one file, or with the database because of it; anything else ends the ingest.
_FAULTS_OF_A_FILE = (ReportError, TransactionConflict, ConflictError, DatabaseFailure)


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
        hint: what to do about that, if there is anything to say.
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
    hint: str | None
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
        """There was a report, and none was rejected."""
        return bool(self.files) and all(file.status != "rejected" for file in self.files)


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
        database.backend.context.set_context(connection, tenant=options.tenant, actor=None)
        require_tenant(connection, options.tenant)
    loader = _file_loader(database, options, progress)
    files: list[IngestedFile] = []
    passed_over: list[str] = []
    for source in sources:
        file = _ingest_file(loader, source)
        if file is None:
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
        limit = LONGEST_LABELS[option]
        if value is not None and not 0 < len(value) <= limit:
            raise ConfigurationError(f"{option} takes 1 to {limit} characters, not {len(value)}.")
    name = options.format
    if name is not None and name.strip().lower() not in format_names():
        raise ConfigurationError(
            f"The format {name!r} in --format is not known.",
            hint=f"Known formats: {', '.join(format_names())}.",
        )


def _file_loader(database: Database, options: IngestOptions, progress: Progress) -> FileLoader:
    labelling = RunLabelling(
        tenant_id=options.tenant,
        application=options.application,
        environment=options.environment,
        run_key=options.run_key,
        branch=options.branch,
        commit_sha=options.commit_sha,
        build=options.build,
    )
    return FileLoader(
        database, labelling, replace=options.replace, format_name=options.format, progress=progress
    )


def _ingest_file(loader: FileLoader, source: ReportSource) -> IngestedFile | None:
    """Load a file; None for one that was found in a folder and is no report."""
    started = time.monotonic()
    try:
        return _loaded(source, loader.load(source), time.monotonic() - started)
    except _FAULTS_OF_A_FILE as error:
        if isinstance(error, UnknownFormat) and not source.was_named:
            return None
        return _rejected(source, error, time.monotonic() - started)


def _loaded(source: ReportSource, loaded: Loaded, elapsed_seconds: float) -> IngestedFile:
    return IngestedFile(
        file=source.name,
        format=loaded.format,
        status=loaded.status,
        run_id=loaded.run_id,
        run_key=loaded.run_key,
        totals=loaded.totals,
        rows=loaded.rows,
        warnings=loaded.warnings,
        error=None,
        hint=None,
        elapsed_seconds=elapsed_seconds,
    )


def _rejected(source: ReportSource, error: QadbError, elapsed_seconds: float) -> IngestedFile:
    names_file = isinstance(error, ReportError)
    return IngestedFile(
        file=source.name,
        format=None,
        status="rejected",
        run_id=None,
        run_key=None,
        totals=Totals(),
        rows=0,
        warnings=(),
        error=error.message if names_file else f"{source.name}: {error.message}",
        hint=error.hint,
        elapsed_seconds=elapsed_seconds,
    )

"""The runs that reports are loaded into: found or made, labelled, summed up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from qadb.models import Application, Environment, IngestFile, TestResult, TestRun
from qadb.repositories.figures.run_totals import Totals
from qadb.repositories.generic.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table

    from qadb.backends.base import BulkWriter

RUNS = table_of(TestRun)
FILES = table_of(IngestFile)
OF_RUN = FILES.alias()
RESULTS = table_of(TestResult)

# What the column for it holds, some thirty years: files of one run can be dated that far apart.
LONGEST_RUN_SECONDS = 999_999_999


@dataclass(frozen=True, slots=True)
class RunLabels:
    """What a run is called and what it tested."""

    tenant_id: str
    application: str
    run_key: str
    environment: str | None = None
    branch: str | None = None
    commit_sha: str | None = None
    build_url: str | None = None
    trigger_type: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that this transaction holds locked.

    Attributes:
        has_files: reports were loaded into it before.
    """

    id: int
    application_id: int
    has_files: bool


@dataclass(frozen=True, slots=True)
class RunOfFile:
    """A run that holds a file that is met again.

    Attributes:
        files: how many files the run holds.
    """

    run_id: int
    run_key: str
    files: int


@dataclass(frozen=True, slots=True)
class ReportTime:
    """When a report's tests ran.

    Attributes:
        started_at: aware; None when the report does not say.
        duration_seconds: 0 when the report does not say.
    """

    started_at: datetime | None
    duration_seconds: float


class IngestRuns:
    """Runs and their files, in the caller's transaction."""

    def __init__(self, connection: Connection, bulk: BulkWriter) -> None:
        self._connection = connection
        self._bulk = bulk

    def find_file(self, tenant_id: str, application: str, sha256: str) -> RunOfFile | None:
        """The run of this application that holds the file already, the oldest if several do."""
        applications = table_of(Application)
        files_of_run = select(func.count()).where(FILES.c.run_id == RUNS.c.id).scalar_subquery()
        query = (
            select(RUNS.c.id, RUNS.c.run_key, files_of_run)
            .join(OF_RUN, OF_RUN.c.run_id == RUNS.c.id)
            .join(applications, applications.c.id == RUNS.c.application_id)
            .where(
                OF_RUN.c.tenant_id == tenant_id,
                OF_RUN.c.sha256 == sha256,
                applications.c.code == application,
                applications.c.deleted_at.is_(None),
            )
            .order_by(RUNS.c.id)
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else RunOfFile(*row)

    def claim(self, labels: RunLabels) -> ClaimedRun:
        """Find or make the run and lock it against other ingests until the transaction ends."""
        application_id = self._ensure(
            table_of(Application), labels.tenant_id, {"code": labels.application},
            {"name": labels.application},
        )  # fmt: skip
        known: dict[str, object] = {
            "branch": labels.branch,
            "commit_sha": labels.commit_sha,
            "build_url": labels.build_url,
            "trigger_type": labels.trigger_type,
        }
        if labels.environment is not None:
            known["environment_id"] = self._ensure_environment(labels)
        stated = {name: value for name, value in known.items() if value is not None}
        key = {
            "tenant_id": labels.tenant_id,
            "application_id": application_id,
            "run_key": labels.run_key,
        }
        row = {**key, "status": "running", "started_at": datetime.now(UTC), **stated}
        run = select(RUNS.c.id).where(*(RUNS.c[name] == value for name, value in key.items()))
        if self._connection.execute(run).first() is None:
            self._bulk.insert_missing(self._connection, RUNS, list(row), [list(row.values())])
        run_id = self._connection.execute(run.with_for_update()).scalar_one()
        if stated:
            self._connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(**stated))
        files = select(FILES.c.id).where(FILES.c.run_id == run_id).limit(1)
        has_files = self._connection.execute(files).first() is not None
        return ClaimedRun(run_id, application_id, has_files)

    def holds_file(self, run_id: int, sha256: str) -> bool:
        """Tell whether the run holds the file already."""
        query = select(FILES.c.id).where(FILES.c.run_id == run_id, FILES.c.sha256 == sha256)
        return self._connection.execute(query).first() is not None

    def empty(self, run_id: int) -> None:
        """Take everything out that reports brought; the run itself and its labels stay."""
        self._connection.execute(delete(RESULTS).where(RESULTS.c.run_id == run_id))
        self._connection.execute(delete(FILES).where(FILES.c.run_id == run_id))
        zeros = asdict(Totals())
        self._connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(**zeros))

    def add_file(self, values: Mapping[str, object]) -> None:
        """Record which report was loaded."""
        self._connection.execute(insert(FILES).values(**values))

    def complete(self, run: ClaimedRun, totals: Totals, time: ReportTime) -> None:
        """Add a report's totals to the run and widen its time to the report's."""
        row = self._connection.execute(select(RUNS).where(RUNS.c.id == run.id)).one()
        before = Totals(row.total, row.passed, row.failed, row.errors, row.skipped)
        summed = before.plus(totals)
        started_at, ended_at = _widened(
            (row.started_at, row.ended_at) if run.has_files else None, time
        )
        seconds = round((ended_at - started_at).total_seconds(), 3)
        values: dict[str, object] = {
            "status": "completed",
            "result": summed.result,
            "started_at": started_at,
            "ended_at": ended_at,
            "duration_seconds": seconds if seconds <= LONGEST_RUN_SECONDS else None,
            **asdict(summed),
        }
        self._connection.execute(update(RUNS).where(RUNS.c.id == run.id).values(**values))

    def _ensure_environment(self, labels: RunLabels) -> int:
        return self._ensure(
            table_of(Environment), labels.tenant_id, {"name": labels.environment}, {"kind": "ci"}
        )

    def _ensure(
        self,
        table: Table,
        tenant_id: str,
        key: Mapping[str, object],
        values: Mapping[str, object],
    ) -> int:
        """The id of the row with this key; made or revived where it is missing."""
        row = {"tenant_id": tenant_id, **key, **values}
        matches = [table.c.tenant_id == tenant_id, *(table.c[k] == v for k, v in key.items())]
        live = select(table.c.id).where(*matches, table.c.deleted_at.is_(None))
        found = self._connection.execute(live).scalar()
        if found is not None:
            return int(found)
        dead = select(table.c.id).where(*matches).order_by(table.c.id.desc()).limit(1)
        revived = self._connection.execute(dead).scalar()
        if revived is not None:
            revive = update(table).where(table.c.id == revived).values(deleted_at=None)
            self._connection.execute(revive)
            return int(revived)
        self._bulk.insert_missing(self._connection, table, list(row), [list(row.values())])
        return int(self._connection.execute(live).scalar_one())


def _widened(
    run: tuple[datetime, datetime | None] | None, time: ReportTime
) -> tuple[datetime, datetime]:
    """Beginning and end with one more report; one that states no start began with the run."""
    began_at, over_at = run or (None, None)
    started_at = time.started_at or began_at or datetime.now(UTC)
    ended_at = started_at + timedelta(seconds=time.duration_seconds)
    if began_at is None:
        return started_at, ended_at
    return min(began_at, started_at), max(over_at or ended_at, ended_at)

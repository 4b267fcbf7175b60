"""Results into a run by the engine's bulk path, a bounded batch at a time.

Whatever the size of a report, one batch of it is in memory: test cases are looked up and made by
batch, and how often a case occurred before is asked of the database.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from qadb.models import TestCase, TestResult
from qadb.repositories.case_keys import make_case_key
from qadb.repositories.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from qadb.backends.base import BulkWriter
    from qadb.reports.records import Attempt, ResultRecord

BATCH_RECORDS = 5_000
BATCH_CHARS = 4_000_000
MAX_ERROR_TYPE_CHARS = 255

# Moving it for every run would rewrite every case for every run; nobody asks to the minute.
LAST_SEEN_RESOLUTION = timedelta(hours=1)

CASES = table_of(TestCase)
RESULTS = table_of(TestResult)

CASE_COLUMNS = (
    "tenant_id",
    "application_id",
    "case_key",
    "name",
    "suite",
    "classname",
    "file",
    "first_seen_at",
    "last_seen_at",
)
RESULT_COLUMNS = (
    "run_id",
    "test_case_id",
    "occurrence",
    "attempt",
    "tenant_id",
    "is_final",
    "status",
    "duration_ms",
    "error_type",
    "message",
    "stack_trace",
    "is_truncated",
    "signature",
    "executed_at",
)


class ResultLoader:
    """Loads records into one run; the caller's transaction keeps or drops them as a whole.

    Args:
        run_id: the run, which the caller holds locked.
        run_has_results: the run held results before this file.

    Attributes:
        rows: rows written so far, earlier attempts included.
    """

    def __init__(
        self,
        connection: Connection,
        bulk: BulkWriter,
        *,
        tenant_id: str,
        application_id: int,
        application: str,
        run_id: int,
        run_has_results: bool,
    ) -> None:
        self._connection = connection
        self._bulk = bulk
        self._tenant_id = tenant_id
        self._application_id = application_id
        self._application = application
        self._run_id = run_id
        self._run_has_results = run_has_results
        self._has_deleted_cases: bool | None = None
        self._seen_at = datetime.now(UTC)
        self.rows = 0

    def load(self, records: Iterable[ResultRecord]) -> None:
        """Write all records; reads them lazily."""
        batch: list[ResultRecord] = []
        chars = 0
        for record in records:
            batch.append(record)
            chars += _size_chars(record)
            if len(batch) >= BATCH_RECORDS or chars >= BATCH_CHARS:
                self._write(batch)
                batch, chars = [], 0
        if batch:
            self._write(batch)

    def touch_cases(self, seen_at: datetime) -> None:
        """Move ``last_seen_at`` of the run's cases forward, where it is an hour behind."""
        cases_of_run = select(RESULTS.c.test_case_id).where(RESULTS.c.run_id == self._run_id)
        self._connection.execute(
            update(CASES)
            .where(
                CASES.c.id.in_(cases_of_run), CASES.c.last_seen_at < seen_at - LAST_SEEN_RESOLUTION
            )
            .values(last_seen_at=seen_at)
        )

    def _write(self, batch: Sequence[ResultRecord]) -> None:
        keys = [make_case_key(self._application, r.suite, r.classname, r.name) for r in batch]
        by_key = dict(zip(keys, batch, strict=True))
        ids = self._find_cases(by_key)
        known_before = list(ids.values())
        missing = [key for key in by_key if key not in ids]
        if missing:
            ids |= self._make_cases(missing, by_key)
        occurrences = self._count_occurrences(known_before)
        rows = self._rows(zip(keys, batch, strict=True), ids, occurrences)
        self.rows += self._bulk.insert(self._connection, RESULTS, RESULT_COLUMNS, rows)
        self._run_has_results = True

    def _find_cases(self, keys: Iterable[str]) -> dict[str, int]:
        query = select(CASES.c.case_key, CASES.c.id).where(
            CASES.c.tenant_id == self._tenant_id,
            CASES.c.deleted_at.is_(None),
            CASES.c.case_key.in_(list(keys)),
        )
        return dict(self._connection.execute(query).tuples().all())

    def _make_cases(
        self, missing: Sequence[str], by_key: dict[str, ResultRecord]
    ) -> dict[str, int]:
        self._revive(missing)
        rows = (
            (
                self._tenant_id,
                self._application_id,
                key,
                record.name,
                record.suite,
                record.classname,
                record.file,
                record.executed_at or self._seen_at,
                record.executed_at or self._seen_at,
            )
            # In key order, so that two ingests wait for each other instead of dead-locking.
            for key, record in ((key, by_key[key]) for key in sorted(missing))
        )
        self._bulk.insert_missing(self._connection, CASES, CASE_COLUMNS, rows)
        return self._find_cases(missing)

    def _revive(self, keys: Sequence[str]) -> None:
        """Bring back soft-deleted cases that a report names again, the newest of each key."""
        is_deleted = (CASES.c.tenant_id == self._tenant_id) & CASES.c.deleted_at.is_not(None)
        if self._has_deleted_cases is None:
            found = self._connection.execute(select(CASES.c.id).where(is_deleted).limit(1)).first()
            self._has_deleted_cases = found is not None
        if not self._has_deleted_cases:
            return
        newest = select(func.max(CASES.c.id)).where(is_deleted, CASES.c.case_key.in_(keys))
        self._connection.execute(
            update(CASES)
            .where(CASES.c.id.in_(newest.group_by(CASES.c.case_key)))
            .values(deleted_at=None)
        )

    def _count_occurrences(self, case_ids: Sequence[int]) -> Counter[int]:
        """How often each case stands in the run already."""
        if not self._run_has_results or not case_ids:
            return Counter()
        query = (
            select(RESULTS.c.test_case_id, func.max(RESULTS.c.occurrence))
            .where(RESULTS.c.run_id == self._run_id, RESULTS.c.test_case_id.in_(case_ids))
            .group_by(RESULTS.c.test_case_id)
        )
        return Counter(dict(self._connection.execute(query).tuples().all()))

    def _rows(
        self,
        keyed: Iterable[tuple[str, ResultRecord]],
        ids: dict[str, int],
        occurrences: Counter[int],
    ) -> Iterable[Sequence[object]]:
        run_id, tenant_id = self._run_id, self._tenant_id
        for key, record in keyed:
            case_id = ids[key]
            occurrence = occurrences[case_id] + 1
            occurrences[case_id] = occurrence
            attempt = 1
            for attempt, earlier in enumerate(record.prior_attempts, start=1):
                yield (run_id, case_id, occurrence, attempt, tenant_id, False, *_outcome(earlier))
            if record.prior_attempts:
                attempt += 1
            yield (run_id, case_id, occurrence, attempt, tenant_id, True, *_outcome(record))


def _outcome(verdict: ResultRecord | Attempt) -> tuple[object, ...]:
    return (
        verdict.status,
        verdict.duration_ms,
        verdict.error_type and verdict.error_type[:MAX_ERROR_TYPE_CHARS],
        verdict.message,
        verdict.stack_trace,
        verdict.is_truncated,
        verdict.signature,
        verdict.executed_at,
    )


def _size_chars(record: ResultRecord) -> int:
    chars = len(record.name) + len(record.message or "") + len(record.stack_trace or "")
    for attempt in record.prior_attempts:
        chars += len(attempt.message or "") + len(attempt.stack_trace or "")
    return chars

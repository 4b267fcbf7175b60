"""Results into a run by the engine's bulk path, a bounded batch at a time.

Whatever the size of a report, one batch of it is in memory: test cases are looked up and made by
batch, and how often a case occurred before is asked of the database, where it may have occurred.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, literal, or_, select, update

from qadb.models import Application, TestCase, TestResult
from qadb.repositories.generic.tables import table_of
from qadb.repositories.ingesting.case_keys import make_case_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from qadb.backends.base import Backend
    from qadb.reports.records import Attempt, ResultRecord

BATCH_RECORDS = 5_000
BATCH_CHARS = 4_000_000
MAX_ERROR_TYPE_CHARS = 255
_SLOTS = 1 << 20

# Moving it for every run would rewrite every case for every run; nobody asks to the hour.
LAST_SEEN_RESOLUTION = timedelta(days=1)

APPLICATIONS = table_of(Application)
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
        backend: Backend,
        *,
        tenant_id: str,
        application_id: int,
        application: str,
        run_id: int,
        run_has_results: bool,
    ) -> None:
        self._connection = connection
        self._backend = backend
        self._tenant_id = tenant_id
        self._application_id = application_id
        self._application = application
        self._run_id = run_id
        self._may_occur = _MaybeSeen(all_were=run_has_results)
        self._has_deleted_cases: bool | None = None
        self._met_known_cases = False
        self._is_alone = False
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
        """Widen the time in which the run's cases were seen, where it is a day short.

        Cases that another ingest is touching now are left to it: waiting could be for each other.
        """
        if not self._met_known_cases:
            return
        first, last = CASES.c.first_seen_at, CASES.c.last_seen_at
        now = literal(seen_at, last.type)
        is_short = or_(
            last < seen_at - LAST_SEEN_RESOLUTION,
            first > seen_at + LAST_SEEN_RESOLUTION,
            last.is_(None),
        )
        cases_of_run = select(RESULTS.c.test_case_id).where(RESULTS.c.run_id == self._run_id)
        free = (
            select(CASES.c.id)
            .where(CASES.c.id.in_(cases_of_run), is_short)
            .with_for_update(key_share=True, skip_locked=True)
        )
        self._connection.execute(
            update(CASES)
            .where(CASES.c.id.in_(free))
            .values(
                first_seen_at=case((first < now, first), else_=now),
                last_seen_at=case((last > now, last), else_=now),
            )
        )

    def _write(self, batch: Sequence[ResultRecord]) -> None:
        keys = [make_case_key(self._application, r.suite, r.classname, r.name) for r in batch]
        by_key = dict(zip(keys, batch, strict=True))
        ids = self._find_cases(by_key)
        self._met_known_cases = self._met_known_cases or bool(ids)
        occurrences = self._count_occurrences(self._may_occur.among(ids.values()))
        missing = [key for key in by_key if key not in ids]
        if missing:
            ids |= self._make_cases(missing, by_key)
        self._may_occur.add(ids.values())
        rows = self._rows(zip(keys, batch, strict=True), ids, occurrences)
        self.rows += self._backend.bulk.insert(self._connection, RESULTS, RESULT_COLUMNS, rows)

    def _find_cases(self, keys: Iterable[str]) -> dict[str, int]:
        is_live = (CASES.c.tenant_id == self._tenant_id) & CASES.c.deleted_at.is_(None)
        return self._backend.keys.find_ids(
            self._connection, CASES, CASES.c.case_key.name, keys, is_live
        )

    def _make_cases(
        self, missing: Sequence[str], by_key: dict[str, ResultRecord]
    ) -> dict[str, int]:
        made: dict[str, int] = {}
        if not self._is_alone:
            self._exclude_others()
            made = self._find_cases(missing)
            missing = [key for key in missing if key not in made]
        self._revive(missing)
        rows = (self._case_row(key, by_key[key]) for key in missing)
        self._backend.bulk.insert_missing(self._connection, CASES, CASE_COLUMNS, rows)
        return made | self._find_cases(missing)

    def _exclude_others(self) -> None:
        """Make one ingest at a time make cases of an application.

        Two that make the same ones in another order would wait for each other. On SQLite a writer
        is alone anyhow. The lock leaves readers and those alone who only load results.
        """
        application = select(APPLICATIONS.c.id).where(APPLICATIONS.c.id == self._application_id)
        self._connection.execute(application.with_for_update(key_share=True))
        self._is_alone = True

    def _case_row(self, key: str, record: ResultRecord) -> Sequence[object]:
        seen_at = record.executed_at or self._seen_at
        return (
            self._tenant_id,
            self._application_id,
            key,
            record.name,
            record.suite,
            record.classname,
            record.file,
            seen_at,
            seen_at,
        )

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
        if not case_ids:
            return Counter()
        query = (
            select(RESULTS.c.test_case_id, func.max(RESULTS.c.occurrence))
            .where(RESULTS.c.run_id == self._run_id, RESULTS.c.test_case_id.in_(case_ids))
            .group_by(RESULTS.c.test_case_id)
        )
        return Counter(dict(self._connection.execute(query).all()))

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


class _MaybeSeen:
    """Tells which ids were certainly never added, in a megabyte however many there are."""

    def __init__(self, *, all_were: bool) -> None:
        self._all_were = all_were
        self._slots = bytearray(_SLOTS)

    def add(self, ids: Iterable[int]) -> None:
        """Remember ids; others of the same slot count as added too."""
        slots = self._slots
        for number in ids:
            slots[number % _SLOTS] = 1

    def among(self, ids: Iterable[int]) -> list[int]:
        """The ids that may have been added."""
        slots = self._slots
        return [number for number in ids if self._all_were or slots[number % _SLOTS]]


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

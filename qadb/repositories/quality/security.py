"""Weaknesses in the code: what scans report, what they no longer do, what is open."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from qadb.errors import RowNotFound
from qadb.models import Application, CodeAnalysis, SecurityIssue
from qadb.models.quality import ISSUE_SEVERITIES
from qadb.models.types import require_aware
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.locks import lock_owner
from qadb.repositories.generic.periods import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement

OPEN_STATUSES = ("open", "triaged")
BATCH_ROWS = 1000

_KEY = ("tenant_id", "application_id", "tool", "fingerprint", "occurrence")
_REPORTED = ("rule_id", "severity", "cwe", "cve", "file", "line", "message", "last_seen_at")


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness as a scan reports it.

    Attributes:
        fingerprint: what the tool knows it by from scan to scan.
    """

    fingerprint: str
    severity: str = "medium"
    rule_id: str | None = None
    cwe: str | None = None
    cve: str | None = None
    file: str | None = None
    line: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What a scan changed.

    Attributes:
        seen_at: the moment of the scan; what it reported was last seen then.
        reported: findings in the scan.
        new: those never seen before.
        reopened: those that had been fixed.
        closed: ids of the issues that it no longer reports, now fixed.
    """

    seen_at: datetime
    reported: int
    new: int
    reopened: int
    closed: tuple[int, ...]


class SecurityRepository(Repository[SecurityIssue]):
    """Security issues, known by application, tool, fingerprint and occurrence."""

    model = SecurityIssue

    def open_by_severity(self, application: Application | int | None = None) -> dict[str, int]:
        """Count what is open or triaged, of one application or of all.

        Returns:
            Every severity with its count, 0 included, critical first.
        """
        query = (
            select(SecurityIssue.severity, func.count())
            .where(SecurityIssue.status.in_(OPEN_STATUSES))
            .group_by(SecurityIssue.severity)
        )
        if application is not None:
            query = query.where(SecurityIssue.application_id == id_of(application))
        counts = {row[0]: row[1] for row in self.session.execute(query)}
        return {severity: counts.get(severity, 0) for severity in reversed(ISSUE_SEVERITIES)}

    def record_scan(
        self,
        application: Application | int,
        tool: str,
        findings: Iterable[Finding],
        *,
        code_analysis: CodeAnalysis | int | None = None,
        now: datetime | None = None,
    ) -> ScanOutcome:
        """Take over a whole scan: enter what is new, bring back what is there, close the rest.

        Issues take over what the scan says of them. Fixed ones that come back are open again;
        false positives and triaged ones stay what they are. Equal fingerprints are numbered in the
        order of the scan. Scans of one application wait for each other and count in the order in
        which they are recorded. Issues of no application are left alone.

        Args:
            application: what was scanned.
            tool: with what; other tools' issues stay as they are.
            findings: all that the scan reports; read once, in batches.
            code_analysis: where they are from; issues keep what they have when it is left out.
            now: the moment of the scan, aware; the present by default. It is moved behind the last
                scan's where a clock went back.

        Raises:
            RowNotFound: there is no such application or analysis.
            ValueError: a finding breaks a rule of the model.
        """
        self.session.flush()
        with self.session.begin_nested():
            scanned = lock_owner(self.session, Application, id_of(application))
            seen_at = self._next_moment(scanned.id, tool, now)
            common = {
                "tenant_id": scanned.tenant_id,
                "application_id": scanned.id,
                "tool": tool,
                "code_analysis_id": self._analysis_id(code_analysis),
                "first_seen_at": seen_at,
                "last_seen_at": seen_at,
            }
            reported = self._enter(common, findings)
            seen_now = (*_scanned_by(scanned.id, tool), SecurityIssue.last_seen_at == seen_at)
            was_fixed = SecurityIssue.status == "fixed"
            reopened = self._change(*seen_now, was_fixed, status="open", fixed_at=None)
            closed = self._close(scanned.id, tool, since=seen_at, now=seen_at)
            new = self.count(*seen_now, SecurityIssue.first_seen_at == seen_at)
        return ScanOutcome(seen_at, reported, new, len(reopened), closed)

    def sweep(
        self,
        application: Application | int,
        tool: str,
        *,
        since: datetime | None = None,
        now: datetime | None = None,
    ) -> tuple[int, ...]:
        """Close what a tool's newest scan of an application no longer reports.

        Open and triaged issues last seen before it become fixed; false positives stay.
        `record_scan` does this by itself.

        Args:
            application: what was scanned.
            tool: with what; other tools' issues stay as they are.
            since: the moment of the scan, aware; by default when any issue was last seen, which is
                right where a scan stamps all that it saw with one moment and saw something.
            now: when they count as fixed, aware; the present by default, never before ``since``.

        Returns:
            Ids of the issues that are fixed now, ascending.

        Raises:
            RowNotFound: there is no such application.
        """
        self.session.flush()
        scanned = lock_owner(self.session, Application, id_of(application))
        since = self._last_seen(scanned.id, tool) if since is None else require_aware(since)
        if since is None:
            return ()
        return self._close(scanned.id, tool, since=since, now=max(moment(now), since))

    def _analysis_id(self, analysis: CodeAnalysis | int | None) -> int | None:
        if analysis is None:
            return None
        query = select(CodeAnalysis.id).where(CodeAnalysis.id == id_of(analysis))
        found = self.session.scalars(query).one_or_none()
        if found is None:
            raise RowNotFound(f"There is no code analysis {analysis!r}.")
        return found

    def _last_seen(self, application_id: int, tool: str) -> datetime | None:
        query = select(func.max(SecurityIssue.last_seen_at))
        return self.session.scalars(query.where(*_scanned_by(application_id, tool))).one()

    def _next_moment(self, application_id: int, tool: str, now: datetime | None) -> datetime:
        """A moment behind the last scan's, so that it tells what this one saw."""
        last_seen = self._last_seen(application_id, tool)
        present = moment(now)
        return present if last_seen is None else max(present, last_seen + timedelta.resolution)

    def _enter(self, common: Mapping[str, object], findings: Iterable[Finding]) -> int:
        """Insert or change an issue for each finding; returns how many there are."""
        has_analysis = common["code_analysis_id"] is not None
        statement = self.backend.upserts.insert_or_update(
            SecurityIssue,
            {},
            key=_KEY,
            predicate=None,
            changes=(*_REPORTED, "code_analysis_id") if has_analysis else _REPORTED,
        )
        rows, reported = _rows(common, findings), 0
        while batch := [*islice(rows, BATCH_ROWS)]:
            with self._conflicts():
                self.session.execute(statement, batch)
            reported += len(batch)
        return reported

    def _close(
        self, application_id: int, tool: str, *, since: datetime, now: datetime
    ) -> tuple[int, ...]:
        return self._change(
            *_scanned_by(application_id, tool),
            SecurityIssue.last_seen_at < since,
            SecurityIssue.status.in_(OPEN_STATUSES),
            status="fixed",
            fixed_at=now,
        )

    def _change(self, *criteria: ColumnElement[bool], **values: object) -> tuple[int, ...]:
        """Change issues where they lie; returns their ids. Those in the session are read anew."""
        query = update(SecurityIssue).where(*criteria).values(values).returning(SecurityIssue.id)
        options = {"synchronize_session": False}
        changed = self.session.scalars(query, execution_options=options).all()
        for row in self.session.identity_map.values():
            if isinstance(row, SecurityIssue):
                self.session.expire(row)
        return tuple(sorted(changed))


def _scanned_by(application_id: int, tool: str) -> tuple[ColumnElement[bool], ...]:
    return SecurityIssue.application_id == application_id, SecurityIssue.tool == tool


def _rows(common: Mapping[str, object], findings: Iterable[Finding]) -> Iterator[dict[str, object]]:
    """Yield each finding's row; equal fingerprints are numbered."""
    occurrences: Counter[str] = Counter()
    for finding in findings:
        occurrences[finding.fingerprint] += 1
        row = {**common, **asdict(finding), "occurrence": occurrences[finding.fingerprint]}
        SecurityIssue(**row)  # raises for what breaks a rule of the model
        yield row

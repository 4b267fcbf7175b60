"""Security issues, and the scans that find them, as the tests make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from qadb.models import Application, SecurityIssue
from qadb.repositories.quality.security import Finding

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def shop(session: Session) -> Application:
    return session.scalars(select(Application).filter_by(code="shop")).one()


def findings(fingerprints: str, **values: Any) -> list[Finding]:
    return [Finding(fingerprint, **values) for fingerprint in fingerprints.split()]


def add_issue(session: Session, fingerprint: str, **values: Any) -> SecurityIssue:
    stated = {"tool": "bandit", "first_seen_at": NOON - HOUR, "last_seen_at": NOON - HOUR}
    row = SecurityIssue(fingerprint=fingerprint, **{**stated, **values})
    session.add(row)
    session.flush()
    return row


def statuses(session: Session) -> dict[str, str]:
    """Every issue's status, by its fingerprint and its number where that is not 1."""
    rows = session.scalars(select(SecurityIssue).order_by(SecurityIssue.id)).all()
    return {f"{r.fingerprint}{r.occurrence}".removesuffix("1"): r.status for r in rows}

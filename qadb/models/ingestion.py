"""Where rows came from: files that were ingested, and synchronisations with other systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base
from qadb.models.functions import UtcNow
from qadb.models.mixins import HasId, HasTenant, HasTimestamps
from qadb.models.rules import DIGITS, Rule, at_least, made_of, not_before, one_of
from qadb.models.types import Json, JsonDict, JsonList, Timestamp, UtcDateTime

if TYPE_CHECKING:
    from qadb.models.test_runs import TestRun

SYNC_STATUSES = ("running", "completed", "failed")


class SyncEvent(HasId, HasTenant, HasTimestamps, Base):
    """One synchronisation of one kind of thing with another system."""

    __tablename__ = "sync_events"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        not_before("completed_at", "started_at"),
        one_of("status", SYNC_STATUSES),
        at_least("rows_created", 0),
        at_least("rows_updated", 0),
        at_least("rows_deleted", 0),
    )
    __shown__ = ("tenant_id", "source", "entity", "status")
    __table_args__ = (Index(None, "tenant_id", "source", "entity", "started_at"),)

    source: Mapped[str] = mapped_column(String(100))
    entity: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())
    completed_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(20), server_default="running")
    rows_created: Mapped[int] = mapped_column(server_default=text("0"))
    rows_updated: Mapped[int] = mapped_column(server_default=text("0"))
    rows_deleted: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)
    cursor: Mapped[str | None] = mapped_column(Text)


class IngestFile(HasId, HasTenant, HasTimestamps, Base):
    """One report file that a run was made of, and what the file said of itself."""

    __tablename__ = "ingest_files"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        made_of("sha256", DIGITS + "abcdef", 64, 64),
        at_least("bytes", 0),
        at_least("rows", 0),
    )
    __shown__ = ("tenant_id", "file_name", "sha256", "run_id")
    __table_args__ = (
        UniqueConstraint("run_id", "sha256"),
        Index(None, "tenant_id", "sha256"),
    )

    sha256: Mapped[str] = mapped_column(String(64))
    file_name: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str] = mapped_column(String(50))
    dialect: Mapped[str | None] = mapped_column(String(100))
    tool_version: Mapped[str | None] = mapped_column(String(100))
    run_id: Mapped[int] = mapped_column(ForeignKey("test_runs.id", ondelete="CASCADE"))
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    declared: Mapped[JsonDict | None] = mapped_column(Json)
    warnings: Mapped[JsonList | None] = mapped_column(Json)

    run: Mapped[TestRun] = relationship(back_populates="ingest_files")

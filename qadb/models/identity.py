"""Identity: tenants, users, what they may do, and the log of what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, false, select, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models import audit
from qadb.models.base import Base, live_unique
from qadb.models.mixins import (
    DEFAULT_TENANT,
    LONGEST_TENANT_ID,
    HasAuthors,
    HasId,
    HasTenant,
    HasTimestamps,
    IsSoftlyDeleted,
)
from qadb.models.rules import (
    DIGITS,
    LOWER_CASE,
    Rule,
    at_least,
    email,
    length,
    made_of,
    one_of,
    positive,
)
from qadb.models.types import Json, JsonDict, Timestamp, UtcDateTime, tracked_dict

if TYPE_CHECKING:
    from sqlalchemy import Table

    from qadb.models.agents import ToolExecution
    from qadb.models.assistant import Conversation, Event, MessageHistory, Note
    from qadb.models.products import Order
    from qadb.models.test_runs import TestRun

DEFAULT_ROLE = "viewer"
AUDIT_ACTIONS = ("INSERT", "UPDATE", "DELETE")


class Tenant(HasTimestamps, Base):
    """An organisation or team whose rows nobody else sees."""

    __tablename__ = "tenants"
    __tenant_column__ = "id"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        made_of("id", LOWER_CASE + DIGITS + "_-", 1, LONGEST_TENANT_ID),
    )
    __shown__ = ("name",)

    id: Mapped[str] = mapped_column(String(LONGEST_TENANT_ID), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(server_default=true())


class Role(HasId, Base):
    """A named set of permissions."""

    __tablename__ = "roles"
    __shown__ = ("name",)

    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(Text)

    users: Mapped[list[User]] = relationship(back_populates="role", passive_deletes="all")
    permissions: Mapped[list[Permission]] = relationship(
        secondary="role_permissions", back_populates="roles", passive_deletes=True
    )


class Permission(HasId, Base):
    """One thing that a role may do, such as ``runs.read``."""

    __tablename__ = "permissions"
    __shown__ = ("code",)

    code: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str | None] = mapped_column(Text)

    roles: Mapped[list[Role]] = relationship(
        secondary="role_permissions", back_populates="permissions", passive_deletes=True
    )


class RolePermission(Base):
    """Junction: which role has which permission."""

    __tablename__ = "role_permissions"

    role_id: Mapped[int] = mapped_column(
        ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True
    )
    permission_id: Mapped[int] = mapped_column(
        ForeignKey("permissions.id", ondelete="CASCADE"), primary_key=True
    )


class User(HasId, HasTenant, HasAuthors, IsSoftlyDeleted, HasTimestamps, Base):
    """A person or a machine that works with the data."""

    __tablename__ = "users"
    __audited__ = True
    __rules__: ClassVar[tuple[Rule, ...]] = (
        length("username", 3, 50),
        email("email"),
        length("first_name", 1, 100),
        length("last_name", 1, 100),
        length("full_name", 1, 100),
        length("password_hash", 60, 255),
        at_least("failed_login_attempts", 0),
        positive("session_timeout_minutes"),
    )
    __shown__ = ("tenant_id", "username")
    __table_args__ = (
        live_unique("tenant_id", "username"),
        live_unique("tenant_id", "email"),
        live_unique("tenant_id", "telegram_id"),
        {"sqlite_autoincrement": True},
    )

    username: Mapped[str] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(255))
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    full_name: Mapped[str | None] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    role_id: Mapped[int] = mapped_column(
        ForeignKey("roles.id", ondelete="RESTRICT"),
        default=select(Role.id).where(Role.name == DEFAULT_ROLE).scalar_subquery(),
    )
    is_active: Mapped[bool] = mapped_column(server_default=true())
    is_verified: Mapped[bool] = mapped_column(server_default=false())
    is_locked: Mapped[bool] = mapped_column(server_default=false())
    failed_login_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_login_attempt: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    password_changed_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    api_key_hash: Mapped[str | None] = mapped_column(String(255))
    session_timeout_minutes: Mapped[int] = mapped_column(server_default=text("480"))
    telegram_id: Mapped[int | None] = mapped_column(BigInteger)
    preferences: Mapped[JsonDict] = mapped_column(tracked_dict(), server_default=text("'{}'"))

    role: Mapped[Role] = relationship(back_populates="users")
    orders: Mapped[list[Order]] = relationship(back_populates="user", passive_deletes=True)
    triggered_runs: Mapped[list[TestRun]] = relationship(
        back_populates="triggering_user", passive_deletes=True
    )
    tool_executions: Mapped[list[ToolExecution]] = relationship(
        back_populates="user", passive_deletes=True
    )
    conversations: Mapped[list[Conversation]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    messages: Mapped[list[MessageHistory]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    notes: Mapped[list[Note]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    events: Mapped[list[Event]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    audit_logs: Mapped[list[AuditLog]] = relationship(
        primaryjoin="User.id == foreign(AuditLog.user_id)", back_populates="user", viewonly=True
    )


class AuditLog(HasId, HasTimestamps, Base):
    """One change of one row: it outlives the user and the row, hence no foreign keys."""

    __tablename__ = "audit_logs"
    __rules__: ClassVar[tuple[Rule, ...]] = (one_of("action_type", AUDIT_ACTIONS),)
    __shown__ = ("tenant_id", "action_type", "table_name", "record_id")
    __table_args__ = (
        Index(None, "tenant_id", "created_at"),
        Index(None, "table_name", "record_id"),
        Index(None, "user_id", "created_at"),
        {"sqlite_autoincrement": True},
    )

    tenant_id: Mapped[str] = mapped_column(String(LONGEST_TENANT_ID), server_default=DEFAULT_TENANT)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    table_name: Mapped[str] = mapped_column(String(100))
    record_id: Mapped[str] = mapped_column(String(255))
    action_type: Mapped[str] = mapped_column(String(10))
    old_values: Mapped[JsonDict | None] = mapped_column(Json)
    new_values: Mapped[JsonDict | None] = mapped_column(Json)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(Text)
    session_id: Mapped[str | None] = mapped_column(String(255))

    user: Mapped[User | None] = relationship(
        primaryjoin="User.id == foreign(AuditLog.user_id)",
        back_populates="audit_logs",
        viewonly=True,
    )


audit.attach_log(cast("Table", AuditLog.__table__))

"""Columns that several tables share: keys, tenant, times, soft delete, authorship.

Owns these columns and their relationships. Indexes and triggers for them come from the base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import ForeignKey, Identity, String, Uuid
from sqlalchemy.orm import Mapped, backref, declared_attr, mapped_column, relationship
from sqlalchemy.schema import FetchedValue

from qadb.models.functions import RandomUuid, UtcNow
from qadb.models.types import BigIntKey, Timestamp, UtcDateTime, UuidKey

if TYPE_CHECKING:
    from qadb.models.identity import Tenant, User

DEFAULT_TENANT = "default"
LONGEST_TENANT_ID = 50


class HasId:
    """A surrogate key that the database numbers."""

    id: Mapped[int] = mapped_column(BigIntKey, Identity(), primary_key=True, sort_order=-2)


class HasUuid:
    """A surrogate key that the application makes, and the database where nobody did."""

    id: Mapped[UuidKey] = mapped_column(
        Uuid, primary_key=True, default=uuid4, server_default=RandomUuid(), sort_order=-2
    )


class HasTimestamps:
    """When the row was made and last changed, by the database's clock."""

    created_at: Mapped[Timestamp] = mapped_column(
        UtcDateTime, server_default=UtcNow(), sort_order=4
    )
    updated_at: Mapped[Timestamp] = mapped_column(
        UtcDateTime, server_default=UtcNow(), server_onupdate=FetchedValue(), sort_order=5
    )


class HasTenant:
    """The tenant that owns the row; `Tenant` has a list named after each table."""

    __tablename__: str

    @declared_attr
    @classmethod
    def tenant_id(cls) -> Mapped[str]:
        """The owner's slug."""
        return mapped_column(
            String(LONGEST_TENANT_ID),
            ForeignKey("tenants.id", ondelete="RESTRICT"),
            server_default=DEFAULT_TENANT,
            sort_order=-1,
        )

    @declared_attr
    @classmethod
    def tenant(cls) -> Mapped[Tenant]:
        """The owner."""
        return relationship("Tenant", backref=backref(cls.__tablename__, passive_deletes="all"))


class IsSoftlyDeleted:
    """Rows that are only marked when deleted; unique keys pass over them."""

    deleted_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime, sort_order=3)


class HasAuthors:
    """Who made and last changed the row; `User` has ``created_…`` and ``updated_…`` lists."""

    __tablename__: str

    @declared_attr
    @classmethod
    def created_by(cls) -> Mapped[int | None]:
        """The author's id."""
        return mapped_column(ForeignKey("users.id", ondelete="SET NULL"), sort_order=1)

    @declared_attr
    @classmethod
    def updated_by(cls) -> Mapped[int | None]:
        """The id of who changed it last."""
        return mapped_column(ForeignKey("users.id", ondelete="SET NULL"), sort_order=2)

    @declared_attr
    @classmethod
    def creator(cls) -> Mapped[User | None]:
        """The author."""
        return _author(cls.__name__, "created_by", f"created_{cls.__tablename__}")

    @declared_attr
    @classmethod
    def updater(cls) -> Mapped[User | None]:
        """Who changed it last."""
        return _author(cls.__name__, "updated_by", f"updated_{cls.__tablename__}")


def _author(model: str, column: str, other_side: str) -> Mapped[User | None]:
    return relationship(
        "User",
        foreign_keys=f"{model}.{column}",
        remote_side="User.id",
        backref=backref(other_side, passive_deletes=True),
    )

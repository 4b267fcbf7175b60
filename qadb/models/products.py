"""Products, what they can do, what was asked of them, and who ordered them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base, live_unique, present_unique
from qadb.models.mixins import (
    HasAuthors,
    HasId,
    HasTenant,
    HasTimestamps,
    HasUuid,
    IsSoftlyDeleted,
)
from qadb.models.rules import Rule, at_least, one_of
from qadb.models.test_case_features import CASE_OF_LINK, FEATURE_OF_LINK
from qadb.models.types import (
    Amount,
    Json,
    JsonDict,
    JsonList,
    ScaledNumeric,
    TextList,
    tracked_dict,
    tracked_text_list,
)

if TYPE_CHECKING:
    from qadb.models.identity import User
    from qadb.models.test_cases import TestCase

PRODUCT_STATUSES = ("draft", "published", "archived")
ORDER_STATUSES = ("pending", "processing", "completed", "cancelled")

_MONEY = ScaledNumeric(10, 2)


class Product(HasId, HasTenant, HasAuthors, IsSoftlyDeleted, HasTimestamps, Base):
    """Something that is sold or shipped, and tested for it."""

    __tablename__ = "products"
    __audited__ = True
    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least("price", 0),
        at_least("inventory_quantity", 0),
        one_of("status", PRODUCT_STATUSES),
    )
    __shown__ = ("tenant_id", "sku", "name")
    __table_args__ = (live_unique("tenant_id", "sku"),)

    external_id: Mapped[str | None] = mapped_column(String(255))
    sku: Mapped[str | None] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(String(100))
    price: Mapped[Amount | None] = mapped_column(_MONEY)
    inventory_quantity: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[str] = mapped_column(String(20), server_default="draft")
    tags: Mapped[TextList | None] = mapped_column(tracked_text_list())
    extra_data: Mapped[JsonDict | None] = mapped_column(tracked_dict())

    features: Mapped[list[Feature]] = relationship(
        back_populates="product", cascade="all, delete-orphan", passive_deletes=True
    )
    user_stories: Mapped[list[UserStory]] = relationship(
        back_populates="product", cascade="all, delete-orphan", passive_deletes=True
    )
    test_cases: Mapped[list[TestCase]] = relationship(
        back_populates="product", passive_deletes=True
    )


class Feature(HasId, HasTenant, HasTimestamps, Base):
    """One thing a product can do, as the product's own tool lists it."""

    __tablename__ = "features"
    __shown__ = ("product_id", "title")
    __table_args__ = (Index(None, "section_id"), present_unique("product_id", "external_id"))

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    external_id: Mapped[str | None] = mapped_column(String(255))
    section_id: Mapped[str | None] = mapped_column(String(255))
    section_name: Mapped[str | None] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)

    product: Mapped[Product] = relationship(back_populates="features")
    user_stories: Mapped[list[UserStory]] = relationship(
        back_populates="feature", passive_deletes=True
    )
    test_cases: Mapped[list[TestCase]] = relationship(
        secondary="test_case_features",
        primaryjoin=FEATURE_OF_LINK,
        secondaryjoin=CASE_OF_LINK,
        overlaps="tenant,test_case_features",
        back_populates="features",
        passive_deletes=True,
    )


class UserStory(HasId, HasTenant, HasTimestamps, Base):
    """What a user wants of a product."""

    __tablename__ = "user_stories"
    __shown__ = ("product_id", "title")
    __table_args__ = (Index(None, "section_id"), present_unique("product_id", "external_id"))

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    feature_id: Mapped[int | None] = mapped_column(ForeignKey("features.id", ondelete="SET NULL"))
    section_id: Mapped[str | None] = mapped_column(String(255))
    external_id: Mapped[str | None] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(Text)
    requirements: Mapped[str | None] = mapped_column(Text)

    product: Mapped[Product] = relationship(back_populates="user_stories")
    feature: Mapped[Feature | None] = relationship(back_populates="user_stories")


class Order(HasUuid, HasTenant, HasTimestamps, Base):
    """An order by a user or a guest."""

    __tablename__ = "orders"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("status", ORDER_STATUSES),
        at_least("subtotal", 0),
        at_least("total_price", 0),
    )
    __shown__ = ("tenant_id", "order_number", "status")
    __table_args__ = (
        UniqueConstraint("tenant_id", "order_number"),
        Index(None, "tenant_id", "created_at"),
    )

    order_number: Mapped[str] = mapped_column(String(50))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(20), server_default="pending")
    subtotal: Mapped[Amount] = mapped_column(_MONEY, server_default=text("0"))
    total_price: Mapped[Amount] = mapped_column(_MONEY, server_default=text("0"))
    items: Mapped[JsonList | None] = mapped_column(Json)
    extra_data: Mapped[JsonDict | None] = mapped_column(tracked_dict())

    user: Mapped[User | None] = relationship(back_populates="orders")

"""What tests of syncing share: the product, its rows in words, records and statements."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event, select

from qadb.models import Feature, Product, SyncEvent, TestCase, UserStory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from qadb.database import Database


def product_of(session: Session, tenant: str = "acme") -> int:
    """The tenant's shop."""
    query = select(Product.id).where(Product.tenant_id == tenant, Product.sku == "s-1")
    return session.scalars(query).one()


def counts(record: SyncEvent) -> tuple[int, int, int]:
    return record.rows_created, record.rows_updated, record.rows_deleted


def features_of(session: Session, product_id: int) -> dict[str, str]:
    """Titles by external id."""
    query = select(Feature.external_id, Feature.title).where(
        Feature.product_id == product_id, Feature.external_id.is_not(None)
    )
    return {str(name): title for name, title in session.execute(query.order_by(Feature.id))}


def stories_of(session: Session, product_id: int) -> dict[str, str]:
    """Titles by external id."""
    query = select(UserStory.external_id, UserStory.title).where(
        UserStory.product_id == product_id, UserStory.external_id.is_not(None)
    )
    return {str(name): title for name, title in session.execute(query.order_by(UserStory.id))}


def links_of(session: Session) -> set[tuple[str, str]]:
    """Case keys and the titles of the features that they cover."""
    query = select(TestCase.case_key, Feature.title).join(TestCase.features)
    return {(key, title) for key, title in session.execute(query)}


def records_of(session: Session) -> list[tuple[str, str, str | None]]:
    """Tenant, status and error of every record that the session sees."""
    query = select(SyncEvent.tenant_id, SyncEvent.status, SyncEvent.error).order_by(SyncEvent.id)
    return [(row.tenant_id, row.status, row.error) for row in session.execute(query)]


def records_in(database: Database, tenant: str = "acme") -> list[tuple[str, str, str | None]]:
    with database.session(tenant=tenant, read_only=True) as session:
        return records_of(session)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect every statement that runs in a block."""
    seen: list[str] = []

    def note(_c: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine(), "before_cursor_execute", note)
    yield seen
    event.remove(database.engine(), "before_cursor_execute", note)

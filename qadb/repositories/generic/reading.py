"""The reading half of a repository: by key, by filters, in pages, as a stream.

Rows that are softly deleted stay hidden unless they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from sqlalchemy import Select, func, inspect, literal, select

from qadb.errors import SeveralRowsFound
from qadb.models import Base
from qadb.repositories.generic.eager import eager_options
from qadb.repositories.generic.filters import SEPARATOR, column_of, conditions
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.paging import Ordering, Page
from qadb.repositories.generic.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from qadb.repositories.generic.eager import Eager

M = TypeVar("M", bound=Base)

DELETED_AT = "deleted_at"
PAGE_ROWS = 50
STREAM_ROWS = 500


class Reader(Generic[M]):
    """Reads rows of one model in a session.

    Filters are keywords (``status="failed"``, ``started_at__gte=since``) and SQLAlchemy conditions
    before them; `qadb.repositories.generic.filters` has the operators.

    Args:
        session: the unit of work; what it can't see is not there.
        model: whose rows these are; a subclass may name it instead.
    """

    model: type[M]

    def __init__(self, session: Session, model: type[M] | None = None) -> None:
        self.session = session
        if model is not None:
            self.model = model

    def get(
        self, key: object, *, with_: Iterable[Eager] = (), include_deleted: bool = False
    ) -> M | None:
        """Return the row with this primary key, a tuple where that has several columns."""
        options = eager_options(self.model, with_)
        row = self.session.get(self.model, key, options=options)
        is_hidden = row is not None and not include_deleted and self._is_deleted(row)
        return None if is_hidden else row

    def get_by(
        self,
        *criteria: ColumnElement[bool],
        with_: Iterable[Eager] = (),
        include_deleted: bool = False,
        **filters: object,
    ) -> M | None:
        """Return the one row that matches, or None.

        Raises:
            SeveralRowsFound: more than one does.
        """
        query = self.query(*criteria, with_=with_, include_deleted=include_deleted, **filters)
        return self._only(query)

    def list(
        self,
        *criteria: ColumnElement[bool],
        order_by: str | Sequence[str] = (),
        skip: int = 0,
        limit: int | None = None,
        with_: Iterable[Eager] = (),
        include_deleted: bool = False,
        **filters: object,
    ) -> Sequence[M]:
        """Return the rows that match, by primary key unless another order is named.

        Args:
            *criteria: SQLAlchemy conditions.
            order_by: columns' names; ``-`` in front turns one round. Ties go by the primary key.
            skip: leave out as many; for long lists `page` is quicker and steadier.
            limit: return at most as many; 0 gives none.
            with_: relationships to load along, as names, dotted paths or attributes.
            include_deleted: softly deleted rows too.
            **filters: conditions by keyword.

        Raises:
            ValueError: an unknown name or operator, a value that an operator or the column can't
                take, or a number below zero.
        """
        if skip < 0 or (limit is not None and limit < 0):  # engines differ in what that is
            raise ValueError("skip and limit count rows: neither is below zero")
        query = self.query(*criteria, with_=with_, include_deleted=include_deleted, **filters)
        query = query.order_by(*Ordering(self.model, order_by).terms())
        if skip:
            query = query.offset(skip)
        return self.session.scalars(query.limit(limit)).all()

    def page(
        self,
        *criteria: ColumnElement[bool],
        after: str | None = None,
        limit: int = PAGE_ROWS,
        order_by: str | Sequence[str] = (),
        with_: Iterable[Eager] = (),
        include_deleted: bool = False,
        **filters: object,
    ) -> Page[M]:
        """Return the rows behind a cursor, and the cursor of the next page.

        Without a cursor it is the first page.

        Raises:
            ValueError: the cursor is not one of this list, or the limit below 1; and as `list`.
        """
        require_limit(limit)
        ordering = Ordering(self.model, order_by)
        query = self.query(*criteria, with_=with_, include_deleted=include_deleted, **filters)
        if after is not None:
            query = query.where(ordering.behind(after))
        query = query.order_by(*ordering.terms()).limit(limit + 1)
        rows = self.session.scalars(query).all()
        items = rows[:limit]
        return Page(items, ordering.cursor_of(items[-1]) if len(rows) > limit else None)

    def iterate(
        self,
        *criteria: ColumnElement[bool],
        order_by: str | Sequence[str] = (),
        with_: Iterable[Eager] = (),
        include_deleted: bool = False,
        batch_rows: int = STREAM_ROWS,
        **filters: object,
    ) -> Iterator[M]:
        """Yield the rows that match without holding them all; end it before the session commits.

        Rows that are created meanwhile may be among them or not.
        """
        query = self.query(*criteria, with_=with_, include_deleted=include_deleted, **filters)
        query = query.order_by(*Ordering(self.model, order_by).terms())
        yield from self.session.scalars(query.execution_options(yield_per=batch_rows))

    def count(
        self, *criteria: ColumnElement[bool], include_deleted: bool = False, **filters: object
    ) -> int:
        """Return how many rows match."""
        found = self._conditions(criteria, filters, include_deleted=include_deleted)
        query = select(func.count()).select_from(self.model).where(*found)
        return self.session.scalars(query).one()

    def exists(
        self, *criteria: ColumnElement[bool], include_deleted: bool = False, **filters: object
    ) -> bool:
        """Tell whether any row matches."""
        found = self._conditions(criteria, filters, include_deleted=include_deleted)
        query = select(literal(1)).select_from(self.model).where(*found).limit(1)
        return self.session.execute(query).first() is not None

    def query(
        self,
        *criteria: ColumnElement[bool],
        with_: Iterable[Eager] = (),
        include_deleted: bool = False,
        **filters: object,
    ) -> Select[M]:
        """Return the SELECT behind a list, to be refined with SQLAlchemy."""
        found = self._conditions(criteria, filters, include_deleted=include_deleted)
        return select(self.model).where(*found).options(*eager_options(self.model, with_))

    def _only(self, query: Select[M]) -> M | None:
        rows = self.session.scalars(query.limit(2)).all()
        if len(rows) > 1:
            raise SeveralRowsFound(f"More than one of {self._table_name} matches.")
        return rows[0] if rows else None

    def _conditions(
        self,
        criteria: Iterable[ColumnElement[bool]],
        filters: Mapping[str, object],
        *,
        include_deleted: bool,
    ) -> Sequence[ColumnElement[bool]]:
        found = [*criteria, *conditions(self.model, filters)]
        asks = include_deleted or any(k.split(SEPARATOR)[0] == DELETED_AT for k in filters)
        if self._has_soft_delete and not asks:
            found.append(column_of(self.model, DELETED_AT).is_(None))
        return found

    @property
    def _table_name(self) -> str:
        return table_of(self.model).name

    @property
    def _has_soft_delete(self) -> bool:
        return DELETED_AT in inspect(self.model).column_attrs

    def _is_deleted(self, row: M) -> bool:
        return self._has_soft_delete and getattr(row, DELETED_AT) is not None

"""The generic repository: what every aggregate's repository can do with its model.

It works in the session that it is given: it flushes and never commits, and it sees what the session
sees. Reading lies in `qadb.repositories.generic.reading`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from qadb.backends.registry import load_backend
from qadb.repositories.generic.bulk import create_rows
from qadb.repositories.generic.filters import column_of
from qadb.repositories.generic.reading import DELETED_AT, M, Reader
from qadb.repositories.generic.references import require_row
from qadb.repositories.generic.tables import table_of
from qadb.repositories.generic.unique_keys import unique_keys
from qadb.repositories.generic.upserts import upsert
from qadb.sessions.conflicts import conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from qadb.backends.base import Backend
    from qadb.models import Base


class Repository(Reader[M]):
    """Reads and writes rows of one model.

    A subclass names its model, or the constructor is told: ``Repository(session, Product)``.
    """

    def create(self, **values: object) -> M:
        """Insert a row and return it.

        Raises:
            TypeError: an unknown name.
            ValueError: a value breaks a rule of the model.
            ConflictError: a key or another rule of the database is broken.
        """
        self._flush(None)  # before there is a row, as objects it refers to would ask for it
        return self.add(self.model(**values))

    def add(self, row: M) -> M:
        """Insert an object of the model, with what its relationships hold; raises as `create`."""
        if not _is_linked(row):
            self._flush(None)  # what is pending already fails on its own account
        self.session.add(row)
        self._flush(row)
        return row

    def create_many(self, rows: Iterable[M | Mapping[str, object]]) -> int:
        """Insert many rows by the engine's bulk path, as they come; returns how many.

        All rows go in or none. They don't come back, with their keys or otherwise; relationships
        of objects are not followed, and what models fill in at a flush stays empty.

        Raises:
            ValueError: an unknown name, or a row without one.
            ConflictError: a key or another rule of the database is broken.
        """
        with self._conflicts():
            return create_rows(self.session, self.model, rows)

    def update(self, row: M | object, **values: object) -> M:
        """Change columns of a row, given itself or by its key, and return it.

        Raises:
            RowNotFound: there is no row with this key.
            ValueError: an unknown name, or a value that breaks a rule of the model.
            ConflictError: a key or another rule of the database is broken.
        """
        found = self._find(row)
        for name, value in values.items():
            if name not in inspect(self.model).attrs:
                column_of(self.model, name)
            setattr(found, name, value)
        self._flush(found)
        return found

    def delete(self, row: M | object) -> None:
        """Delete a row, given itself or by its key: softly where it has `deleted_at`.

        Raises:
            RowNotFound: there is no row with this key.
            ConflictError: something refers to it.
        """
        found = self._find(row)
        if self._has_soft_delete:
            setattr(found, DELETED_AT, datetime.now(UTC))
        else:
            self.session.delete(found)
        self._flush(None)

    def restore(self, row: M | object) -> M:
        """Bring back a softly deleted row, given itself or by its key.

        Raises:
            TypeError: the model has no `deleted_at`.
            RowNotFound: there is no row with this key.
            ConflictError: another row has taken its key meanwhile.
        """
        if not self._has_soft_delete:
            raise TypeError(f"{self.model.__name__} is not deleted softly")
        found = self._find(row, include_deleted=True)
        setattr(found, DELETED_AT, None)
        self._flush(found)
        return found

    def upsert(
        self,
        values: Mapping[str, object],
        *,
        key: Sequence[str] | None = None,
        changes: Sequence[str] | None = None,
    ) -> M:
        """Insert a row, or change the live one with the same key; safe among many writers.

        Args:
            values: the row.
            key: the columns of the unique key to go by; the one that the values fill by default.
            changes: what a row that is there takes over; by default all but the key.

        Raises:
            ValueError: an unknown name, a value that breaks a rule, or no single key to go by.
            ConflictError: another key or rule is broken.
        """
        self.session.flush()
        with self._conflicts(values):
            return upsert(self.session, self.backend, self.model, values, key=key, changes=changes)

    @property
    def backend(self) -> Backend:
        """The adapter of the engine that the session talks to."""
        return load_backend(self.session.get_bind().dialect.name)

    def _lock_by(self, *criteria: ColumnElement[bool]) -> M | None:
        """Return the one row that matches, as it is now, and keep others from it.

        Raises:
            SeveralRowsFound: more than one does.
        """
        self.session.flush()
        query = self.query(*criteria).with_for_update()
        return self._only(query.execution_options(populate_existing=True))

    def _find(self, row: M | object, *, include_deleted: bool = False) -> M:
        found = require_row(self.session, self.model, row, include_deleted=include_deleted)
        keys = unique_keys(table_of(self.model), self.backend.name)
        named = {name for key in keys for name in key.columns}
        for name in inspect(found).expired_attributes & named:
            getattr(found, name)  # loads them all: a conflict tells what the row holds in its keys
        return found

    def _flush(self, row: M | None) -> None:
        with self._conflicts(None if row is None else cast("dict[str, object]", row.__dict__)):
            self.session.flush()

    @contextmanager
    def _conflicts(self, row: Mapping[str, object] | None = None) -> Iterator[None]:
        """Turn the driver's exception for a broken rule into a ConflictError that names it."""
        stated = dict(row or {})
        driver = self.session.get_bind().dialect.loaded_dbapi
        try:
            yield
        except (IntegrityError, driver.IntegrityError) as error:
            table, values = table_of(self.model), {**stated, **(row or {})}
            raise conflict(
                error, self.backend, table.metadata, table=table, row=values or None
            ) from error


def _is_linked(row: Base) -> bool:
    """Tell whether an object refers to others, which a flush would find waiting for it."""
    return any(row.__dict__.get(each.key) for each in inspect(row).mapper.relationships)

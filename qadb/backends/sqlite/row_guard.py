"""Guards the rows of tables that revisions make anew.

SQLite alters most of a table by copying it: what the copy leaves out is gone without an error. Owns
the counts of such tables, before and after. What a revision deletes in so many words is its own.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event

from qadb.errors import MigrationFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection, Engine

_NAME = r"""(?:"((?:[^"]|"")+)"|`([^`]+)`|\[([^\]]+)\]|(\w+))"""
# A table goes under its name by DROP, or it makes room for its copy by a new name.
_GOES = re.compile(
    rf"\s*(?:DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}"
    rf"|ALTER\s+TABLE\s+{_NAME}\s+RENAME\s+TO\s)",
    re.IGNORECASE,
)


class RowGuard:
    """Rows of every table that a connection has dropped or renamed, as they were then."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}

    @contextmanager
    def watching(self, engine: Engine) -> Iterator[None]:
        """Count a table of the engine before it goes."""

        def count_first(
            connection: Connection, _cursor: object, statement: str, *_: object
        ) -> None:
            name = _table_that_goes(statement)
            if name is not None and name not in self._rows and _has(connection, name):
                self._rows[name] = _count(connection, name)

        event.listen(engine, "before_cursor_execute", count_first)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", count_first)

    def check(self, connection: Connection, revision: str, fewer_rows: AbstractSet[str]) -> None:
        """Raise MigrationFailed where a table is there again with fewer rows; then begin anew.

        Args:
            connection: that of the run, before its commit.
            revision: the one that was run last.
            fewer_rows: tables of which the revision says that they lose rows.
        """
        lost = {name.lower() for name in fewer_rows}
        counted, self._rows = self._rows, {}
        for name, before in counted.items():
            if name in lost or not _has(connection, name):
                continue
            after = _count(connection, name)
            if after < before:
                raise MigrationFailed(
                    f"Revision {revision} rebuilds {name} with {after:,} of its {before:,} rows.",
                    hint="Nothing was changed. Mend the revision; where rows are meant to go, let"
                    f' it say so: FEWER_ROWS = ("{name}",)',
                )


def _table_that_goes(statement: str) -> str | None:
    found = _GOES.match(statement)
    if found is None:
        return None
    name = next(text for text in found.groups() if text is not None)
    return name.replace('""', '"').lower()  # as SQLite takes names


def _has(connection: Connection, name: str) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)"
    return bool(connection.exec_driver_sql(query, (name,)).scalar_one())


def _count(connection: Connection, name: str) -> int:
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    rows: int = connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar_one()
    return rows

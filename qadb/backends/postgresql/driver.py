"""The driver below SQLAlchemy: its connection, and what it gets wrong."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import psycopg2
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from sqlalchemy import Connection


def driver_of(connection: Connection) -> psycopg2.extensions.connection:
    """The driver's own; the connection is open."""
    driver: psycopg2.extensions.connection = connection.connection.driver_connection  # type: ignore[assignment]  # open
    return driver


def cancel(connection: Connection) -> None:
    """Have the server cancel what another thread waits for on it, such as a lock."""
    # Where the server is gone, so is the statement.
    with contextlib.suppress(psycopg2.Error, SQLAlchemyError):
        driver_of(connection).cancel()


@contextlib.contextmanager
def catching_printed_errors() -> Iterator[list[psycopg2.Error]]:
    """Catch what psycopg2 prints on stderr when a server ends the connection inside a COPY.

    It raises a later, poorer error ("invalid socket") instead. What it prints goes through
    ``sys.excepthook``; whatever else comes there goes on, so that threads may overlap here.
    """
    printed: list[psycopg2.Error] = []
    hook = sys.excepthook

    def keep(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        cause = error.__cause__
        if isinstance(error, SystemError) and isinstance(cause, psycopg2.Error):
            printed.append(cause)
        else:
            hook(kind, error, traceback)

    sys.excepthook = keep
    try:
        yield printed
    finally:
        sys.excepthook = hook

"""The driver's connection under one of SQLAlchemy's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psycopg2
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
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

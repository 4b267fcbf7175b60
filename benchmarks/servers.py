"""The PostgreSQL server that a benchmark measures: the one that the tests would choose."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.postgres_binaries import find_installations
from tests.support.postgres_choice import choose_servers
from tests.support.postgres_server import ServerPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres_server import PostgresServer


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server for the block, or attach to the running one that QADB_TEST_PG_URL names.

    Raises:
        PostgresUnavailableError: there is none, or it does not start.
    """
    pool = ServerPool(find_installations())
    try:
        yield pool.get(choose_servers(None)[0])
    finally:
        pool.close()

"""Poolers: those that PostgreSQL's programs may go through, and those that share sessions."""

from __future__ import annotations

from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql.programs import pooling
from qadb.backends.postgresql.programs.pooling import require_own_session
from qadb.errors import ConfigurationError
from tests.backends.postgresql_rich import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.settings import DatabaseUrl

TOLD = 999_999  # by a pooler, as the number of the server's process


class Pooler:
    """Tells each connection which of the server's processes it has, transaction by transaction.

    Args:
        processes: by connection, in the order in which they are made: what they are told in turn.
    """

    def __init__(self, *processes: list[int]) -> None:
        self._processes = iter(processes)
        self.opened = 0

    def connect(self) -> psycopg2.extensions.connection:
        pids = iter(next(self._processes))
        self.opened += 1

        @contextmanager
        def cursor() -> Iterator[object]:
            yield SimpleNamespace(execute=lambda _: None, fetchone=lambda: (next(pids),))

        return SimpleNamespace(  # type: ignore[return-value]  # as far as it is asked
            info=SimpleNamespace(backend_pid=TOLD), cursor=cursor, rollback=lambda: None
        )


@pytest.mark.parametrize(
    ("processes", "is_shared"),
    [
        ([[1], [1], [1]], True),  # another's transaction has the session that was mine
        ([[1], [1, 2], [3]], True),  # I have got another one since
        ([[1], [1, 1, 2], [3], [4]], True),
        ([[1], [2, 2, 2, 2], [3], [4], [5]], False),
    ],
)
def test_pooler_that_shares_its_connections_is_told(
    url: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
    processes: list[list[int]],
    is_shared: bool,
) -> None:
    pooler = Pooler(*processes)

    @contextmanager
    def plain_connection(_: DatabaseUrl) -> Iterator[psycopg2.extensions.connection]:
        yield pooler.connect()

    monkeypatch.setattr(pooling, "plain_connection", plain_connection)
    mine = pooler.connect()
    if not is_shared:
        require_own_session(mine, url)
    else:
        with pytest.raises(ConfigurationError) as caught:
            require_own_session(mine, url)
        assert "the server itself" in (caught.value.hint or "")
    assert pooler.opened == len(processes)


def test_session_at_the_server_is_known_without_another_one(
    url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pooling, "plain_connection")
    with closing(psycopg2.connect(as_text(url))) as connection:
        require_own_session(connection, url)

"""Work that was in vain is done again, work of unknown fate is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.errors import ConnectionLost, TransactionConflict
from qadb.models import Product
from tests.sessions.test_units_of_work import names

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


class Flaky:
    """Work that fails a few times, by an error of ours."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error = error
        self.times = times
        self.calls = 0

    def __call__(self, session: UnitOfWork) -> str:
        self.calls += 1
        with session.begin_nested():
            session.add(Product(name=f"try {self.calls}"))
        if self.calls <= self.times:
            raise self.error
        return "done"


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("qadb.sessions.retries.time.sleep", pauses.append)
    return pauses


@pytest.mark.parametrize("error", [ConnectionLost("gone"), TransactionConflict("deadlock")])
def test_work_in_vain_is_done_again_from_the_start(
    database: Database, no_pauses: list[float], error: Exception
) -> None:
    work = Flaky(error, times=2)
    assert database.run(work, tenant="acme") == "done"
    assert names(database) == ["acme shop", "try 3"]
    assert len(no_pauses) == 2
    assert no_pauses[1] > no_pauses[0] / 2


def test_the_last_attempt_raises(database: Database, no_pauses: list[float]) -> None:
    work = Flaky(TransactionConflict("deadlock"), times=9)
    with pytest.raises(TransactionConflict):
        database.run(work, attempts=4, tenant="acme")
    assert work.calls == 4
    assert len(no_pauses) == 3
    assert names(database) == ["acme shop"]


def test_other_errors_are_not_tried_again(database: Database) -> None:
    work = Flaky(ZeroDivisionError(), times=1)
    with pytest.raises(ZeroDivisionError):
        database.run(work, tenant="acme")
    assert work.calls == 1


class Committing(Flaky):
    """Work that commits a part of itself before it fails."""

    def __call__(self, session: UnitOfWork) -> str:
        session.add(Product(name="part"))
        session.commit()
        return super().__call__(session)


@pytest.mark.parametrize("error", [ConnectionLost("gone"), TransactionConflict("deadlock")])
def test_half_committed_work_is_not_done_again(database: Database, error: Exception) -> None:
    work = Committing(error, times=1)
    with pytest.raises(type(error)):
        database.run(work, tenant="acme")
    assert names(database) == ["acme shop", "part"]


def _break_first_commit(monkeypatch: pytest.MonkeyPatch, database: Database) -> list[int]:
    dialect, calls = database.engine().dialect, [0]
    commit = dialect.do_commit

    def do_commit(connection: PoolProxiedConnection) -> None:
        calls[0] += 1
        commit(connection)
        if calls[0] == 1:
            raise ConnectionLost("gone")

    monkeypatch.setattr(dialect, "do_commit", do_commit)
    return calls


def test_a_commit_of_unknown_fate_is_not_sent_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_first_commit(monkeypatch, database)
    with pytest.raises(ConnectionLost):
        database.run(lambda session: session.add(Product(name="once")), tenant="acme")
    assert names(database) == ["acme shop", "once"]


def test_idempotent_work_is(
    database: Database, monkeypatch: pytest.MonkeyPatch, no_pauses: list[float]
) -> None:
    calls = _break_first_commit(monkeypatch, database)
    assert database.run(lambda _: "done", tenant="acme", idempotent=True) == "done"
    assert calls == [2]
    assert len(no_pauses) == 1


def test_a_connection_that_the_server_ends_is_replaced(
    postgresql_tenants: Database, no_pauses: list[float]
) -> None:
    calls = []

    def work(session: UnitOfWork) -> str:
        calls.append(1)
        session.add(Product(name="new"))
        session.flush()
        if len(calls) == 1:
            with session.unguarded():
                session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "done"

    assert postgresql_tenants.run(work, tenant="acme") == "done"
    assert names(postgresql_tenants) == ["acme shop", "new"]
    assert len(no_pauses) == 1

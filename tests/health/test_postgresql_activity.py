"""The checks of a server's sessions: sessions that fail each, and ones that just pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.backends.base_server_health import ConnectionUse, Hidden, Session, Sessions
from tests.health.asking import ask, limits
from tests.health.sessions import blockade, busy_session, idle_transaction
from tests.support.databases import open_database
from tests.support.postgres_client import execute
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from qadb.database import Database


def test_every_client_counts_among_the_connections(on_server: Database, server_url: str) -> None:
    before = ask(on_server, "QADB-P01").value
    with idle_transaction(server_url, "SELECT 1"):
        result = ask(on_server, "QADB-P01")

    assert result.status == "ok"
    assert result.value is not None
    assert before is not None
    assert result.value > before


@pytest.mark.parametrize(("used", "status"), [(74, "ok"), (75, "warn"), (89, "warn"), (90, "crit")])
def test_connections_run_short(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, used: int, status: str
) -> None:
    monkeypatch.setattr(
        on_server.backend.server, "connection_use", lambda _: ConnectionUse(used, 100)
    )

    result = ask(on_server, "QADB-P01")

    assert (result.status, result.value) == (status, used)


def test_a_statement_that_runs_too_long_is_named_without_its_values(
    on_server: Database, server_url: str
) -> None:
    with busy_session(server_url, "SELECT pg_sleep(60), 'a secret'") as pid:
        assert ask(on_server, "QADB-P02").status == "ok"
        result = ask(on_server, "QADB-P02", settings=limits("QADB-P02", warn=0))

    assert result.status == "warn"
    assert f"pid {pid} " in result.details[0]
    assert "pg_sleep(60), '…'" in result.details[0]
    assert result.hint == f"SELECT pg_cancel_backend({pid})"


def test_a_transaction_that_lasts_too_long_is_named(on_server: Database, server_url: str) -> None:
    with idle_transaction(server_url, "SELECT 1") as pid:
        assert ask(on_server, "QADB-P03").status == "ok"
        result = ask(on_server, "QADB-P03", settings=limits("QADB-P03", warn=0, crit=0))

    assert result.status == "crit"
    assert result.hint == f"SELECT pg_terminate_backend({pid})"


def test_an_idle_transaction_is_named_with_those_it_keeps_waiting(
    on_server: Database, server_url: str
) -> None:
    with blockade(server_url, "countries") as found:
        assert ask(on_server, "QADB-P04").status == "ok"
        result = ask(on_server, "QADB-P04", settings=limits("QADB-P04", warn=0, crit=0))

    assert result.status == "crit"
    assert len(result.details) == 1
    assert f"pid {found.holder_pid} " in result.details[0]
    assert f"keeps waiting: {found.waiter_pid}:" in result.details[0]


def test_a_wait_for_a_lock_is_named_with_who_has_it(on_server: Database, server_url: str) -> None:
    with blockade(server_url, "countries") as found:
        assert ask(on_server, "QADB-P07").status == "ok"
        result = ask(on_server, "QADB-P07", settings=limits("QADB-P07", warn=0, crit=0))

    assert result.status == "crit"
    assert f"pid {found.waiter_pid} " in result.details[0]
    assert f"AccessShareLock on countries, kept by {found.holder_pid}" in result.details[0]
    assert result.hint == f"SELECT pg_terminate_backend({found.holder_pid})"


@pytest.mark.parametrize("name", ["QADB-P02", "QADB-P03", "QADB-P04", "QADB-P07"])
def test_a_server_on_which_nothing_goes_on_passes(on_server: Database, name: str) -> None:
    result = ask(on_server, name, settings=limits(name, warn=0, crit=0))

    assert (result.status, result.value) == ("ok", 0)


@pytest.mark.parametrize(
    ("name", "seconds", "status"),
    [
        ("QADB-P02", 59.9, "ok"),
        ("QADB-P02", 60, "warn"),
        ("QADB-P02", 86_400, "crit"),
        ("QADB-P03", 3599, "ok"),
        ("QADB-P03", 3600, "warn"),
        ("QADB-P04", 299, "ok"),
        ("QADB-P04", 300, "warn"),
        ("QADB-P04", 900, "crit"),
    ],
)
def test_how_long_is_too_long(
    on_server: Database,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seconds: float,
    status: str,
) -> None:
    state = "active" if name == "QADB-P02" else "idle in transaction"
    session = Session(7, "ada", state, seconds, seconds, seconds, "SELECT", ())
    found = Sessions((session,), Hidden(0, ""))
    monkeypatch.setattr(on_server.backend.server, "sessions", lambda _: found)

    assert ask(on_server, name).status == status


@pytest.mark.parametrize("name", ["QADB-P02", "QADB-P03", "QADB-P04"])
def test_sessions_that_a_role_may_not_see_are_unknown_until_it_is_granted(
    server_url: str, name: str
) -> None:
    with (
        ordinary_role(server_url) as role,
        open_database(role.url(server_url)) as database,
        idle_transaction(server_url, "SELECT 1"),
    ):
        result = ask(database, name)
        assert result.status == "unknown"
        assert result.hint == f"Grant it with: GRANT pg_read_all_stats TO {role.name}"

        execute(server_url, "GRANT pg_read_all_stats TO {}", role.name)
        assert ask(database, name).status == "ok"


def test_a_role_without_rights_sees_who_waits_for_a_lock(server_url: str) -> None:
    with (
        ordinary_role(server_url) as role,
        open_database(role.url(server_url)) as database,
        blockade(server_url, "countries") as found,
    ):
        result = ask(database, "QADB-P07", settings=limits("QADB-P07", warn=0))

    assert result.status == "warn"
    assert f"kept by {found.holder_pid}" in result.details[0]

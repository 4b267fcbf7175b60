"""The checks of vacuuming and of running numbers: tables that fail each, ones that just pass."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest
from sqlalchemy.exc import SQLAlchemyError

from qadb.backends.base_server_health import TableUpkeep, TransactionAge
from qadb.errors import QadbError
from tests.health.asking import ask, limits
from tests.health.sessions import wait_for
from tests.support.databases import execute, open_database
from tests.support.postgres_client import execute as execute_on_server
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from qadb.database import Database

ROWS = 20_000
ON = {"autovacuum": "on", "track_counts": "on"}


def run_alone(url: str, *statements: str) -> None:
    """Run statements outside of a transaction, and let the server count what they did."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


def fill_and_empty(url: str, *, kept: str) -> None:
    """A table of some 20 MB, most of whose rows are dead.

    A session counts its rows when it ends: were it to analyze them as well, they counted twice.
    """
    counted = "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'large' AND "
    run_alone(
        url,
        "CREATE TABLE large (id integer, filler text)",
        f"INSERT INTO large SELECT i, repeat('x', 900) FROM generate_series(1, {ROWS}) AS i",
    )
    wait_for(url, f"{counted} n_live_tup = {ROWS}")
    run_alone(url, "ANALYZE large")
    run_alone(url, f"DELETE FROM large WHERE NOT ({kept})")
    wait_for(url, f"{counted} n_dead_tup > 0")


def test_dead_rows_fail_until_they_are_vacuumed(on_server: Database, server_url: str) -> None:
    fill_and_empty(server_url, kept="id % 10 = 0")

    result = ask(on_server, "QADB-P08")
    assert (result.status, result.value) == ("warn", 90)
    assert result.details[0].startswith("large: 90 % dead")
    assert result.hint == "VACUUM (ANALYZE, VERBOSE) large"

    late = ask(on_server, "QADB-P09")
    assert (late.status, late.value) == ("warn", round(18_000 / (50 + 0.2 * ROWS), 2))
    assert "18,000 dead rows, vacuumed from 4,050 on, never vacuumed" in late.details[0]

    run_alone(server_url, "VACUUM ANALYZE large")
    wait_for(server_url, "SELECT 1 FROM pg_stat_user_tables WHERE last_vacuum IS NOT NULL")
    assert ask(on_server, "QADB-P08").status == "ok"
    assert ask(on_server, "QADB-P09").status == "ok"


def test_statistics_that_were_reset_are_too_young_to_tell(
    on_server: Database, server_url: str
) -> None:
    fill_and_empty(server_url, kept="id % 2 = 0")
    run_alone(server_url, "VACUUM ANALYZE large", "SELECT pg_stat_reset()")
    wait_for(
        server_url,
        "SELECT 1 FROM pg_class AS c"
        " LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid"
        " WHERE c.relname = 'large' AND coalesce(s.n_live_tup, 0) = 0",
    )

    for name in ("QADB-P08", "QADB-P09"):
        result = ask(on_server, name)
        assert (result.status, result.hint) == ("unknown", "ANALYZE large")


@pytest.mark.parametrize(
    ("dead", "size_bytes", "status"),
    [
        (199, 100_000_000, "ok"),
        (200, 100_000_000, "warn"),
        (200, 49_000_000, "ok"),  # less than 10 MB are dead
        (999, 9_000_000, "ok"),
    ],
)
def test_dead_rows_need_size_and_percentage(
    on_server: Database,
    monkeypatch: pytest.MonkeyPatch,
    dead: int,
    size_bytes: int,
    status: str,
) -> None:
    table = TableUpkeep("runs", size_bytes, 1000 - dead, dead, 1000, 250, True, None)
    monkeypatch.setattr(on_server.backend.server, "upkeep", lambda _: (table,))

    assert ask(on_server, "QADB-P08").status == status


@pytest.mark.parametrize(
    ("dead", "call", "status"),
    [(19_999, 10_000, "ok"), (20_000, 10_000, "warn"), (9_999, 100, "ok")],
)
def test_autovacuum_lag_is_told_by_its_own_trigger(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, dead: int, call: int, status: str
) -> None:
    table = TableUpkeep("runs", 8192, 1, dead, None, call, True, 3600)
    monkeypatch.setattr(on_server.backend.server, "upkeep", lambda _: (table,))

    result = ask(on_server, "QADB-P09")

    assert (result.status, result.value) == (
        status,
        pytest.approx(dead / call, abs=0.01) if dead >= 10_000 else 0,
    )


def test_a_table_s_own_settings_of_autovacuum_count(
    on_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_server.backend.server, "settings", lambda _: ON)
    assert ask(on_server, "QADB-P10").status == "ok"
    execute(
        on_server,
        "ALTER TABLE countries SET (autovacuum_enabled = off, autovacuum_vacuum_threshold = 7,"
        " autovacuum_vacuum_scale_factor = 0)",
    )

    result = ask(on_server, "QADB-P10")

    assert (result.status, result.value) == ("warn", 1)
    assert result.hint == "ALTER TABLE countries RESET (autovacuum_enabled)"
    with on_server.connect(read_only=True) as connection:
        assert on_server.backend.server is not None
        (found,) = (
            table
            for table in on_server.backend.server.upkeep(connection)
            if table.name == "countries"
        )
    assert (found.vacuum_from, found.is_automatic) == (7, False)


@pytest.mark.parametrize("name", ["autovacuum", "track_counts"])
def test_a_server_that_vacuums_or_counts_nothing_is_a_warning(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(on_server.backend.server, "settings", lambda _: {**ON, name: "off"})

    result = ask(on_server, "QADB-P10")

    assert result.status == "warn"
    assert result.hint == f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"
    expected = "unknown" if name == "track_counts" else "ok"
    assert ask(on_server, "QADB-P08").status == expected
    assert ask(on_server, "QADB-P09").status == expected


@pytest.mark.parametrize(
    ("value", "status"), [(85, "ok"), (86, "warn"), (95, "warn"), (96, "crit"), (100, "crit")]
)
def test_a_sequence_near_its_end_is_found(on_server: Database, value: int, status: str) -> None:
    execute(
        on_server,
        "CREATE SEQUENCE short MAXVALUE 100",
        f"SELECT setval('short', {value})",
    )

    result = ask(on_server, "QADB-P11")

    assert result.status == status
    assert result.value == pytest.approx(value, abs=1.1)
    if status != "ok":
        assert result.details[0].startswith("short: ")


def test_a_column_narrower_than_its_sequence_ends_it(on_server: Database) -> None:
    execute(
        on_server,
        "CREATE TABLE narrow (id integer PRIMARY KEY)",
        "CREATE SEQUENCE narrow_ids OWNED BY narrow.id",
        "SELECT setval('narrow_ids', 2147483000)",
    )

    result = ask(on_server, "QADB-P11")

    assert (result.status, result.value) == ("crit", 100)
    assert result.details == ("narrow_ids: 100 % used, 647 numbers left for narrow.id",)
    assert result.hint is not None
    for statement in result.hint.split("; "):
        execute(on_server, statement)
    assert ask(on_server, "QADB-P11").status == "ok"


def test_sequences_that_count_down_or_begin_anew_are_understood(on_server: Database) -> None:
    execute(
        on_server,
        "CREATE SEQUENCE round MAXVALUE 10 CYCLE",
        "SELECT setval('round', 10)",
        "CREATE SEQUENCE down INCREMENT -1 MINVALUE -100 MAXVALUE -1",
        "SELECT setval('down', -10)",
    )
    assert ask(on_server, "QADB-P11").status == "ok"

    execute(on_server, "SELECT setval('down', -99)")

    result = ask(on_server, "QADB-P11")
    assert result.status == "crit"
    assert "1 numbers left" in result.details[0]


def test_sequences_that_a_role_may_not_read_are_unknown_until_it_is_granted(
    server_url: str,
) -> None:
    with ordinary_role(server_url) as role, open_database(role.url(server_url)) as database:
        result = ask(database, "QADB-P11")
        assert result.status == "unknown"
        assert result.hint == (
            f"Grant it with: GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role.name}"
        )

        grant = "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {}"
        execute_on_server(server_url, grant, role.name)
        assert ask(database, "QADB-P11").status == "ok"


def test_an_unlogged_table_is_a_warning(on_server: Database) -> None:
    assert ask(on_server, "QADB-P17").status == "ok"
    execute(on_server, "CREATE UNLOGGED TABLE fleeting (id integer)")

    result = ask(on_server, "QADB-P17")

    assert (result.status, result.value) == ("warn", 1)
    assert result.hint == "ALTER TABLE fleeting SET LOGGED"
    execute(on_server, result.hint)
    assert ask(on_server, "QADB-P17").status == "ok"


@pytest.mark.parametrize("name", ["QADB-P05", "QADB-P06"])
@pytest.mark.parametrize(("percent", "status"), [(49, "ok"), (50, "warn"), (75, "crit")])
def test_ids_run_short(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, name: str, percent: int, status: str
) -> None:
    age = TransactionAge("qa", percent * 10_000_000, 200_000_000, 1_000_000_000)
    monkeypatch.setattr(on_server.backend.server, "transaction_age", lambda _: age)
    monkeypatch.setattr(on_server.backend.server, "multixact_age", lambda _: age)

    assert ask(on_server, name).status == status


@pytest.mark.parametrize("name", ["QADB-P05", "QADB-P06"])
def test_ids_are_counted_as_they_are_used(on_server: Database, name: str) -> None:
    result = ask(on_server, name)
    assert result.status == "ok"

    tight = ask(on_server, name, settings=limits(name, warn=0, crit=0))
    assert tight.status == "crit"
    assert "frozen from" in tight.details[0]


@pytest.mark.parametrize(
    "name", ["QADB-P05", "QADB-P06", "QADB-P08", "QADB-P09", "QADB-P10", "QADB-P17"]
)
def test_what_everybody_may_know_needs_no_grant(server_url: str, name: str) -> None:
    with ordinary_role(server_url) as role, open_database(role.url(server_url)) as database:
        try:
            assert ask(database, name).status in {"ok", "warn"}
        except (QadbError, SQLAlchemyError) as error:
            pytest.fail(f"{name} raised {error}")

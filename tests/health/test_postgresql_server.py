"""The checks of a server's settings, cache, replicas and disk: what fails each, what passes."""

from __future__ import annotations

import secrets
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qadb.backends.base_server_health import (
    CacheUse,
    ChecksumFailures,
    Hidden,
    Replica,
    Replication,
    Slot,
)
from tests.health.asking import ask, limits
from tests.health.sessions import wait_for
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.postgres_client import fetch_column
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer

ALL_ON = {"fsync": "on", "full_page_writes": "on"}


@contextmanager
def slot(url: str) -> Iterator[str]:
    """A replication slot that keeps the log from here on and that nobody reads."""
    name = f"qadb_test_{secrets.token_hex(4)}"
    fetch_column(url, f"SELECT pg_create_physical_replication_slot('{name}', true)::text")
    try:
        yield name
    finally:
        fetch_column(url, f"SELECT pg_drop_replication_slot('{name}')::text")


@contextmanager
def follower(server: PostgresServer, url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that stores the server's log, and tells at once what it has stored."""
    command = [str(server.program("pg_receivewal")), "--directory", str(folder), "--no-loop"]
    with slot(url) as name:
        command += ["--slot", name, "--synchronous", "--dbname", url]
        with subprocess.Popen(command) as program:
            try:
                wait_for(
                    url, "SELECT 1 FROM pg_stat_replication WHERE flush_lsn = pg_current_wal_lsn()"
                )
                yield program
            finally:
                program.send_signal(signal.SIGCONT)
                program.terminate()
                program.wait()
                wait_for(
                    url,
                    f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{name}' AND NOT active",
                )


def write_log(database: Database, *, rows: int) -> None:
    """Add to the server's log, and return when it is written."""
    execute(
        database,
        "SET LOCAL synchronous_commit = on",
        f"CREATE TABLE more AS SELECT generate_series(1, {rows}) AS id",
    )


def test_settings_are_those_of_the_server(on_server: Database) -> None:
    names = ("autovacuum", "track_counts", "fsync", "full_page_writes")
    assert on_server.backend.server is not None
    with on_server.connect(read_only=True) as connection:
        found = on_server.backend.server.settings(connection)

    assert found == {name: fetch_rows(on_server, f"SHOW {name}")[0][0] for name in names}


@pytest.mark.parametrize(
    ("off", "status"), [((), "ok"), (("fsync",), "crit"), (("fsync", "full_page_writes"), "crit")]
)
def test_a_server_that_a_crash_can_destroy_is_critical(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, off: tuple[str, ...], status: str
) -> None:
    settings = {**ALL_ON, **dict.fromkeys(off, "off")}
    monkeypatch.setattr(on_server.backend.server, "settings", lambda _: settings)

    result = ask(on_server, "QADB-P16")

    assert (result.status, result.value) == (status, len(off))
    if off:
        assert result.hint is not None
        assert all(f"ALTER SYSTEM SET {name} = on" in result.hint for name in off)


def test_the_cache_is_judged_once_enough_pages_were_asked_for(
    on_server: Database, server_url: str
) -> None:
    execute(on_server, "SELECT pg_stat_reset()")
    result = ask(on_server, "QADB-P12")
    assert result.status == "unknown"
    assert result.hint == "Ask again when there were 10,000."

    execute(
        on_server,
        "DO $$ BEGIN FOR i IN 1..12000 LOOP PERFORM 1 FROM qadb_version; END LOOP; END $$",
    )
    on_server.close()  # what a session did is counted by its end at the latest
    wait_for(
        server_url,
        "SELECT 1 FROM pg_stat_database"
        " WHERE datname = current_database() AND blks_hit + blks_read >= 10000",
    )
    assert ask(on_server, "QADB-P12").status == "ok"


@pytest.mark.parametrize(
    ("hits", "reads", "status"),
    [
        (90_001, 9_999, "ok"),
        (90_000, 10_000, "warn"),
        (9_999, 0, "unknown"),
        (5_000, 4_999, "unknown"),
        (5_001, 4_999, "unknown"),  # the cache of 5,000 pages is still being filled
        (5_000, 5_000, "warn"),
    ],
)
def test_a_cache_that_serves_too_little_is_a_warning(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, hits: int, reads: int, status: str
) -> None:
    use = CacheUse(hits, reads, 5_000, 3600)
    monkeypatch.setattr(on_server.backend.server, "cache_use", lambda _: use)

    assert ask(on_server, "QADB-P12").status == status


def test_a_follower_that_stands_still_is_behind(
    on_server: Database, server_url: str, postgresql_server: PostgresServer, tmp_path: Path
) -> None:
    assert ask(on_server, "QADB-P13").message == "No replica follows this server."
    tight = limits("QADB-P13", warn=1000, crit=100_000)
    with (
        follower(postgresql_server, server_url, tmp_path) as program,
        ordinary_role(server_url) as role,
        open_database(role.url(server_url)) as database,
    ):
        program.send_signal(signal.SIGSTOP)
        write_log(on_server, rows=10000)

        assert ask(on_server, "QADB-P13").status == "ok"
        result = ask(on_server, "QADB-P13", settings=tight)
        hidden = ask(database, "QADB-P13")
        assert ask(on_server, "QADB-P14").status == "ok"  # its slot has a reader

    assert result.status == "crit"
    assert ": streaming, " in result.details[0]
    assert hidden.status == "unknown"
    assert hidden.hint == f"Grant it with: GRANT pg_monitor TO {role.name}"


@pytest.mark.parametrize(
    ("lag_bytes", "status"), [(52_428_799, "ok"), (52_428_800, "warn"), (104_857_600, "crit")]
)
@pytest.mark.parametrize("is_replica", [False, True])
def test_how_far_behind_is_too_far(
    on_server: Database,
    monkeypatch: pytest.MonkeyPatch,
    lag_bytes: int,
    status: str,
    *,
    is_replica: bool,
) -> None:
    replica = Replica("other", "streaming", lag_bytes, 2.0)
    found = Replication((replica,), is_replica, False, Hidden(0, ""))
    monkeypatch.setattr(on_server.backend.server, "replication", lambda _: found)

    result = ask(on_server, "QADB-P13")

    assert (result.status, result.value) == (status, lag_bytes)
    assert result.message.startswith("This server" if is_replica else "other")


@pytest.mark.parametrize(("lag_bytes", "status"), [(0, "unknown"), (52_428_800, "warn")])
def test_a_replica_that_is_sent_nothing_does_not_pass_for_up_to_date(
    on_server: Database, monkeypatch: pytest.MonkeyPatch, lag_bytes: int, status: str
) -> None:
    replica = Replica("this server", "replaying", lag_bytes, None)
    found = Replication((replica,), True, True, Hidden(0, ""))
    monkeypatch.setattr(on_server.backend.server, "replication", lambda _: found)

    assert ask(on_server, "QADB-P13").status == status


def test_a_slot_that_nobody_reads_is_a_warning(on_server: Database, server_url: str) -> None:
    assert ask(on_server, "QADB-P14").status == "ok"
    with slot(server_url) as name:
        write_log(on_server, rows=1000)
        result = ask(on_server, "QADB-P14")
        tight = limits("QADB-P14", warn=1, crit=1000)
        assert ask(on_server, "QADB-P14", settings=tight).status == "crit"

    assert result.status == "warn"
    assert result.value is not None
    assert result.value > 1000
    assert result.details[0].startswith(f"{name}: reserved, keeps ")
    assert f"pg_drop_replication_slot('{name}')" in (result.hint or "")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "ok"),
        ({"is_active": False}, "warn"),
        ({"is_active": False, "retained_bytes": 10_000_000_000}, "crit"),
        ({"wal_status": "lost", "retained_bytes": 0}, "crit"),
    ],
)
def test_slots_are_judged_by_reader_and_size(
    on_server: Database,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, bool | int | str],
    status: str,
) -> None:
    found = replace(Slot("other", True, "reserved", 5_000_000_000), **changes)  # type: ignore[arg-type]  # each name has its own type
    monkeypatch.setattr(on_server.backend.server, "slots", lambda _: (found,))

    assert ask(on_server, "QADB-P14").status == status


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        (ChecksumFailures(True, {}), "ok", "No page had a wrong checksum."),
        (ChecksumFailures(True, {"qa": 1}), "crit", "1 page had a wrong checksum."),
        (ChecksumFailures(False, {}), "ok", "Checksums are off"),
    ],
)
def test_a_wrong_checksum_is_critical(
    on_server: Database,
    monkeypatch: pytest.MonkeyPatch,
    found: ChecksumFailures,
    status: str,
    said: str,
) -> None:
    monkeypatch.setattr(on_server.backend.server, "checksum_failures", lambda _: found)

    result = ask(on_server, "QADB-P15")

    assert result.status == status
    assert result.message.startswith(said)


def test_a_server_tells_whether_it_has_checksums(on_server: Database) -> None:
    result = ask(on_server, "QADB-P15")

    assert result.status == "ok"
    is_on = fetch_rows(on_server, "SHOW data_checksums") == [("on",)]
    assert result.message.startswith("No page" if is_on else "Checksums are off")


def test_the_disk_of_a_server_on_this_machine_is_measured(on_server: Database) -> None:
    folder = fetch_rows(on_server, "SHOW data_directory")[0][0]

    result = ask(on_server, "QADB-P18", settings=limits("QADB-P18", warn=101, crit=101))
    assert result.status == "ok"
    assert result.message.startswith(f"The disk of {folder} is ")

    assert ask(on_server, "QADB-P18", settings=limits("QADB-P18", warn=0, crit=0)).status == "crit"


def test_the_disk_of_a_server_elsewhere_is_left_out_and_spoils_nothing(
    on_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_server.backend.server, "data_folders", lambda _: None)

    result = ask(on_server, "QADB-P18")

    assert (result.status, result.hint) == ("skipped", None)
    assert result.message == "The server's disks can't be seen from here."


def test_where_the_data_is_needs_a_grant(server_url: str) -> None:
    with ordinary_role(server_url) as role, open_database(role.url(server_url)) as database:
        result = ask(database, "QADB-P18")

    assert result.status == "unknown"
    assert result.hint is not None
    assert result.hint.startswith("Grant it with: GRANT pg_")
    assert role.name in result.hint

"""What takes a server of its own: a lost page, settings that are unsafe, a server that stops."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from qadb.operations.init import init_database
from tests.health.asking import ask
from tests.health.sessions import idle_transaction, wait_for
from tests.support.databases import open_database
from tests.support.postgres_binaries import PostgresBinaries
from tests.support.postgres_client import execute, fetch_column
from tests.support.postgres_server import start_server
from tests.support.program import Program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_server import PostgresServer

PAGE_BYTES = 8192
AT_A_LOCK = """
SELECT 1 FROM pg_stat_activity
WHERE application_name = 'qadb health' AND wait_event_type = 'Lock'
"""


@pytest.fixture(scope="module")
def binaries(postgresql_server: PostgresServer) -> PostgresBinaries:
    """The programs of the server that the tests run on."""
    if postgresql_server.bin_dir is None:
        raise AssertionError("there are no programs to start a server with")
    return PostgresBinaries(postgresql_server.bin_dir, postgresql_server.version)


@pytest.fixture(scope="module")
def own_server(binaries: PostgresBinaries) -> Iterator[PostgresServer]:
    """A server that nobody else uses, whose pages have checksums."""
    with start_server(binaries, checksums=True) as server:
        yield server


def test_a_page_that_the_disk_changed_is_critical(own_server: PostgresServer) -> None:
    whole = own_server.create_database()
    execute(whole, "CREATE TABLE numbers AS SELECT generate_series(1, 1000) AS n")
    with open_database(whole) as database:
        assert ask(database, "QADB-P15").message == "No page had a wrong checksum."
    url = own_server.create_database(template=whole)  # copied as files: none of it is in the cache
    flip_a_byte(own_server, url, "numbers")

    with pytest.raises(psycopg2.errors.DataCorrupted):
        fetch_column(url, "SELECT sum(n)::text FROM numbers")
    wait_for(url, "SELECT 1 FROM pg_stat_database WHERE checksum_failures > 0")

    with open_database(url) as database:
        result = ask(database, "QADB-P15")
        name = database.url.database
    assert (result.status, result.value) == ("crit", 1)
    assert result.message == "1 page had a wrong checksum."
    assert result.details == (f"{name}: 1",)


def flip_a_byte(server: PostgresServer, url: str, table: str) -> None:
    """Change one byte of a table's first page, where its rows are."""
    (place,) = fetch_column(url, f"SELECT pg_relation_filepath('{table}')")
    assert server.folder is not None
    with (server.folder / "data" / place).open("r+b") as pages:
        pages.seek(PAGE_BYTES - 1)
        (byte,) = pages.read(1)
        pages.seek(PAGE_BYTES - 1)
        pages.write(bytes([byte ^ 0xFF]))


def test_a_server_that_is_started_unsafe_is_critical_until_it_is_told_otherwise(
    own_server: PostgresServer,
) -> None:
    with open_database(own_server.create_database()) as database:
        result = ask(database, "QADB-P16")
        assert (result.status, result.value) == ("crit", 2)
        assert result.hint is not None

        for statement in result.hint.split("; "):
            fetch_or_execute(own_server.admin_url, statement)
        wait_for(own_server.admin_url, "SELECT 1 WHERE current_setting('fsync') = 'on'")

        assert ask(database, "QADB-P16").status == "ok"


def fetch_or_execute(url: str, statement: str) -> None:
    """Run a statement as somebody at a prompt does."""
    if statement.startswith("SELECT"):
        fetch_column(url, statement)
    else:
        execute(url, statement)


def test_a_server_that_stops_under_a_check_is_unreachable(
    binaries: PostgresBinaries, tmp_path: Path
) -> None:
    with start_server(binaries) as server:
        url = server.create_database()
        with open_database(url) as database:
            init_database(database)
        qadb = Program(tmp_path, {"QADB_DATABASE_URL": url})
        with idle_transaction(url, "LOCK TABLE qadb_version"):
            process = qadb.start("health", "--format", "nagios", "--report", "prometheus=qadb.prom")
            wait_for_a_check(server, process)
            stop(server)
            stdout, stderr = process.communicate(timeout=60)

        assert process.returncode == 2, stderr
        assert stdout.startswith("QADB CRITICAL")
        assert len(stdout.splitlines()) == 1
        text = (tmp_path / "qadb.prom").read_text()
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        assert [(s.name, s.value) for s in samples] == [("qadb_up", 0)]
        assert "Traceback" not in stderr


def wait_for_a_check(server: PostgresServer, process: subprocess.Popen[str]) -> None:
    """Return while a check waits for a lock, which is half a second at most."""
    with closing(psycopg2.connect(server.admin_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(AT_A_LOCK)
            while not cursor.fetchall():
                assert process.poll() is None, process.communicate()
                cursor.execute(AT_A_LOCK)


def stop(server: PostgresServer) -> None:
    """End the server at once, as a machine that fails does."""
    assert server.folder is not None
    pid = (server.folder / "data" / "postmaster.pid").read_text().split()[0]
    os.kill(int(pid), signal.SIGQUIT)

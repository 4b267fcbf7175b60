"""Writes a PostgreSQL database out: a snapshot that is held, and pg_dump reading it.

Whoever wants to look at the same moment meanwhile, such as to count rows, uses the connection that
holds the snapshot.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql.connector import open_engine
from qadb.backends.postgresql.driver import cancel, driver_of
from qadb.backends.postgresql.dump_facts import read_facts
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.locks import stay_statement
from qadb.backends.postgresql.program_access import program_access
from qadb.backends.postgresql.program_runs import ProgramRun, run_program
from qadb.backends.postgresql.programs import VERSION_DIGITS, Programs, find_programs
from qadb.backends.postgresql.sizes import database_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from psycopg2.extensions import ConnectionInfo
    from sqlalchemy import Connection

    from qadb.backends.base_backups import ByteSink, ByteSource, OnBytes
    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

content_name: str = "database.pgdump"

PIECE_BYTES = 1024 * 1024
LOCK_WAIT = "60s"

# A role's own limit must not end what counts a large table; filtered rows must be an error.
PREPARE_SQL = """
SELECT set_config('statement_timeout', '0', true), set_config('row_security', 'off', true)
"""
SNAPSHOT_SQL = "SELECT pg_catalog.pg_export_snapshot()"


@dataclass(slots=True)
class Snapshot:
    """A moment of the database; see the protocol for what callers may count on."""

    taken_at: datetime
    size_bytes: int
    connection: Connection
    details: Mapping[str, object]
    name: str
    reached: ConnectionInfo
    programs: Programs
    url: DatabaseUrl
    options: ConnectionOptions
    folder: Path
    is_comparable: bool = False
    running: list[ProgramRun] = field(default_factory=list)

    def write(self, sink: ByteSink, on_bytes: OnBytes) -> None:
        """Write pg_dump's archive; raises unless pg_dump ended well."""
        arguments = (
            "--format=custom",
            "--compress=0",
            f"--snapshot={self.name}",
            f"--lock-wait-timeout={LOCK_WAIT}",
        )
        with (
            program_access(
                self.url,
                self.reached,
                database=str(self.details["database"]),
                application=self.options.application,
                folder=self.folder,
            ) as access,
            run_program(
                self.programs.path("pg_dump"), arguments, access, self.url, piped=True
            ) as run,
        ):
            self.running.append(run)
            done = 0
            while piece := run.output.read(PIECE_BYTES):
                sink.write(piece)
                done += len(piece)
                on_bytes(done)
            run.finish()

    def stop(self) -> None:
        """End what another thread still writes: the moment is over."""
        for run in self.running:
            run.stop()

    def check(self) -> None:
        """Nothing to do: pg_dump has read every row."""

    def interrupt(self) -> None:
        """Have the server cancel what the connection waits for, such as a lock."""
        cancel(self.connection)

    def equals(self, content: ByteSource) -> bool:
        """Only a database that is rebuilt from it can tell."""
        del content
        return False


@contextlib.contextmanager
def freeze(
    url: DatabaseUrl, options: ConnectionOptions, *, folder: Path, on_bytes: OnBytes
) -> Iterator[Snapshot]:
    """Hold a snapshot of the database until it is written out.

    Raises:
        MissingProgram: no pg_dump that fits the server.
        QadbError: whatever the server refuses.
    """
    del on_bytes  # nothing is copied first
    engine = open_engine(url, options, read_only=True, pooled=False)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        try:
            connection = stack.enter_context(engine.connect())
            snapshot = _take(connection, url, options, folder)
        except DBAPIError as error:
            raise translate(error, url) from error
        stack.callback(snapshot.stop)
        yield snapshot


def _take(
    connection: Connection, url: DatabaseUrl, options: ConnectionOptions, folder: Path
) -> Snapshot:
    info = driver_of(connection).info
    connection.exec_driver_sql(stay_statement(connection))
    connection.exec_driver_sql(PREPARE_SQL)
    taken_at = datetime.now(UTC)
    programs = find_programs(info.server_version // VERSION_DIGITS)
    return Snapshot(
        taken_at=taken_at,
        size_bytes=database_size(connection),
        connection=connection,
        details={**read_facts(connection), "pg_dump": programs.version},
        name=connection.exec_driver_sql(SNAPSHOT_SQL).scalar_one(),
        reached=info,
        programs=programs,
        url=url,
        options=options,
        folder=folder,
    )

"""Writes a PostgreSQL database out: a snapshot that is held, and pg_dump reading it.

The rows of large tables are read on several sessions at once beside it, where that pays.

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
from qadb.backends.postgresql.dumping.dump_facts import read_facts
from qadb.backends.postgresql.dumping.large_tables import find_large_tables
from qadb.backends.postgresql.dumping.pieces import PIECE_BYTES, PieceWriter
from qadb.backends.postgresql.dumping.row_copying import CopyOrder, copying_rows
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.locks import stay_statement
from qadb.backends.postgresql.programs.access import program_access
from qadb.backends.postgresql.programs.finding import PSQL, VERSION_DIGITS, Programs, find_programs
from qadb.backends.postgresql.programs.pooling import require_own_session
from qadb.backends.postgresql.programs.runs import ProgramRun, run_program
from qadb.backends.postgresql.sizes import database_size
from qadb.batch_work import batch_work

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from psycopg2.extensions import ConnectionInfo
    from sqlalchemy import Connection

    from qadb.backends.base_backups import ByteSink, ByteSource, OnBytes
    from qadb.backends.postgresql.dumping.large_tables import LargeTable
    from qadb.backends.postgresql.programs.access import Access
    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

ARCHIVE_NAME = "database.pgdump"
PIECES_NAME = "database.tar"

READ_BYTES = 1 << 20
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
    tables: tuple[LargeTable, ...]
    is_comparable: bool = False
    running: list[ProgramRun] = field(default_factory=list)
    is_over: bool = False

    @property
    def content_name(self) -> str:
        """Pg_dump's archive, or pieces of it and of rows."""
        return PIECES_NAME if self.tables else ARCHIVE_NAME

    def write(self, sink: ByteSink, on_bytes: OnBytes, *, jobs: int) -> None:
        """Write it all; raises unless every program ended well."""
        with program_access(
            self.url,
            self.reached,
            database=str(self.details["database"]),
            application=self.options.application,
            folder=self.folder,
        ) as access:
            if self.tables:
                self._write_pieces(PieceWriter(sink, on_bytes), access, jobs)
                return
            done = 0
            for data in self._run_pg_dump(access):
                sink.write(data)
                done += len(data)
                on_bytes(done)

    def _write_pieces(self, writer: PieceWriter, access: Access, jobs: int) -> None:
        """Write the archive first: whoever restores has to make the tables before the rows."""
        order = CopyOrder(
            self.tables,
            str(self.details["encoding"]),
            self.name,
            LOCK_WAIT,
            self.reached.server_version // VERSION_DIGITS,
        )
        psql = self.programs.path(PSQL)
        with contextlib.ExitStack() as stack:
            stack.enter_context(batch_work())  # psql is handed a few kilobytes at a time
            archive = stack.enter_context(
                contextlib.closing(self._run_pg_dump(access, PIECE_BYTES))
            )
            writer.write_archive(next(archive))  # it is connected: others may take what is left
            rows = stack.enter_context(copying_rows(order, jobs, psql, access, self.url))
            for data in archive:
                writer.write_archive(data)
            for number, table in enumerate(self.tables, start=1):
                writer.write_statement(number, table.copy_in(order.encoding))
            for piece in rows:
                writer.write_rows(*piece)
        writer.finish()

    def _run_pg_dump(self, access: Access, size: int = READ_BYTES) -> Generator[bytes]:
        arguments = (
            "--format=custom",
            "--compress=0",
            f"--snapshot={self.name}",
            f"--lock-wait-timeout={LOCK_WAIT}",
            *(f"--exclude-table-data={table.quoted}" for table in self.tables),
        )
        program = self.programs.path("pg_dump")
        with run_program(program, arguments, access, self.url, piped=True) as run:
            self.running.append(run)
            if self.is_over:  # since it was started
                run.stop()
            while data := run.output.read(size):
                yield data
            run.finish()

    def stop(self) -> None:
        """End what another thread still writes: the moment is over."""
        self.is_over = True
        for run in self.running:
            run.stop()

    def check(self) -> None:
        """Nothing to do: every row was read."""

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
    require_own_session(driver_of(connection), url)
    programs = find_programs(info.server_version // VERSION_DIGITS)
    name = connection.exec_driver_sql(SNAPSHOT_SQL).scalar_one()  # no savepoint may come before
    tables = find_large_tables(connection) if programs.has(PSQL) else ()
    return Snapshot(
        taken_at=taken_at,
        size_bytes=database_size(connection),
        connection=connection,
        details={**read_facts(connection), "pg_dump": programs.version},
        name=name,
        reached=info,
        programs=programs,
        url=url,
        options=options,
        folder=folder,
        tables=tables,
    )

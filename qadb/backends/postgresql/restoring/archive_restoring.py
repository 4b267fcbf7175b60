"""Runs pg_restore on an archive of pg_dump's: the whole of it, or some sections."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from qadb.backends.postgresql.connector import plain_connection
from qadb.backends.postgresql.programs.access import program_access
from qadb.backends.postgresql.programs.finding import VERSION_DIGITS, find_programs
from qadb.backends.postgresql.programs.pooling import require_own_session
from qadb.backends.postgresql.programs.runs import run_program
from qadb.backends.postgresql.time_limits import FIRST_WITH_TRANSACTION_TIMEOUT
from qadb.disk import NO_ROOM, write_in_pieces
from qadb.errors import StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qadb.backends.postgresql.programs.access import Access
    from qadb.backends.postgresql.restoring.restore_details import RestoreDetails
    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

# A newer pg_restore says this to every server, and an older one does not know it.
UNKNOWN_SETTING = "Command was: SET transaction_timeout = 0;"
ERROR = "pg_restore: error: "

# Whoever makes an index or a key may have lost the right to by the end. An archive names the
# rights beside what they are for; all else, in an order in which each finds what it needs.
BEFORE_ROWS = ("--section=pre-data", "--section=data", "--no-privileges")
AFTER_ROWS = "--section=post-data"
LATER = re.compile(
    rb"\d+; \d+ \d+ (?:FK CONSTRAINT|ROW SECURITY|POLICY|PUBLICATION|SUBSCRIPTION|DEFAULT ACL"
    rb"|EVENT TRIGGER|MATERIALIZED VIEW DATA) "
)
PRIVILEGES = re.compile(rb"\d+; \d+ \d+ (?:DEFAULT )?ACL ")


@dataclass(frozen=True, slots=True)
class AfterRows:
    """Which of an archive's entries are made of rows, as files for pg_restore.

    Attributes:
        indexes: those before the first foreign key, without any rights.
        foreign_keys: the rest; then come all rights, and in the end what takes them.
    """

    indexes: Path
    foreign_keys: Path


@dataclass(frozen=True, slots=True)
class ArchiveRestoring:
    """A pg_restore that fits the server and the archive.

    Attributes:
        says_unknown: it sets something at the server that this one does not know.
        jobs: how many of its processes may work.
    """

    program: Path
    access: Access
    url: DatabaseUrl
    says_unknown: bool
    jobs: int

    def restore(self, archive: Path) -> None:
        """Restore all of an archive; raises, as the others, unless pg_restore ended well."""
        self.run(archive)

    def restore_before_rows(self, archive: Path) -> None:
        """Make its tables, with such rows as it has."""
        self.run(archive, *BEFORE_ROWS)

    def find_after_rows(self, archive: Path) -> AfterRows:
        """Tell what is made when all rows are there; nothing is restored yet."""
        after = self._list(archive, AFTER_ROWS)
        indexes = list(takewhile(lambda line: not LATER.match(line), after))
        later = {*after} - {*indexes}
        rest = [line for line in self._list(archive) if line in later or PRIVILEGES.match(line)]
        return AfterRows(
            write_file(archive.with_name("indexes"), indexes),
            write_file(archive.with_name("foreign_keys"), rest),
        )

    def restore_entries(self, archive: Path, entries: Path) -> None:
        """Restore what a file names."""
        self.run(archive, f"--use-list={entries}")

    def _list(self, archive: Path, *sections: str) -> list[bytes]:
        words = ["--list", *sections, str(archive)]
        with run_program(self.program, words, self.access, self.url, piped=True) as run:
            lines = run.output.read().splitlines(keepends=True)
            run.finish()
        return lines

    def run(self, archive: Path, *parts: str) -> None:
        """Restore some parts."""
        arguments = ["--format=custom", f"--jobs={self.jobs}", *parts]
        arguments += [] if self.says_unknown else ["--exit-on-error"]
        words = [*arguments, str(archive)]
        with run_program(self.program, words, self.access, self.url, piped=False) as run:
            run.finish(_is_harmless if self.says_unknown else lambda _: False)


@contextmanager
def restoring_archives(
    made: DatabaseUrl,
    options: ConnectionOptions,
    wanted: RestoreDetails,
    *,
    folder: Path,
    jobs: int,
) -> Iterator[ArchiveRestoring]:
    """Find the program, and let it sign in until the block ends.

    Raises:
        MissingProgram: there is none.
        ConfigurationError: a pooler shares its connections.
    """
    with ExitStack() as stack:
        with plain_connection(made) as connection:
            require_own_session(connection, made)
            server_major = connection.info.server_version // VERSION_DIGITS
            access = stack.enter_context(
                program_access(
                    made,
                    connection.info,
                    database=str(made.database),
                    application=options.application,
                    folder=folder,
                )
            )
        programs = find_programs(server_major, oldest=wanted.dump_major)
        says_unknown = server_major < FIRST_WITH_TRANSACTION_TIMEOUT <= programs.major
        program = programs.path("pg_restore")
        yield ArchiveRestoring(program, access, made, says_unknown, max(jobs, 1))


def write_file(path: Path, content: Iterable[bytes]) -> Path:
    """Write a new file into the folder that a restore works in, for pg_restore to read.

    Raises:
        StorageFull: there is no room for it.
    """
    done = 0
    try:
        with path.open("xb") as file:
            for data in content:
                write_in_pieces(file, data)
                done += len(data)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise StorageFull(
            f"There is no room for the backup's content in {path.parent.parent}, which took "
            f"{done} bytes of it.",
            hint="Free some space, or name a folder with more in TMPDIR.",
        ) from error
    return path


def _is_harmless(messages: str) -> bool:
    """Every error is about the one setting that this server does not know."""
    return 0 < messages.count(ERROR) == messages.count(UNKNOWN_SETTING)

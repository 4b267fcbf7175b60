"""Fills an empty database with a backup's content: pg_restore, and rows on several sessions.

Pg_dump's archive goes to a file first: pg_restore's workers read it from many places at once.
Indexes, keys and policies come after all rows.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import psycopg2

from qadb.backends.postgresql.dumping.pieces import ARCHIVE, ROWS, STATEMENT, PieceReader
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.restoring.analyzing import Analyzer
from qadb.backends.postgresql.restoring.archive_restoring import restoring_archives, write_file
from qadb.backends.postgresql.restoring.row_loading import Rows, load_rows
from qadb.beside import Beside
from qadb.errors import BackupDamaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource, OnBytes
    from qadb.backends.postgresql.restoring.archive_restoring import ArchiveRestoring
    from qadb.backends.postgresql.restoring.restore_details import RestoreDetails
    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

READ_BYTES = 1 << 20
ARCHIVE_START = b"PGDMP"


def fill(
    content: ByteSource,
    made: DatabaseUrl,
    options: ConnectionOptions,
    wanted: RestoreDetails,
    *,
    folder: Path,
    jobs: int,
    on_bytes: OnBytes,
) -> None:
    """Restore the content, and let the planner learn of it.

    Args:
        content: pg_dump's archive, or pieces of one and of rows.
        made: the empty database.
        options: how to connect.
        wanted: what the backup notes of its database.
        folder: an empty one, for the archive.
        jobs: how many sessions may work.
        on_bytes: told how much of the content is read.

    Raises:
        BackupDamaged: the content can't be restored.
        StorageFull: no room in the folder for the archive, or none on the server.
    """
    source = _Peeked(content)
    archive = folder / "content"
    analyzer = Analyzer(made)
    try:
        with restoring_archives(made, options, wanted, folder=folder, jobs=jobs) as restoring:
            if source.first.startswith(ARCHIVE_START):
                write_file(archive, _read_all(source, on_bytes))
                restoring.restore(archive)
            else:
                pieces = iter(PieceReader(source, on_bytes))
                _fill_by_pieces(pieces, made, archive, restoring, analyzer)
            analyzer.analyze(restoring.jobs)
    except (psycopg2.DataError, psycopg2.IntegrityError) as error:
        reason = str(error).partition("\n")[0]
        raise BackupDamaged(
            f"The backup's content can't be made a database of: {reason}.",
            hint="Take another backup.",
        ) from error
    except psycopg2.Error as error:
        raise translate(error, made) from error


class _Peeked:
    """A source whose beginning has been looked at."""

    def __init__(self, content: ByteSource) -> None:
        self._content = content
        self.first = self._left = content.read(READ_BYTES)

    def read(self, size: int, /) -> bytes:
        if not self._left:
            return self._content.read(size)
        found, self._left = self._left[:size], self._left[size:]
        return found


def _read_all(source: ByteSource, on_bytes: OnBytes) -> Iterator[bytes]:
    done = 0
    while data := source.read(READ_BYTES):
        yield data
        done += len(data)
        on_bytes(done)


def _fill_by_pieces(
    pieces: Iterator[tuple[str, bytes]],
    made: DatabaseUrl,
    archive: Path,
    restoring: ArchiveRestoring,
    analyzer: Analyzer,
) -> None:
    """Restore the archive's tables, then all other rows, then what is made of rows."""
    later: list[tuple[str, bytes]] = []
    write_file(archive, _take_archive(pieces, later))
    with Beside(lambda: None, "qadb-list", 1) as beside:
        listed = beside.submit(lambda: restoring.find_after_rows(archive))
        restoring.restore_before_rows(archive)
        after = listed.result()
    load_rows(made, _with_statements(chain(later, pieces)), restoring.jobs)
    restoring.restore_entries(archive, after.indexes)
    # The keys of one table are checked one after the other, which leaves room for other work.
    analyzer.analyze_beside(lambda: restoring.restore_entries(archive, after.foreign_keys))


def _take_archive(
    pieces: Iterator[tuple[str, bytes]], later: list[tuple[str, bytes]]
) -> Iterator[bytes]:
    """Give the archive; the piece after it, with which it ends, is put aside."""
    for name, data in pieces:
        if not name.startswith(f"{ARCHIVE}/"):
            later.append((name, data))
            return
        yield data


def _with_statements(pieces: Iterable[tuple[str, bytes]]) -> Iterator[Rows]:
    """Give rows with the statement that takes them.

    Formerly each piece stood by itself: whole rows, a range of its own.
    """
    statements: dict[str, str] = {}
    for name, data in pieces:
        kind, table, file, *_ = *name.split("/"), "", ""
        if file == STATEMENT:
            statements[table] = data.decode()
        elif kind == ROWS and table in statements:
            yield Rows(statements[table], file, data)
        else:
            raise BackupDamaged(
                f"The backup's content has rows of no table ({name}).", hint="Take another backup."
            )

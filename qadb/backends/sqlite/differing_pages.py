"""Writes a rebuilt database's pages into a file that others may have open, where they differ.

Mostly the former database is an older or a newer state of the same, and few pages do. It is one
transaction, written to the log: a process that has the file open goes on with the new data.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from qadb.backends.sqlite import live_file
from qadb.backends.sqlite.early_sync import early_sync
from qadb.backends.sqlite.sqlite_shell import MAPPED_BYTES, open_in_shell

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.backends.sqlite.live_file import Witnesses
    from qadb.backends.sqlite.sqlite_shell import SqliteShell

# A page costs twice what it does where all are copied; and comparing costs a little.
_WORTH_SHARE: Final = 1 / 3
_SAMPLES: Final = 1000

_BATCH_BYTES: Final = 4 << 20  # that SQLite holds in memory
_CACHED_PAGES: Final = 200  # so few stay in the processor's cache
_TRY_MILLISECONDS: Final = 20  # SQLite asks every 100 where it waits for longer
_PENDING_BYTE: Final = 1 << 30  # its page has no content: https://www.sqlite.org/fileformat2.html
_FULL_AUTO_VACUUM: Final = 1  # moves pages when it commits

# Page 1 with another schema version, which tells others to read the schema anew. A size of zero
# says that the file's own counts, for a moment: SQLite shortens no file that page 1 calls short.
_FIRST_PAGE: Final = """
INSERT INTO sqlite_dbpage (pgno, data, schema)
SELECT 1, unhex(substr(page, 1, 56) || {size} || substr(page, 65, 16) || '{version:08X}'
    || substr(page, 89)), 'main'
FROM (SELECT hex(data) AS page FROM sqlite_dbpage('new') WHERE pgno = 1)
"""
_SHORTEN: Final = "UNION ALL SELECT {first_gone}, NULL, 'main'"

_DIFFERING: Final = """
FROM generate_series({first}, {last}, {step}) AS page
CROSS JOIN sqlite_dbpage('new') AS new ON new.pgno = page.value
LEFT JOIN sqlite_dbpage('main') AS live ON live.pgno = page.value
WHERE new.data IS NOT live.data AND page.value <> {pending}
"""
_WRITE: Final = f"""
INSERT INTO sqlite_dbpage (pgno, data, schema) SELECT page.value, new.data, 'main' {_DIFFERING}
"""


def write_differing(source: Path, live: Path, witnesses: Witnesses) -> bool:
    """Write the pages that differ in one transaction of the live file's, if few do.

    The source may still be checked meanwhile. Killed half-way it is undone.

    Returns:
        False where nothing was done and no witness was asked: many pages differ, the file has no
        log, or this installation has no shell of SQLite's.

    Raises:
        DatabaseInUse: somebody writes for longer than 30 s.
    """
    with open_in_shell(live) as shell:
        writer = None if shell is None else _prepare(shell, source, live)
        if writer is None:
            return False
        return writer.write(witnesses)


def _prepare(shell: SqliteShell, source: Path, live: Path) -> _Writer | None:
    """Open the source beside the live file; None where this is not the way, whatever the reason."""
    if not os.access(live, os.W_OK):  # SQLite would find out when it writes
        return None
    quoted = str(source).replace("'", "''")
    try:
        shell.command(".dbconfig defensive off")
        shell.run(
            f"ATTACH '{quoted}' AS new;"
            "PRAGMA temp_store = MEMORY;"
            "PRAGMA main.synchronous = FULL;"
            f"PRAGMA main.cache_size = {_CACHED_PAGES};"
            f"PRAGMA new.cache_size = {_CACHED_PAGES};"
            f"PRAGMA main.mmap_size = {MAPPED_BYTES};"
            f"PRAGMA new.mmap_size = {MAPPED_BYTES};"
        )
        writer = _Writer(shell, live)
        return writer if writer.is_worth_it() else None
    except sqlite3.OperationalError:
        return None


class _Writer:
    def __init__(self, shell: SqliteShell, live: Path) -> None:
        self._shell = shell
        self._live = live
        self._pages = shell.run_for_number("PRAGMA new.page_count;")
        self._page_size = shell.run_for_number("PRAGMA main.page_size;")

    def is_worth_it(self) -> bool:
        """Tell whether the files are of one kind, and few of the pages differ."""
        kinds = self._shell.run(
            "PRAGMA main.journal_mode; PRAGMA new.journal_mode; PRAGMA new.page_size;"
        )
        is_of_a_kind = kinds == ["wal", "wal", str(self._page_size)]
        return is_of_a_kind and self._estimate_share() <= _WORTH_SHARE

    def write(self, witnesses: Witnesses) -> bool:
        """Write them; the witnesses are asked before the first, and before the commit.

        Returns:
            False where nothing was done, as the file moves pages by itself.
        """
        self._keep_writers_out()
        if self._shell.run_for_number("PRAGMA main.auto_vacuum;") == _FULL_AUTO_VACUUM:
            return False
        witnesses.when_locked()
        former_pages = self._shell.run_for_number("PRAGMA main.page_count;")
        version = self._shell.run_for_number("PRAGMA main.schema_version;")
        expected_bytes = round(self._estimate_share() * self._pages) * self._page_size
        with early_sync(self._live, expected_bytes):
            batch = max(1, _BATCH_BYTES // self._page_size)
            for first in range(2, self._pages + 1, batch):
                last = min(first + batch - 1, self._pages)
                self._shell.run(f"{_WRITE.format(**self._range(first, last, 1))};")
            self._write_first(former_pages, version)
            witnesses.wait_until_sound()
            self._shell.run("COMMIT;")
            self._settle()
        return True

    def _keep_writers_out(self) -> None:
        """Begin as soon as nobody writes, asking often: some write without a pause."""
        self._shell.command(f".timeout {_TRY_MILLISECONDS}")
        until = time.monotonic() + live_file.BUSY_SECONDS
        while not self._try_to_begin():
            if time.monotonic() > until:
                raise live_file.locked_for_too_long(self._live)

    def _try_to_begin(self) -> bool:
        try:
            self._shell.run("BEGIN IMMEDIATE;")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def _write_first(self, former_pages: int, version: int) -> None:
        """Write page 1, last of all: no statement can be read once the schema is another."""
        is_shorter = self._pages < former_pages
        statement = _FIRST_PAGE.format(
            size="'00000000'" if is_shorter else "substr(page, 57, 8)",
            version=(version + 1) & 0xFFFFFFFF,
        )
        if is_shorter:
            statement += _SHORTEN.format(first_gone=self._pages + 1)
        self._shell.run(f"{statement};")

    def _settle(self) -> None:
        """Have page 1 say the size, and move the log into the file unless somebody is in the way.

        What fails here is nothing that anybody lacks: the new content is in the database.
        """
        with suppress(sqlite3.OperationalError):
            self._shell.run("BEGIN IMMEDIATE; COMMIT;")  # SQLite writes a size that was left open
            self._shell.command(".timeout 0")
            self._shell.run("PRAGMA main.wal_checkpoint(TRUNCATE);")

    def _estimate_share(self) -> float:
        """The share of the pages that differ, by some of them."""
        step = max(1, self._pages // _SAMPLES)
        where = _DIFFERING.format(**self._range(1, self._pages, step))
        return self._shell.run_for_number(f"SELECT count(*) {where};") * step / self._pages

    def _range(self, first: int, last: int, step: int) -> dict[str, int]:
        pending = _PENDING_BYTE // self._page_size + 1
        return {"first": first, "last": last, "step": step, "pending": pending}

"""The checks of a SQLite file and its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Limits, some_or_none
from qadb.health import file_probes as probes

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

SQLITE = frozenset({"sqlite"})

SQLITE_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-Q01",
        title="Journal mode",
        group="engine",
        severity="warn",
        limits=some_or_none(),
        cost="cheap",
        why="Outside of WAL a writer and its readers wait for each other.",
        remedy="PRAGMA journal_mode = WAL",
        probe=probes.journal_mode,
        facts=("journal_mode",),
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q02",
        title="Synchronous",
        group="engine",
        severity="crit",
        limits=some_or_none(),
        cost="cheap",
        why="Below full, commits are lost when the power fails; off, the file may be destroyed.",
        remedy="PRAGMA synchronous = FULL, on every connection",
        probe=probes.synchronous,
        facts=("synchronous",),
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q03",
        title="Foreign keys are on",
        group="engine",
        severity="crit",
        limits=Limits("", None, 1, "https://www.sqlite.org/foreignkeys.html: off unless asked for"),
        cost="cheap",
        why="With them off, rows are written whose parents are not there.",
        remedy="PRAGMA foreign_keys = ON, on every connection; a library built without them is no"
        " use",
        probe=probes.foreign_keys,
        facts=("keys_are_checked",),
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q04",
        title="Size of the write-ahead log",
        group="engine",
        severity="crit",
        limits=Limits(
            "B", 100_000_000, 1_000_000_000, "our judgement: 25 and 250 times wal_autocheckpoint"
        ),
        cost="cheap",
        why="Reading gets slower the longer the log is. It grows while somebody reads without "
        "an end.",
        remedy="End the program that keeps a read open, then: PRAGMA wal_checkpoint(TRUNCATE)",
        probe=probes.log_size,
        reads="The size of the file whose name ends in -wal.",
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q05",
        title="Free pages",
        group="engine",
        severity="warn",
        limits=Limits("%", 25, None, "our judgement, from 10 MB on"),
        cost="cheap",
        why="The file is larger than what it holds, and so is every copy of it.",
        remedy="PRAGMA incremental_vacuum, or VACUUM",
        probe=probes.free_pages,
        facts=("free_pages",),
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q06",
        title="Application id",
        group="engine",
        severity="crit",
        limits=some_or_none(),
        cost="cheap",
        why="By it qadb and file(1) know whose file it is; with another's mark it is refused.",
        remedy="PRAGMA application_id = 1902208098",
        probe=probes.application_id,
        facts=("application_id",),
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q07",
        title="File system",
        group="engine",
        severity="crit",
        limits=Limits(
            "", None, 1, "https://www.sqlite.org/wal.html: not over a network file system"
        ),
        cost="cheap",
        why="Over a network, locks and the shared memory of WAL do not hold: the file gets "
        "damaged.",
        remedy="Move the file to a disk of this machine, or use PostgreSQL.",
        probe=probes.file_system,
        reads="/proc/self/mounts",
        engines=SQLITE,
    ),
    Check(
        id="QADB-Q08",
        title="Permissions of the file",
        group="engine",
        severity="warn",
        limits=Limits("files", 1, None, "CIS: data files are for their owner alone"),
        cost="cheap",
        why="Any user of the machine could change results, or put another file in its place.",
        remedy="chmod o-w FILE FOLDER",
        probe=probes.permissions,
        reads="The modes of the file, of what stands beside it, and of its folder.",
        engines=SQLITE,
    ),
)

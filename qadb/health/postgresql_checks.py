"""The checks of a PostgreSQL server: all of them, by number.

Here are those of its settings, cache, replicas and disk; the others stand by their theme.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Limits
from qadb.health import server_probes as probes
from qadb.health.postgresql_activity_checks import ACTIVITY_CHECKS
from qadb.health.postgresql_upkeep_checks import UPKEEP_CHECKS

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

POSTGRESQL = frozenset({"postgresql"})

_SERVER_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-P12",
        title="Cache hits",
        group="engine",
        severity="warn",
        limits=Limits("%", 90, None, "our judgement; PgHero asks for 99", lower_is_worse=True),
        cost="cheap",
        why="What is not in the cache is asked of the disk, which takes a thousand times longer.",
        remedy="Raise shared_buffers, or look for queries that read whole tables.",
        probe=probes.cache_hits,
        facts=("cache_use",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P13",
        title="Replication lag",
        group="engine",
        severity="crit",
        limits=Limits("B", 52_428_800, 104_857_600, "pgMonitor PGReplicationByteLag"),
        cost="cheap",
        why="What a replica lacks is lost when it takes over, and its readers see the past.",
        remedy="Look at the replica's log, its disk and long queries there.",
        probe=probes.replication_lag,
        facts=("replication",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P14",
        title="Replication slots",
        group="engine",
        severity="crit",
        limits=Limits(
            "B", 1, 10_000_000_000, "pgMonitor PGReplicationSlotsInactive; ours: critical at 10 GB"
        ),
        cost="cheap",
        why="A slot that nobody reads keeps the log until the disk is full, and dead rows with it.",
        remedy="SELECT pg_drop_replication_slot(NAME)",
        probe=probes.replication_slots,
        facts=("slots",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P15",
        title="Checksum failures",
        group="engine",
        severity="crit",
        limits=Limits("pages", None, 1, "pgMonitor PGDataChecksum: a single one"),
        cost="cheap",
        why="The disk gave back another page than was written: rows are lost, and more may follow.",
        remedy="Take a backup beside the older ones, look at the disk, then restore elsewhere.",
        probe=probes.checksum_failures,
        facts=("checksum_failures",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P16",
        title="Safe from crashes",
        group="engine",
        severity="crit",
        limits=Limits(
            "settings", None, 1, "https://www.postgresql.org/docs/current/non-durability.html"
        ),
        cost="cheap",
        why="With either of them off, a machine that loses its power can lose the whole database.",
        remedy="ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on; SELECT "
        "pg_reload_conf()",
        probe=probes.crash_safety,
        facts=("settings",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P18",
        title="Disk",
        group="engine",
        severity="crit",
        limits=Limits("%", 90, 95, "check_postgres disk_space"),
        cost="cheap",
        why="A server whose disk is full stops.",
        remedy="Make room, or use a larger disk; see also: qadb stats",
        probe=probes.disk,
        facts=(
            "server_is_here",
            "data_folders",
        ),
        reads="How full the disks of these folders are, where they are on this machine.",
        engines=POSTGRESQL,
    ),
)

POSTGRESQL_CHECKS: tuple[HealthCheck, ...] = tuple(
    sorted((*ACTIVITY_CHECKS, *UPKEEP_CHECKS, *_SERVER_CHECKS), key=lambda check: check.id)
)

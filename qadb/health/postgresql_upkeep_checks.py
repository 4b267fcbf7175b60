"""The checks of vacuuming and of running numbers on a PostgreSQL server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Limits
from qadb.health import upkeep_probes as upkeep

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

POSTGRESQL = frozenset({"postgresql"})

UPKEEP_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-P05",
        title="Transaction id age",
        group="engine",
        severity="crit",
        limits=Limits("%", 50, 75, "pgMonitor PGXIDWraparound"),
        cost="cheap",
        why="At 100 % the server takes no writes until everything is vacuumed.",
        remedy="VACUUM (FREEZE, VERBOSE)",
        probe=upkeep.transaction_age,
        facts=("transaction_age",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P06",
        title="Multixact id age",
        group="engine",
        severity="crit",
        limits=Limits("%", 50, 75, "pgMonitor PGXIDWraparound, for the other kind of id"),
        cost="cheap",
        why="At 100 % the server refuses shared row locks, which every foreign key takes.",
        remedy="VACUUM (FREEZE, VERBOSE)",
        probe=upkeep.multixact_age,
        facts=("multixact_age",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P08",
        title="Dead rows",
        group="engine",
        severity="warn",
        limits=Limits("%", 20, None, "pgdoctor table-bloat; ours: from 10 MB of dead rows on"),
        cost="cheap",
        why="Every query reads past them, and the disk holds them.",
        remedy="VACUUM (ANALYZE, VERBOSE) TABLE",
        probe=upkeep.dead_rows,
        facts=(
            "upkeep",
            "settings",
        ),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P09",
        title="Autovacuum keeps up",
        group="engine",
        severity="warn",
        limits=Limits(
            "times", 2, None, "our judgement: twice its own trigger; from 10,000 dead rows on"
        ),
        cost="cheap",
        why="A table that autovacuum does not come to grows, and is planned for by old "
        "statistics. Often a long transaction or an unread slot holds it up.",
        remedy="VACUUM (ANALYZE, VERBOSE) TABLE; then lower autovacuum_vacuum_cost_delay",
        probe=upkeep.vacuum_lag,
        facts=(
            "upkeep",
            "settings",
        ),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P10",
        title="Autovacuum is on",
        group="engine",
        severity="warn",
        limits=Limits(
            "settings", 1, None, "https://www.postgresql.org/docs/current/routine-vacuuming.html"
        ),
        cost="cheap",
        why="Without it dead rows stay, and plans are made by statistics of long ago.",
        remedy="ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()",
        probe=upkeep.autovacuum,
        facts=(
            "settings",
            "upkeep",
        ),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P11",
        title="Sequences",
        group="engine",
        severity="crit",
        limits=Limits("%", 85, 95, "check_postgres sequence"),
        cost="cheap",
        why="At 100 % no row can be added to the table.",
        remedy="ALTER TABLE TABLE ALTER COLUMN id TYPE bigint; ALTER SEQUENCE SEQUENCE AS bigint",
        probe=upkeep.sequences,
        facts=("sequences",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P17",
        title="Unlogged tables",
        group="engine",
        severity="warn",
        limits=Limits(
            "tables", 1, None, "https://www.postgresql.org/docs/current/sql-createtable.html"
        ),
        cost="cheap",
        why="A crash empties them, replicas and continuous archives have none of their rows.",
        remedy="ALTER TABLE TABLE SET LOGGED",
        probe=upkeep.unlogged_tables,
        facts=("unlogged_tables",),
        engines=POSTGRESQL,
    ),
)

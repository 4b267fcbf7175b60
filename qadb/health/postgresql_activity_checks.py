"""The checks of a PostgreSQL server's sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Limits
from qadb.health import activity_probes as activity

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

POSTGRESQL = frozenset({"postgresql"})

ACTIVITY_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-P01",
        title="Connections",
        group="engine",
        severity="crit",
        limits=Limits("%", 75, 90, "pgMonitor PGConnPerc"),
        cost="cheap",
        why="Where none is left, nobody else can connect but superusers.",
        remedy="Close what is idle, use a pooler, or raise max_connections.",
        probe=activity.connections,
        facts=("connection_use",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P02",
        title="Long-running statements",
        group="engine",
        severity="crit",
        limits=Limits(
            "s", 60, 86_400, "PgHero: long running queries; pgMonitor PGQueryTime: a day"
        ),
        cost="cheap",
        why="A statement that runs for long takes the machine from others, and may never end.",
        remedy="SELECT pg_cancel_backend(PID)",
        probe=activity.long_statements,
        facts=("sessions",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P03",
        title="Long transactions",
        group="engine",
        severity="crit",
        limits=Limits("s", 3600, 86_400, "our judgement: an hour; pgMonitor PGQueryTime: a day"),
        cost="cheap",
        why="While it is open nothing that was deleted since can be vacuumed, in any table.",
        remedy="SELECT pg_terminate_backend(PID)",
        probe=activity.long_transactions,
        facts=("sessions",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P04",
        title="Idle in transaction",
        group="engine",
        severity="crit",
        limits=Limits("s", 300, 900, "pgMonitor PGIdleTxn"),
        cost="cheap",
        why="It keeps its locks and does nothing: others wait for it, migrations among them.",
        remedy="SELECT pg_terminate_backend(PID); ALTER SYSTEM SET "
        "idle_in_transaction_session_timeout = '5min'",
        probe=activity.idle_transactions,
        facts=("sessions",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-P07",
        title="Waits for locks",
        group="engine",
        severity="crit",
        limits=Limits("s", 10, 300, "our judgement: pages time out; PgHero lists every wait"),
        cost="cheap",
        why="Whoever comes later waits behind it, until the connections are used up.",
        remedy="SELECT pg_terminate_backend(PID)",
        probe=activity.lock_waits,
        facts=("lock_waits",),
        engines=POSTGRESQL,
    ),
)

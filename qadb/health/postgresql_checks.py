"""Checks of a PostgreSQL server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Finding, Limits
from qadb.errors import QadbError

if TYPE_CHECKING:
    from qadb.backends.base_health import ServerInspector
    from qadb.health.context import Context, HealthCheck

POSTGRESQL = frozenset({"postgresql"})


def server(context: Context) -> ServerInspector:
    """What asks the server of itself."""
    found = context.database.backend.server
    if found is None:
        raise QadbError("This engine is no server.")
    return found


def transaction_age(context: Context) -> Finding:
    """How much of the room for transaction ids is used."""
    found = server(context).transaction_age(context.connection)
    percent = round(100 * found.age / found.wraps_at, 1)
    return Finding(
        context.limits.judge(percent),
        f"{percent:g} % of the transaction ids are used, in the database {found.database}.",
        percent,
        (f"age {found.age:,}, frozen from {found.freeze_max_age:,} on by autovacuum",),
    )


POSTGRESQL_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-P05",
        title="Transaction id age",
        group="engine",
        severity="crit",
        limits=Limits("%", 40, 75, "check_postgres txn_wraparound: 1.3 and 1.4 billion; pgdash"),
        cost="cheap",
        why="At 100 % the server takes no writes until everything is vacuumed.",
        remedy="VACUUM (FREEZE, VERBOSE)",
        probe=transaction_age,
        facts=("transaction_age",),
        engines=POSTGRESQL,
    ),
)

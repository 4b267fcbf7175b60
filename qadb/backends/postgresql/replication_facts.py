"""How far PostgreSQL's replicas are behind, and what slots keep for readers that do not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qadb.backends.base_server_health import Hidden, Replica, Replication, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

# One row a follower, or one row for this server where it is one itself. All but the name is NULL
# for a role that may not see it. A follower that only stores the log replays nothing.
REPLICATION_SQL: Final = """
SELECT false AS is_replica, false AS is_cut_off, state,
       concat_ws(', ', nullif(application_name, ''), host(client_addr)) AS name,
       greatest(pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
         coalesce(replay_lsn, flush_lsn, sent_lsn)), 0)::bigint AS lag_bytes,
       extract(epoch FROM replay_lag)::float AS lag_seconds,
       'GRANT pg_monitor TO ' || quote_ident(current_user) AS grant_statement
FROM pg_catalog.pg_stat_replication
WHERE state IS DISTINCT FROM 'backup'
UNION ALL
SELECT true, NOT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver), 'replaying', 'this server',
       greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::bigint,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float, ''
WHERE pg_is_in_recovery()
ORDER BY lag_bytes DESC NULLS LAST, name
"""

SLOTS_SQL: Final = """
SELECT slot_name AS name, active AS is_active, coalesce(wal_status, 'lost') AS wal_status,
       greatest(coalesce(pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
         restart_lsn), 0), 0)::bigint AS retained_bytes
FROM pg_catalog.pg_replication_slots
WHERE NOT temporary
ORDER BY retained_bytes DESC, 1
"""

STATEMENTS: Mapping[str, str] = {"replication": REPLICATION_SQL, "slots": SLOTS_SQL}


def replication(connection: Connection) -> Replication:
    """How far the followers are behind, or this server is if it is one."""
    rows = connection.exec_driver_sql(REPLICATION_SQL).all()
    seen = tuple(
        Replica(row.name, row.state, int(row.lag_bytes or 0), row.lag_seconds)
        for row in rows
        if row.state is not None
    )
    hidden = [row for row in rows if row.state is None]
    return Replication(
        seen,
        any(row.is_replica for row in rows),
        any(row.is_cut_off for row in rows),
        Hidden(len(hidden), hidden[0].grant_statement if hidden else ""),
    )


def slots(connection: Connection) -> tuple[Slot, ...]:
    """The replication slots, those that keep most first."""
    rows = connection.exec_driver_sql(SLOTS_SQL)
    return tuple(Slot(**row) for row in rows.mappings())

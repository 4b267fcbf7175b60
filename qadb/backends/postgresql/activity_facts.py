"""Who is connected to a PostgreSQL server, what they are at, and whom they keep waiting.

A role without ``pg_read_all_stats`` sees that others are connected and not what they do: such
sessions are counted as hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qadb.backends.base_server_health import ConnectionUse, Hidden, LockWait, Session, Sessions
from qadb.backends.postgresql.query_text import spell_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

# What is reserved is there for superusers, or for a role of its own (from version 16 on). Senders
# of the log have room of their own, and what is hidden counts as a client.
CONNECTIONS_SQL: Final = """
SELECT count(*) FILTER (
         WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
       ) AS used,
       current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true), '0')::int AS most
FROM pg_catalog.pg_stat_activity
"""

# One row a session of this database but one's own; state is NULL where it is hidden.
SESSIONS_SQL: Final = """
WITH waits AS MATERIALIZED (
  SELECT pid, pg_catalog.pg_blocking_pids(pid) AS blockers
  FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted) AS waiting
)
SELECT a.pid, a.state, left(a.query, 1000) AS query,
       concat_ws(', ', a.usename, nullif(a.application_name, ''), host(a.client_addr)) AS who,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float AS transaction_seconds,
       extract(epoch FROM clock_timestamp() - a.query_start)::float AS statement_seconds,
       CASE WHEN a.state <> 'active'
            THEN extract(epoch FROM clock_timestamp() - a.state_change)::float END AS idle_seconds,
       ARRAY(SELECT w.pid FROM waits AS w WHERE a.pid = ANY (w.blockers) ORDER BY w.pid) AS blocks,
       'GRANT pg_read_all_stats TO ' || quote_ident(current_user) AS grant_statement
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
ORDER BY a.xact_start, a.pid
"""

# One row a session that waits. waitstart is NULL for the moment in which the waiting begins.
LOCK_WAITS_SQL: Final = """
SELECT l.pid, concat_ws(', ', a.usename, nullif(a.application_name, '')) AS who,
       l.mode || coalesce(' on ' || l.relation::regclass, ' of a ' || l.locktype) AS wants,
       coalesce(extract(epoch FROM clock_timestamp() - l.waitstart), 0)::float AS seconds,
       pg_catalog.pg_blocking_pids(l.pid) AS blocked_by
FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE NOT l.granted AND a.datname = current_database()
ORDER BY seconds DESC, l.pid
"""

STATEMENTS: Mapping[str, str] = {
    "connection_use": CONNECTIONS_SQL,
    "sessions": SESSIONS_SQL,
    "lock_waits": LOCK_WAITS_SQL,
}


def connection_use(connection: Connection) -> ConnectionUse:
    """How many connections there are, and how many ordinary roles may have."""
    row = connection.exec_driver_sql(CONNECTIONS_SQL).one()
    return ConnectionUse(int(row.used), int(row.most))


def sessions(connection: Connection) -> Sessions:
    """The other sessions of the database, the longest transaction first."""
    rows = connection.exec_driver_sql(SESSIONS_SQL).all()
    seen = tuple(
        Session(
            pid=int(row.pid),
            who=row.who,
            state=row.state,
            transaction_seconds=row.transaction_seconds,
            statement_seconds=row.statement_seconds,
            idle_seconds=row.idle_seconds,
            query=spell_query(row.query),
            blocks=tuple(row.blocks),
        )
        for row in rows
        if row.state is not None
    )
    hidden = len(rows) - len(seen)
    return Sessions(seen, Hidden(hidden, rows[0].grant_statement if hidden else ""))


def lock_waits(connection: Connection) -> tuple[LockWait, ...]:
    """Who waits for a lock in the database, the longest first."""
    rows = connection.exec_driver_sql(LOCK_WAITS_SQL)
    return tuple(
        LockWait(int(row.pid), row.who, row.wants, float(row.seconds), tuple(row.blocked_by))
        for row in rows
    )

"""Keeps the place of a PostgreSQL database for a restore, and swaps databases by renaming them.

Two locks: one on a maintenance database, by the target's name, which lasts while the target is
renamed, and which other operations give way to; and the operations' own lock in the target, which
has to be let go for that.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from qadb.backends.base_backups import already_sound, nothing_to_save
from qadb.backends.postgresql import locks
from qadb.backends.postgresql.connector import (
    database_exists,
    database_name,
    maintenance_connection,
    maintenance_url,
)
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.names import former_name
from qadb.backends.postgresql.restoring.rebuilding import drop_database
from qadb.errors import DatabaseInUse, QadbError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qadb.backends.values import ConnectionOptions, LockHolder
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

IN_USE = "55006"
ATTEMPTS_TO_DISCONNECT = 5
PAUSE_SECONDS = 0.05
MOST_NAMED = 5

# Everybody in a database but ourselves and whom a rename sends away by itself; a transaction that
# was prepared for two-phase commit holds it as a session does. An ordinary role sees of others'
# sessions little more than that they are there.
USERS_SQL = """
SELECT 'pid ' || pid || ', role ' || coalesce(usename, '?')
    || coalesce(', application ' || nullif(application_name, ''), '')
    || coalesce(', from ' || coalesce(client_hostname, host(client_addr)), '')
FROM pg_catalog.pg_stat_activity
WHERE datname = %(name)s AND NOT pid = ANY (%(own)s)
  AND coalesce(backend_type, '') NOT IN ('autovacuum worker', 'parallel worker')
UNION ALL
SELECT 'prepared transaction ' || gid || ' of role ' || owner
FROM pg_catalog.pg_prepared_xacts WHERE database = %(name)s
ORDER BY 1
"""
# An autovacuum worker has no role; what it is, an ordinary role does not see.
END_USERS_SQL = """
SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datname = %s AND usename IS NOT NULL
  AND coalesce(backend_type, '') NOT IN ('autovacuum worker', 'parallel worker')
"""
END_OWN_SQL = """
SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datname = %s AND usename = current_user
"""
NAMES_SQL = "SELECT datname FROM pg_catalog.pg_database"
NO_LIMIT_SQL = "SELECT set_config('statement_timeout', '0', true)"
RENAME_SQL = "ALTER DATABASE {} RENAME TO {}"


@contextlib.contextmanager
def claim(
    url: DatabaseUrl,
    schema: Schema,
    options: ConnectionOptions,
    *,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> Iterator[PlaceClaim]:
    """Hold both locks; the operations' one where the database is there.

    Raises:
        LockNotAvailable: another operation still holds one after ``wait_seconds``.
    """
    started = time.monotonic()
    with maintenance_connection(url) as connection:
        name = database_name(url, connection)
    place = maintenance_url(url)
    key = locks.claim_key(name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locks.hold(place, options, lambda _: key, wait_seconds, on_wait))
        inner = stack.enter_context(contextlib.ExitStack())
        pids: list[int] = []
        if database_exists(url):
            left = max(wait_seconds - (time.monotonic() - started), 0.0)
            held = inner.enter_context(
                locks.hold_operations(
                    url, schema, options, wait_seconds=left, on_wait=on_wait, is_claimed=True
                )
            )
            pids.append(held.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        yield PlaceClaim(url, name, pids, inner)


class PlaceClaim:
    """A place that is claimed; see the protocol.

    Args:
        url: the database that is or will be there.
        name: what it is called.
        own_pids: server processes of ours that are connected to it.
        inner: what is connected to it, to be let go before it is renamed.
    """

    def __init__(
        self, url: DatabaseUrl, name: str, own_pids: list[int], inner: contextlib.ExitStack
    ) -> None:
        self._url = url
        self._name = name
        self._own_pids = own_pids
        self._inner = inner

    def find_users(self) -> tuple[str, ...]:
        """Describe who else is connected to the database."""
        with (
            _translated(self._url),
            maintenance_connection(self._url) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(USERS_SQL, {"name": self._name, "own": self._own_pids})
            return tuple(described for (described,) in cursor.fetchall())

    def watch_commits(self) -> None:
        """The former database is kept with all that was ever committed."""

    def put_in_place(
        self,
        rebuilt: DatabaseUrl,
        *,
        is_damaged: bool,
        disconnect: bool,
        drop_previous: bool,
        wait_until_sound: Callable[[], object] = already_sound,
        save_late: Callable[[], object] = nothing_to_save,
    ) -> str | None:
        """Rename the database away and the rebuilt one to its name, in one transaction.

        Raises:
            DatabaseInUse: somebody is connected; the message names who.
        """
        del is_damaged, save_late  # renaming reads nothing of it, and keeps it
        wait_until_sound()
        self._inner.close()
        self._own_pids.clear()
        made = str(rebuilt.database)
        with _translated(self._url):
            former = self._swap_and_end_others(made) if disconnect else self._swap(made)
        if former is None or not drop_previous:
            return former
        try:
            drop_database(self._url, former)
        except (psycopg2.Error, QadbError) as error:
            shown = self._url.redact(str(error)).strip()
            logger.warning("The former database %s could not be dropped: %s", former, shown)
            return former
        return None

    def _swap_and_end_others(self, made: str) -> str | None:
        """Swap while a thread ends the others' sessions: pools connect again at once.

        The rename keeps newcomers out while it waits for those who are in.
        """
        for attempt in range(1, ATTEMPTS_TO_DISCONNECT + 1):
            with _SessionEnder(self._url, self._name) as ender:
                try:
                    return self._swap(made)
                except DatabaseInUse as error:
                    if ender.failure is not None:
                        raise translate(ender.failure, self._url) from error
                    if attempt == ATTEMPTS_TO_DISCONNECT:
                        raise
        raise AssertionError("the last attempt returns or raises")

    def _swap(self, made: str) -> str | None:
        """Return the former database's new name; None where there was none."""
        try:
            with maintenance_connection(self._url) as connection, connection.cursor() as cursor:
                connection.autocommit = False
                cursor.execute(NO_LIMIT_SQL)
                cursor.execute(NAMES_SQL)
                names = frozenset(name for (name,) in cursor.fetchall())
                cursor.execute(END_OWN_SQL, (made,))  # a pooler may have kept some of ours
                former = None
                if self._name in names:
                    moment = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
                    former = former_name(self._name, moment, names)
                    cursor.execute(_rename(self._name, former))
                cursor.execute(_rename(made, self._name))
                connection.commit()
                return former
        except psycopg2.Error as error:
            if error.pgcode == IN_USE:
                raise self._in_use() from error
            raise

    def _in_use(self) -> DatabaseInUse:
        users = self.find_users()
        named = "; ".join(users[:MOST_NAMED]) or "somebody who has left since"
        more = f"; and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        return DatabaseInUse(
            f"The database '{self._name}' is in use: {named}{more}.",
            hint="End these sessions, or let the restore do it with --disconnect.",
        )


class _SessionEnder:
    """Ends all sessions of a database again and again, until the block ends.

    Attributes:
        failure: what the server said where it would not end one.
    """

    def __init__(self, url: DatabaseUrl, name: str) -> None:
        self.failure: psycopg2.Error | None = None
        self._url = url
        self._name = name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="qadb-disconnect", daemon=True)

    def __enter__(self) -> _SessionEnder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            with maintenance_connection(self._url) as connection, connection.cursor() as cursor:
                while not self._ended.is_set():
                    cursor.execute(END_USERS_SQL, (self._name,))
                    self._ended.wait(PAUSE_SECONDS)
        except psycopg2.Error as error:
            self.failure = error
        except QadbError:
            pass  # the swap can't connect either, and says so


def _rename(name: str, new_name: str) -> sql.Composable:
    return sql.SQL(RENAME_SQL).format(sql.Identifier(name), sql.Identifier(new_name))


@contextlib.contextmanager
def _translated(url: DatabaseUrl) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise translate(error, url) from error

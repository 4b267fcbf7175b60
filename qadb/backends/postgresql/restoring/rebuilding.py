"""Makes a database of a backup's content, beside the one that it is to replace."""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from qadb.backends.postgresql.connector import (
    database_name,
    maintenance_connection,
    maintenance_url,
    plain_connection,
)
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.locks import hold, key_of_name
from qadb.backends.postgresql.names import rebuilt_name
from qadb.backends.postgresql.restoring.database_facts import apply_facts
from qadb.backends.postgresql.restoring.filling import fill
from qadb.backends.postgresql.restoring.restore_details import RestoreDetails, read_details
from qadb.errors import QadbError, RestoreRefused
from qadb.owned_folders import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qadb.backends.base_backups import ByteSource, OnBytes
    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

WORK_PREFIX = "qadb-restore-"
# A locale or its provider that the server has not, or that does not go with the encoding.
UNKNOWN_LOCALE = ("22023", "42809", "0A000", "42704")
# Who may not drop one, on a standby nobody, was refused to make it.
NEVER_MADE = ("25006", "42501")

PROVIDERS = {"i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}


@contextmanager
def rebuild(
    content: ByteSource,
    url: DatabaseUrl,
    options: ConnectionOptions,
    *,
    details: Mapping[str, object],
    folder: Path | None,
    jobs: int,
    on_bytes: OnBytes,
) -> Iterator[DatabaseUrl]:
    """Make a database of the content; it is dropped at the end unless it was renamed.

    Raises:
        BackupDamaged: the content can't be rebuilt.
        RestoreRefused: the server has not the database's locale.
        StorageFull: no room here for the content, or none on the server for the database.
    """
    wanted = read_details(details)
    with new_database_beside(url, options, lambda name: create_like(url, name, wanted)) as made:
        with _work_folder(folder) as work:
            fill(content, made, options, wanted, folder=work, jobs=jobs, on_bytes=on_bytes)
        _apply_facts(url, made, wanted)
        yield made


@contextmanager
def _work_folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        with tempfile.TemporaryDirectory(prefix="restore-", dir=folder) as work:
            yield Path(work)
        return
    with temporary_folder(WORK_PREFIX) as owned:
        yield owned


def rebuilding_key(name: str) -> int:
    """The lock of a database that is being rebuilt."""
    return key_of_name(f"qadb:rebuild:{name}")


def drop_database(url: DatabaseUrl, name: str) -> None:
    """Drop a database of ours with whoever is left in it; one that is gone is no error."""
    with maintenance_connection(url) as connection, connection.cursor() as cursor:
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        cursor.execute(statement.format(sql.Identifier(name)))


@contextmanager
def new_database_beside(
    url: DatabaseUrl, options: ConnectionOptions, create: Callable[[str], None]
) -> Iterator[DatabaseUrl]:
    """Create an empty database under a name of its own, marked as in work by a lock.

    It is dropped at the end unless it was renamed.
    """
    with maintenance_connection(url) as connection:
        name = rebuilt_name(database_name(url, connection))
    made = url.with_database(name)
    place = maintenance_url(url)
    with hold(place, options, lambda _: rebuilding_key(name), 0, lambda _: None):
        try:
            create(name)
            yield made
        finally:
            _remove(url, name)


def create_like(url: DatabaseUrl, name: str, wanted: RestoreDetails) -> None:
    """Create an empty database of the locale wanted, and see that the facts can be applied to it.

    Raises:
        RestoreRefused: the server has not the locale.
    """
    try:
        with maintenance_connection(url) as connection:
            with connection.cursor() as cursor:
                cursor.execute(_creation(name, wanted))
            connection.autocommit = False
            apply_facts(connection, name, wanted)  # what is refused is refused before the work
            connection.rollback()
        if not wanted.has_public:
            with plain_connection(url.with_database(name)) as connection:
                connection.cursor().execute("DROP SCHEMA public")
    except psycopg2.Error as error:
        if error.pgcode in UNKNOWN_LOCALE and "locale" in str(error).lower():
            raise RestoreRefused(
                f"The server can't make a database of the backup's locale ({wanted.collate}, "
                f"{wanted.ctype}): {str(error).strip().splitlines()[0]}.",
                hint="Install the locale on the server.",
            ) from error
        raise translate(error, url) from error


def _creation(name: str, wanted: RestoreDetails) -> sql.Composable:
    parts = {
        "ENCODING": wanted.encoding,
        "LC_COLLATE": wanted.collate,
        "LC_CTYPE": wanted.ctype,
    }
    if wanted.locale_provider in PROVIDERS and wanted.locale is not None:
        provider, option = PROVIDERS[wanted.locale_provider]
        parts |= {"LOCALE_PROVIDER": provider, option: wanted.locale}
        if wanted.icu_rules:
            parts["ICU_RULES"] = wanted.icu_rules
    elif wanted.locale_provider is not None:
        parts["LOCALE_PROVIDER"] = "libc"
    stated = sql.SQL(" ").join(
        sql.SQL(f"{option} {{}}").format(sql.Literal(value)) for option, value in parts.items()
    )
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ").format(sql.Identifier(name))
    return create + stated


def _apply_facts(url: DatabaseUrl, made: DatabaseUrl, wanted: RestoreDetails) -> None:
    """Give the database its settings last: none of them should hold while it is filled."""
    try:
        with maintenance_connection(url) as connection:
            connection.autocommit = False
            apply_facts(connection, str(made.database), wanted)
            connection.commit()
    except psycopg2.Error as error:
        raise translate(error, made) from error


def _remove(url: DatabaseUrl, name: str) -> None:
    """Drop the database where it still has its name; what went wrong before is what is told."""
    try:
        drop_database(url, name)
    except (psycopg2.Error, QadbError) as error:
        if getattr(error, "pgcode", None) in NEVER_MADE:
            return
        logger.warning("The database %s could not be dropped: %s", name, url.redact(str(error)))

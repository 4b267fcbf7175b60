"""Lets PostgreSQL's programs sign in without a password in their arguments or environment.

A private folder holds a password file and a service file with libpq's other options; it is gone
with the block. What the user's own environment says to libpq goes on to hold.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2.extensions import make_dsn

from qadb.backends.postgresql.connector import CONNECT_TIMEOUT_SECONDS
from qadb.errors import ConfigurationError
from qadb.settings.url import is_secret_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg2.extensions import ConnectionInfo

    from qadb.settings import DatabaseUrl

SERVICE = "qadb"
LONGEST_LINE = 1000  # libpq reads no longer one in a service file

# DATABASE_URL and the like hold passwords: a child gets what it needs and nothing else.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "KRB5CCNAME", "KRB5_CONFIG", "LD_LIBRARY_PATH")
# What the programs must not take from the user: the password's way is ours, the encoding theirs.
_DROPPED = ("PGPASSWORD", "PGCLIENTENCODING", "PGSERVICE")
_OWN_OPTIONS = ("password", "client_encoding", "fallback_application_name")


@dataclass(frozen=True, slots=True)
class Access:
    """How a program reaches a database: its ``--dbname`` and its whole environment."""

    dbname: str
    environment: Mapping[str, str]


@contextmanager
def program_access(
    url: DatabaseUrl,
    connected: ConnectionInfo,
    *,
    database: str,
    application: str,
    folder: Path | None,
) -> Iterator[Access]:
    """Make what a program needs to reach the server that a connection of ours has found.

    Args:
        url: how we sign in.
        connected: a connection by that URL; of several hosts, the program takes the same.
        database: which one.
        application: the name that the server shows.
        folder: where the private folder goes; None for the system's place.

    Raises:
        ConfigurationError: an option can't be written into libpq's files.
    """
    options = _options(url, connected) | {"dbname": database, "application_name": application}
    password = url.libpq_options().get("password") or os.environ.get("PGPASSWORD")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or (name.startswith("PG") and name not in _DROPPED)
    } | {"LC_ALL": "C"}
    with tempfile.TemporaryDirectory(prefix="qadb-", dir=folder) as private:
        if password:
            options.pop("passfile", None)
            environment["PGPASSFILE"] = _write(Path(private) / "pass", _password_line(password))
        service = options.pop("service", None) or os.environ.get("PGSERVICE")
        if service:  # in the user's own file, which libpq reads no other beside
            yield Access(_as_argument({"service": service} | options), environment)
            return
        text = "".join([f"[{SERVICE}]\n", *(_line(*each) for each in options.items())])
        environment["PGSERVICEFILE"] = _write(Path(private) / "service", text)
        yield Access(f"service={SERVICE}", environment)


def _options(url: DatabaseUrl, connected: ConnectionInfo) -> dict[str, str]:
    stated = url.libpq_options()
    options = {key: value for key, value in stated.items() if key not in _OWN_OPTIONS}
    options["user"] = str(connected.user)
    if "," in options.get("host", "") or "," in options.get("hostaddr", ""):
        for key in ("hostaddr", "load_balance_hosts"):
            options.pop(key, None)
        options |= {"host": str(connected.host), "port": str(connected.port)}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        options.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    return options


def _password_line(password: str) -> str:
    if any(character in password for character in "\r\n\0"):
        raise ConfigurationError(
            "The password has a line break, which PostgreSQL's programs can't be given.",
            hint="Give the role another password.",
        )
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def _line(key: str, value: str) -> str:
    line = f"{key}={value}"
    if any(character in value for character in "\r\n\0") or value != value.rstrip():
        raise ConfigurationError(
            f"The connection's option '{key}' has a line break or ends in blanks, which "
            "PostgreSQL's programs can't be given.",
            hint="Change it in DATABASE_URL.",
        )
    if len(line.encode()) > LONGEST_LINE:
        raise ConfigurationError(
            f"The connection's option '{key}' is too long for PostgreSQL's programs.",
            hint="Shorten it in DATABASE_URL.",
        )
    return f"{line}\n"


def _as_argument(options: Mapping[str, str]) -> str:
    secret = next((key for key in options if is_secret_option(key)), None)
    if secret:
        raise ConfigurationError(
            f"The connection's option '{secret}' can't be given to PostgreSQL's programs beside a "
            "service.",
            hint="Write it into the service's section of the service file.",
        )
    return make_dsn(**options)


def _write(path: Path, text: str) -> str:
    """Write a file that nobody else may read: libpq refuses others."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123
        file.write(text)
    return str(path)

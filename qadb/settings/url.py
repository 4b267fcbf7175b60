"""DatabaseUrl: where a database is, with its secrets kept out of sight.

Owns the parsed form, its public face and what libpq needs of it. Reading a URL from text is
``parsing``'s work, connecting is the backends'.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from qadb.errors import ConfigurationError
from qadb.redaction import HIDDEN, redact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EngineName = Literal["sqlite", "postgresql"]
Host = tuple[str, int | None]

_SECRET_OPTIONS = frozenset({"scram_client_key", "scram_server_key"})


def is_secret_option(key: str) -> bool:
    """Tell whether an option's value must not be shown; ``passfile`` is a path and may be."""
    lowered = key.lower()
    return lowered in _SECRET_OPTIONS or (
        lowered != "passfile" and any(word in lowered for word in ("pass", "secret", "token"))
    )


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """Where a database is and how to sign in.

    Attributes:
        engine: which backend serves it.
        user: role to sign in as; None leaves it to libpq.
        password: in clear; never shown by ``str`` or ``repr``.
        hosts: names or socket folders with their ports, in the order to try; empty for libpq's own.
        database: the PostgreSQL database's name; None leaves it to libpq.
        path: the absolute SQLite file; None for PostgreSQL and in memory.
        is_memory: a SQLite database that ends with its connection.
        query: further libpq options, decoded.
    """

    engine: EngineName
    user: str | None = None
    password: str | None = None
    hosts: tuple[Host, ...] = ()
    database: str | None = None
    path: Path | None = None
    is_memory: bool = False
    query: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def shown(self) -> str:
        """The URL as it may be shown: every secret replaced by ``***``."""
        if self.engine == "sqlite":
            return "sqlite:///:memory:" if self.path is None else _show_file(self.path)
        name = "" if self.database is None else quote(self.database, safe="")
        options = _show_options({**_socket_options(self.hosts), **self.query})
        return f"postgresql://{_show_user(self)}{_show_hosts(self.hosts)}/{name}{options}"

    @property
    def secrets(self) -> frozenset[str]:
        """Every value in it that must never be shown."""
        found = [value for key, value in self.query.items() if is_secret_option(key)]
        return frozenset(filter(None, [self.password, *found]))

    def redact(self, text: str) -> str:
        """Hide this URL's secrets in a text."""
        return redact(text, self.secrets)

    def refuse_memory(self) -> None:
        """Raise ConfigurationError for a database in memory: it would end with the command."""
        if self.is_memory:
            raise ConfigurationError(
                "An in-memory SQLite database does not outlive a command.",
                hint="Name a file: DATABASE_URL=sqlite:///./data/qadb.sqlite3",
            )

    def libpq_options(self) -> dict[str, str]:
        """The connection options for libpq, secrets in clear; empty for SQLite."""
        stated = {
            **_join_hosts(self.hosts),
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
        }
        return {key: value for key, value in stated.items() if value} | dict(self.query)

    def with_database(self, name: str) -> DatabaseUrl:
        """The same server and user with another database."""
        if self.engine != "postgresql":
            raise ValueError("a SQLite URL names a file, not a database on a server")
        return replace(self, database=name)

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.shown!r})"


def is_socket(host: str) -> bool:
    """Tell a Unix socket's folder (or abstract name) from a host name."""
    return host.startswith(("/", "@"))


def _join_hosts(hosts: tuple[Host, ...]) -> dict[str, str]:
    """Hosts and ports as libpq's comma-separated lists; a list of blanks is left out."""
    joined = {
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(str(port or "") for _, port in hosts),
    }
    return {key: value for key, value in joined.items() if value.strip(",")}


def _show_file(path: Path) -> str:
    """Three slashes and the path; a Windows path brings no slash of its own, a POSIX one does."""
    return f"sqlite:///{path.as_posix()}"


def _show_user(url: DatabaseUrl) -> str:
    if url.user is None and url.password is None:
        return ""
    hidden = "" if url.password is None else f":{HIDDEN}"
    return f"{quote(url.user or '', safe='')}{hidden}@"


def _show_hosts(hosts: tuple[Host, ...]) -> str:
    if any(is_socket(host) for host, _ in hosts):
        return ""
    return ",".join(_show_host(host) + ("" if port is None else f":{port}") for host, port in hosts)


def _show_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _socket_options(hosts: tuple[Host, ...]) -> dict[str, str]:
    """Sockets can't stand before the path: they are shown as options."""
    return _join_hosts(hosts) if any(is_socket(host) for host, _ in hosts) else {}


def _show_options(options: Mapping[str, str]) -> str:
    shown = (
        f"{quote(key, safe='')}={HIDDEN if is_secret_option(key) else quote(value, safe='/:,')}"
        for key, value in options.items()
    )
    return f"?{'&'.join(shown)}" if options else ""

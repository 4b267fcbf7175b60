"""A PostgreSQL server for the tests: started here or already running, with databases to use.

Owns the server's life as the tests see it and the databases made on it. The process that really
ends a server is the keeper's; which server it is, is ``postgres_choice``'s decision.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg2

from tests.support.keeper import STOP_TIMEOUT_SECONDS, Order
from tests.support.postgres_binaries import major_of
from tests.support.postgres_choice import NOTHING_FOUND, URL_VARIABLE
from tests.support.postgres_client import execute, fetch_column, url_of_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.postgres_binaries import PostgresBinaries
    from tests.support.postgres_choice import ServerChoice

CHECKOUT = Path(__file__).resolve().parents[2]
USER = "qadb_admin"
FIRST_MAJOR_WITH_STRATEGY = 15


class PostgresUnavailableError(Exception):
    """No server: none to be found, none that starts, or none that answers."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server and what it takes to use it.

    Attributes:
        version: such as ``16.13``.
        admin_url: a superuser's database (on somebody's own server: the URL that was given).
        bin_dir: its client programs, or for somebody's own server the fitting ones of this
            machine, or None.
        folder: where everything of it lies (``data``, ``server.log``); None for somebody's own.
        prefix: how the name of every database begins that is made here; no other is touched.
    """

    version: str
    host: str
    port: int
    admin_url: str = field(repr=False)
    bin_dir: Path | None
    folder: Path | None = None
    prefix: str = field(default_factory=lambda: f"qadb_test_{secrets.token_hex(4)}_")

    @property
    def major(self) -> int:
        """The major version."""
        return major_of(self.version)

    def program(self, name: str) -> Path:
        """Return the path of a client program such as ``pg_dump``."""
        if self.bin_dir is None:
            raise PostgresUnavailableError(
                f"No {name} of PostgreSQL {self.major} or newer on this machine.\n{NOTHING_FOUND}"
            )
        return self.bin_dir / name

    def create_database(self, *, template: str | None = None) -> str:
        """Create a database, empty or as a copy of another, and return its URL.

        Args:
            template: URL of a database made here; nobody may be connected to it.
        """
        name = f"{self.prefix}{secrets.token_hex(4)}"
        source = self._own_name(template) if template else "template0"
        statement = "CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'"
        if self.major >= FIRST_MAJOR_WITH_STRATEGY:
            statement += " STRATEGY FILE_COPY"  # a third faster than WAL_LOG with fsync off
        execute(self.admin_url, statement, name, source)
        return url_of_database(self.admin_url, name)

    def drop_database(self, url: str) -> None:
        """Drop a database made here, with whoever is connected; one that is gone is no error."""
        execute(self.admin_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self._own_name(url))

    def drop_all(self) -> None:
        """Drop every database made here, under whatever name a test has given it since."""
        for name in fetch_column(self.admin_url, "SELECT datname FROM pg_database"):
            if name.startswith(self.prefix):
                execute(self.admin_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _own_name(self, url: str) -> str:
        name = urlsplit(url).path.removeprefix("/")
        if not name.startswith(self.prefix):
            raise ValueError(f"database '{name}' was not made by these tests")
        return name


@contextmanager
def start_server(
    binaries: PostgresBinaries, *, preferred_port: int | None = None, checksums: bool = False
) -> Iterator[PostgresServer]:
    """Start a server in a temporary folder, on 127.0.0.1 and a free port; end it with the block.

    It ends as well when this process is killed. Its superuser signs in by password only.

    Raises:
        PostgresUnavailableError: it does not start; the message holds the end of its log.
    """
    password = secrets.token_hex(8)
    order = Order(str(binaries.bin_dir), USER, password, binaries.major, preferred_port, checksums)
    with _keeper(order) as ready:
        port, folder = ready["port"], Path(str(ready["folder"]))
        yield PostgresServer(
            version=binaries.version,
            host="127.0.0.1",
            port=int(port),
            admin_url=f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres",
            bin_dir=binaries.bin_dir,
            folder=folder,
        )


@contextmanager
def _keeper(order: Order) -> Iterator[dict[str, str]]:
    # Unbuffered, so that closing in a forked child can't write what the parent left unwritten.
    with subprocess.Popen(
        [sys.executable, "-E", "-s", "-S", "-m", "tests.support.keeper"],
        bufsize=0,
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C and a killed process group do not reach it
    ) as keeper:
        if keeper.stdin is None or keeper.stdout is None:
            raise PostgresUnavailableError("The keeper has no pipes.")
        # A child made by fork alone inherits the pipe; were it to keep it, the keeper would wait.
        os.register_at_fork(after_in_child=keeper.stdin.close)
        with suppress(BrokenPipeError):  # then it says below why it ended
            keeper.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        answer = keeper.stdout.readline()
        if not answer.startswith(b"{"):
            message = (answer + keeper.stdout.read()).decode(errors="replace").strip()
            raise PostgresUnavailableError(message or "The keeper ended without a word.")
        ready: dict[str, str] = json.loads(answer)
        try:
            yield ready
        finally:
            keeper.stdin.close()
            keeper.wait(3 * STOP_TIMEOUT_SECONDS)
            shutil.rmtree(ready["folder"], ignore_errors=True)  # left only by a killed keeper


@contextmanager
def attach_server(url: str, tools: Sequence[PostgresBinaries]) -> Iterator[PostgresServer]:
    """Use somebody's own server; in the end drop the databases made on it, and nothing else.

    Args:
        url: a database to connect to as a role that may create databases.
        tools: installations to take client programs from: those of the server's own major version,
            or else the nearest newer ones, as a newer pg_restore may not be understood.

    Raises:
        PostgresUnavailableError: it does not answer, or refuses; the message holds no password.
    """
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres") or "dbname" in parse_qs(parts.query):
        # A dbname in the query wins over the path: every database of ours would be that one.
        raise PostgresUnavailableError(f"{URL_VARIABLE} must be postgresql://host/database.")
    plain_url = url_of_database(url, parts.path.removeprefix("/"))
    try:
        with closing(psycopg2.connect(plain_url)) as connection:
            major, minor = divmod(connection.server_version, 10_000)
            host, port = connection.info.host, connection.info.port
    except psycopg2.OperationalError as error:
        reason = str(error).strip()
        raise PostgresUnavailableError(f"{URL_VARIABLE}: {reason}\n{NOTHING_FOUND}") from None
    except psycopg2.ProgrammingError:  # its message would show the URL with the password
        raise PostgresUnavailableError(f"{URL_VARIABLE} is no PostgreSQL URL.") from None
    fitting = [each for each in tools if each.major >= major]
    nearest = min(fitting, key=lambda each: each.major, default=None)
    server = PostgresServer(
        version=f"{major}.{minor}",
        host=host,
        port=port,
        admin_url=plain_url,
        bin_dir=nearest.bin_dir if nearest else None,
    )
    try:
        yield server
    finally:
        server.drop_all()


class ServerPool:
    """Starts each chosen server when it is first asked for, and ends them all together."""

    def __init__(self, tools: Sequence[PostgresBinaries]) -> None:
        self._tools = tools
        self._stack = ExitStack()
        self._servers: dict[ServerChoice, PostgresServer | PostgresUnavailableError] = {}

    def get(self, choice: ServerChoice) -> PostgresServer:
        """Return the running server of a choice; a failure is remembered, not tried again."""
        if choice not in self._servers:
            try:
                self._servers[choice] = self._stack.enter_context(self._open(choice))
            except PostgresUnavailableError as error:
                self._servers[choice] = error
        server = self._servers[choice]
        if isinstance(server, PostgresUnavailableError):
            raise server
        return server

    def close(self) -> None:
        """End every server."""
        self._stack.close()

    @contextmanager
    def _open(self, choice: ServerChoice) -> Iterator[PostgresServer]:
        if choice.binaries is not None:
            with start_server(choice.binaries) as server:
                yield server
        elif choice.url is not None:
            with attach_server(choice.url, self._tools) as server:
                yield server
        else:
            raise PostgresUnavailableError(choice.problem or NOTHING_FOUND)

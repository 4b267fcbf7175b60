"""Keeper: the process that starts a PostgreSQL server and ends it whatever happens.

Runs as a process of its own, on the standard library alone. It reads one order (JSON) from
standard input, answers one line (JSON) when the server is ready, and then waits for the end of
standard input. The other end of that pipe is held by the test process only, so its end, be it a
normal one or a SIGKILL, always arrives here; the server is stopped at once and its folder removed.
Connections and databases are ``postgres_server``'s.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.server_account import (
    START_TIMEOUT_SECONDS,
    Account,
    CannotStartError,
    choose_account,
    runnable_programs,
    server_environment,
    temporary_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STOP_TIMEOUT_SECONDS = 10
PORT_ATTEMPTS = 5
PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Nothing survives the tests, so nothing need be safe on disk. The time zone is an odd one on
# purpose: code that forgets zones fails here. Without autovacuum, statistics change only when a
# test says so.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
max_connections = 60
shared_buffers = 32MB
min_wal_size = 32MB
max_wal_size = 256MB
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
timezone = 'Asia/Kathmandu'
log_timezone = 'UTC'
"""
# A password is turned into a key 4,096 times over, unless told otherwise: three quarters of what a
# connection costs, and tests open ten thousands of them.
CHEAP_PASSWORDS = "scram_iterations=1"
FIRST_MAJOR_WITH_CHEAP_PASSWORDS = 16
HOST_BASED_AUTHENTICATION = """
host all         all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What the test process asks for; a preferred port that is taken is passed over.

    Attributes:
        checksums: pages carry checksums; without it that is as the version has it.
    """

    bin_dir: str
    user: str
    password: str
    major: int
    preferred_port: int | None = None
    checksums: bool = False


def initialise(bin_dir: Path, folder: Path, order: Order, account: Account) -> Path:
    """Make the data folder, its superuser and its configuration; return it."""
    data_dir = folder / "data"
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(order.password, encoding="utf-8")
    account.own(password_file)
    options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync"]
    options += [f"--username={order.user}", f"--pwfile={password_file}", f"--pgdata={data_dir}"]
    if order.checksums:
        options.append("--data-checksums")
    if order.major >= FIRST_MAJOR_WITH_CHEAP_PASSWORDS:
        options.append(f"--set={CHEAP_PASSWORDS}")
    try:
        account.run(bin_dir / "initdb", *options, folder=folder)
    except subprocess.CalledProcessError as error:
        raise CannotStartError(f"initdb failed:\n{error.stdout}") from error
    with (data_dir / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write(CONFIGURATION)
    (data_dir / "pg_hba.conf").write_text(HOST_BASED_AUTHENTICATION, encoding="utf-8")
    return data_dir


@contextlib.contextmanager
def serving(bin_dir: Path, data_dir: Path, order: Order, account: Account) -> Iterator[int]:
    """Run the server and yield its port; in the end stop it without ceremony."""
    log_file = data_dir.parent / "server.log"
    port = order.preferred_port or free_port()
    for _ in range(PORT_ATTEMPTS):
        server = _launch(bin_dir, data_dir, port, account)
        try:
            if _becomes_ready(server, data_dir):
                yield port
                return
        finally:
            _stop(server)
        if "could not bind" not in log_file.read_text(encoding="utf-8", errors="replace"):
            break
        port = free_port()
    tail = log_file.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise CannotStartError(f"The PostgreSQL server did not start:\n{tail}")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _launch(bin_dir: Path, data_dir: Path, port: int, account: Account) -> subprocess.Popen[bytes]:
    with (data_dir.parent / "server.log").open("ab") as log:
        return subprocess.Popen(
            [bin_dir / "postgres", "-D", data_dir, "-p", str(port)],
            cwd=data_dir.parent,
            env=server_environment(),
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_the_keeper,  # noqa: PLW1509 - this process has a single thread
        )


def _end_with_the_keeper() -> None:
    """Have Linux stop the server should even the keeper be killed; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _becomes_ready(server: subprocess.Popen[bytes], data_dir: Path) -> bool:
    """Wait until the server's own status line says ready; False when it has ended instead."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            lines = (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            if lines and lines[0] == str(server.pid) and lines[-1].strip() == "ready":
                return True
        time.sleep(0.01)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGQUIT)  # "immediate shutdown": it ends its children itself
    try:
        server.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def keep(order: Order) -> None:
    """Start a server, report it on standard output, and end it at the end of standard input."""
    account = choose_account()
    with (
        runnable_programs(Path(order.bin_dir), account) as bin_dir,
        temporary_folder(account) as folder,
    ):
        data_dir = initialise(bin_dir, folder, order, account)
        with serving(bin_dir, data_dir, order, account) as port:
            sys.stdout.write(json.dumps({"port": port, "folder": str(folder)}) + "\n")
            sys.stdout.flush()
            sys.stdin.read()


def main() -> None:
    """Serve one order; a signal meant for the terminal's jobs does not end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    try:
        keep(Order(**json.loads(sys.stdin.readline())))
    except CannotStartError as error:
        sys.exit(str(error))
    except BrokenPipeError:
        sys.exit(1)  # the test process went away while the server was starting


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    sys.exit(128 + number)


if __name__ == "__main__":
    main()

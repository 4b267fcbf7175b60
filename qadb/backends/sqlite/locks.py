"""The operations' lock of a SQLite database: ``flock`` on a sidecar file.

The system drops it when its owner ends, however it ends. The sidecar stays: removing it would let
two processes hold locks on two files of one name.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

from qadb.backends.base import LockHolder
from qadb.errors import InsufficientPrivilege, LockNotAvailable

try:
    import fcntl
except ImportError:  # Windows: BEGIN IMMEDIATE alone keeps two migrations apart
    fcntl = None  # type: ignore[assignment]  # the module has no stand-in type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.backends.base import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

POLL_SECONDS = 0.1


@contextlib.contextmanager
def exclusive(
    url: DatabaseUrl,
    schema: Schema,
    options: ConnectionOptions,
    *,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> Iterator[None]:
    """Hold the lock of the database file; raises LockNotAvailable after ``wait_seconds``."""
    del schema
    if url.path is None or fcntl is None:
        yield
        return
    descriptor = _open_sidecar(url.path.with_name(url.path.name + ".lock"))
    try:
        _wait(descriptor, url.path, wait_seconds, on_wait)
        _sign(descriptor, options.application)
        yield
    finally:
        os.close(descriptor)


def _open_sidecar(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise InsufficientPrivilege(
            f"The lock file {path} can't be opened: {error.strerror}.",
            hint="The folder of the database must be writable for this user.",
        ) from error


def _wait(
    descriptor: int, path: Path, wait_seconds: float, on_wait: Callable[[LockHolder], None]
) -> None:
    started = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = LockHolder(_read_signature(descriptor), time.monotonic() - started)
        else:
            return
        if holder.waited_seconds >= wait_seconds:
            raise LockNotAvailable(
                f"Another operation works on {path}: {holder.description}.",
                hint="Wait for it to finish, or allow more time with --wait-lock.",
            )
        on_wait(holder)
        time.sleep(POLL_SECONDS)


def _sign(descriptor: int, application: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}, {application}".encode(), 0)


def _read_signature(descriptor: int) -> str:
    return os.pread(descriptor, 300, 0).decode(errors="replace") or "an unnamed process"

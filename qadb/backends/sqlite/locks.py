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

from qadb.backends.sqlite.errors import translate_os_error
from qadb.backends.sqlite.files import resolve_file
from qadb.backends.values import LockHolder
from qadb.errors import LockNotAvailable

try:
    import fcntl
except ImportError:  # Windows: BEGIN IMMEDIATE alone keeps two migrations apart
    fcntl = None  # type: ignore[assignment]  # the module has no stand-in type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.backends.values import ConnectionOptions
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
    path = resolve_file(url)
    descriptor = _open_sidecar(path.with_name(path.name + ".lock"))
    try:
        _wait(descriptor, path, wait_seconds, on_wait)
        _sign(descriptor, options.application)
        yield
    finally:
        os.close(descriptor)


def _open_sidecar(path: Path) -> int:
    """Open for signing where we may; somebody else's sidecar can be locked all the same."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError as error:
        with contextlib.suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        raise translate_os_error(error, f"The lock file {path} can't be opened") from error
    except OSError as error:
        raise translate_os_error(error, f"The lock file {path} can't be opened") from error


def _wait(
    descriptor: int, path: Path, wait_seconds: float, on_wait: Callable[[LockHolder], None]
) -> None:
    started = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = LockHolder(_read_signature(descriptor), time.monotonic() - started)
        except OSError as error:  # a network's file system without locks
            raise translate_os_error(error, f"{path} can't be locked") from error
        else:
            return
        if holder.waited_seconds >= wait_seconds:
            raise LockNotAvailable(
                f"Another operation works on {path}: {holder.description}.",
                hint="Wait for it to finish, or allow more time with --wait-lock.",
            )
        on_wait(holder)
        time.sleep(min(POLL_SECONDS, wait_seconds - holder.waited_seconds))


def _sign(descriptor: int, application: str) -> None:
    """Leave our name for whoever waits; a full disk or another's sidecar is no reason to stop."""
    signature = f"pid {os.getpid()} on {socket.gethostname()}, {application}".encode()
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, signature, 0)  # written before it is cut: never empty meanwhile
        os.ftruncate(descriptor, len(signature))


def _read_signature(descriptor: int) -> str:
    """Tell who signed, and how long ago."""
    signature = os.pread(descriptor, 300, 0).decode(errors="replace") or "an unnamed process"
    seconds = max(0.0, time.time() - os.fstat(descriptor).st_mtime)
    return f"{signature}, for {seconds:.0f} s"

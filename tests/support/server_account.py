"""The account that a test server runs as, and the folders and programs it can reach.

PostgreSQL refuses root. So root's server runs as an unprivileged user, who may be unable to enter
the folder for temporary files, or a virtual environment under ``/root``. Standard library only:
the keeper runs without site-packages.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER_PREFIX = "qadb-postgres-"
MEMORY_FOLDER = Path("/dev/shm")  # a database is some 300 files: 5 to 20 times faster to make
MEMORY_NEEDED_BYTES = 2 * 1024**3
START_TIMEOUT_SECONDS = 60


class CannotStartError(Exception):
    """No server could be started; the message says why, with the end of the server's log."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as; None for both when this process is no root."""

    uid: int | None = None
    gid: int | None = None

    def run(self, *command: str | Path, folder: Path | None = None) -> str:
        """Run a command as this account; raise OSError or CalledProcessError when it fails."""
        answer = subprocess.run(
            command,
            cwd=folder or "/",
            env=server_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_TIMEOUT_SECONDS,
            check=True,
        )
        return answer.stdout

    def can(self, *command: str | Path) -> bool:
        """Tell whether a command works as this account."""
        try:
            self.run(*command)
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def own(self, path: Path) -> None:
        """Give a file, or a folder with all that is in it, to this account."""
        if self.uid is None or self.gid is None:
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, self.uid, self.gid, follow_symlinks=False)


def choose_account() -> Account:
    """Find an account that PostgreSQL accepts: this one, or for root an unprivileged one."""
    if os.geteuid() != 0:
        return Account()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise CannotStartError("PostgreSQL refuses root, and there is no user postgres or nobody.")


def server_environment() -> dict[str, str]:
    """Return this environment without what would turn the server's locale or settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG", "TZ"))
    }
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


@contextlib.contextmanager
def temporary_folder(account: Account, *, programs: bool = False) -> Iterator[Path]:
    """Make a folder that only the account (and root) can enter; remove it in the end.

    It lies where TMPDIR says, else in memory where there is plenty, else in the system's place.
    Memory may be mounted without the right to run programs, so programs never go there.
    """
    parents = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    if not programs and "TMPDIR" not in os.environ and _has_memory():
        parents.insert(0, MEMORY_FOLDER)
    usable = [each for each in parents if account.can("/bin/sh", "-c", 'cd "$0"', each)]
    if not usable:
        raise CannotStartError(f"The server's user can enter none of {parents}.")
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=usable[0]))
    try:
        account.own(folder)
        yield folder
    finally:
        _remove(folder)


def _has_memory() -> bool:
    try:
        free_bytes = shutil.disk_usage(MEMORY_FOLDER).free
    except OSError:
        return False
    return os.access(MEMORY_FOLDER, os.W_OK | os.X_OK) and free_bytes >= MEMORY_NEEDED_BYTES


def _remove(folder: Path) -> None:
    for _ in range(20):  # a process that is just ending may still write a file
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


@contextlib.contextmanager
def runnable_programs(bin_dir: Path, account: Account) -> Iterator[Path]:
    """Yield the folder of programs, or a copy where the account can't reach it (under /root)."""
    if all(account.can(bin_dir / program, "--version") for program in ("postgres", "initdb")):
        yield bin_dir
        return
    with temporary_folder(account, programs=True) as folder:
        copied = copy_installation(bin_dir, folder)
        account.own(folder)
        yield copied


def copy_installation(bin_dir: Path, destination: Path) -> Path:
    """Copy an installation and the libraries that a wheel puts beside it; return the new bin.

    Programs find all else by relative paths, so the copy keeps the last two folders' names.
    """
    prefix = bin_dir.parent
    package = prefix.parent
    wanted = [prefix / part for part in ("bin", "lib", "share")]
    wanted += [package.with_name(f"{package.name}.libs"), package / ".dylibs"]
    for source in filter(Path.is_dir, wanted):
        target = destination / source.relative_to(package.parent)
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    return destination / bin_dir.relative_to(package.parent)

"""Finds PostgreSQL's own pg_dump and pg_restore, of one version that fits a server.

Owns where to look and what fits. Running them is the affair of ``runs``.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.errors import MissingProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

USUAL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian and Ubuntu
    "/usr/pgsql-*/bin",  # Red Hat and its relatives, PostgreSQL's own packages
    "/opt/homebrew/opt/postgresql*/bin",  # Homebrew on Apple silicon
    "/opt/homebrew/opt/libpq*/bin",
    "/usr/local/opt/postgresql*/bin",  # Homebrew on Intel
    "/usr/local/opt/libpq*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
NAMES = ("pg_dump", "pg_restore")
PSQL = "psql"  # beside them, but in some packages
# Debian's commands in /usr/bin choose a version by the cluster they think they talk to.
WRAPPER = "pg_wrapper"
ANSWER_SECONDS = 30
VERSION_DIGITS = 10_000  # server_version_num: 16.4 is 160004

_VERSION = re.compile(r"\(PostgreSQL\) (\d+\S*)")


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder that holds both programs, and their version, such as ``16.4``."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version."""
        return major_of(self.version)

    def path(self, name: str) -> Path:
        """Where a program is."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Tell whether another program of the same version is beside them."""
        return _read_version(self.folder / name) == self.version


def major_of(version: str) -> int:
    """The major version: 16 of ``16.4`` and of ``18beta1``."""
    return int(re.split(r"\D", version, maxsplit=1)[0])


def find_programs(server_major: int, *, oldest: int = 0) -> Programs:
    """Find the programs of the server's own major version, or else of the nearest newer.

    An older pg_dump refuses a newer server.

    Args:
        server_major: the server's.
        oldest: leave out what is older than this major version, too.

    Raises:
        MissingProgram: there are none; the message names both versions.
    """
    found = list(_find_all())
    wanted = max(server_major, oldest)
    fitting = [each for each in found if each.major >= wanted]
    if fitting:
        return min(fitting, key=lambda each: each.major)
    versions = sorted({each.version for each in found}, key=major_of)
    there = f"those of {' and '.join(versions)}" if versions else "none"
    need = "" if wanted == server_major else f", the backup of {wanted}"
    raise MissingProgram(
        f"The server is of PostgreSQL {server_major}{need}, and this machine has no pg_dump and "
        f"pg_restore of {wanted} or newer, but {there}.",
        hint=f"Install the client programs of PostgreSQL {wanted} (on Debian: apt install "
        f"postgresql-client-{wanted}), or put their folder on PATH.",
    )


def _find_all() -> Iterator[Programs]:
    """Every folder that has both programs, those on PATH first."""
    on_path = [Path(each) for each in os.get_exec_path() if Path(each).is_absolute()]
    usual = [path for pattern in USUAL_FOLDERS for path in Path("/").glob(pattern[1:])]
    for folder in dict.fromkeys([*on_path, *usual]):
        if any((folder / name).resolve().name == WRAPPER for name in NAMES):
            continue
        version, *others = {_read_version(folder / name) for name in NAMES}
        if version is not None and not others:
            yield Programs(folder, version)


def _read_version(program: Path) -> str | None:
    if not os.access(program, os.X_OK):
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the program that we look for
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=True,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None  # a program that can't run, such as one for another machine, is no choice
    match = _VERSION.search(answer.stdout)
    return match[1] if match else None

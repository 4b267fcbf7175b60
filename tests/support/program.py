"""The program as tests run it: exit code, stdout and stderr apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from qadb.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 60
COVERAGE = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the program ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document that stdout must be."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        assert document["schema_version"] == 1
        return document


@dataclass(frozen=True, slots=True)
class Program:
    """qadb in a folder of its own, with nothing of this process's settings.

    Attributes:
        folder: the working folder.
        variables: added to a bare environment.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, **variables: str) -> Ended:
        """Run to the end, off a terminal; ``variables`` are added to the environment."""
        process = self.start(*words, **variables)
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return Ended(process.returncode, stdout, stderr)

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start and return at once."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str) -> list[str]:
        """The program's argument list."""
        return [sys.executable, "-m", "qadb", *words]

    def environment(self, **variables: str) -> dict[str, str]:
        """The program's environment: what a process and the coverage measuring need, and ours."""
        kept = ("PATH", "HOME", "TMPDIR", "TZ", "XDG_CACHE_HOME", *COVERAGE)
        bare = {name: os.environ[name] for name in kept if name in os.environ}
        return {**bare, "PYTHONPATH": str(CHECKOUT), **self.variables, **variables}


@dataclass(frozen=True, slots=True)
class ProgramInside(Program):
    """The same command lines run inside this process: a tenth of the time, no process to kill."""

    def __call__(self, *words: str, **variables: str) -> Ended:
        """Run to the end, off a terminal; ``variables`` are added to the environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in set(os.environ) - set(self.environment()):
                patch.delenv(name)
            for name, value in {**self.variables, **variables}.items():
                patch.setenv(name, value)
            result = CliRunner().invoke(app, list(words), catch_exceptions=False)
        return Ended(result.exit_code, result.stdout, result.stderr)

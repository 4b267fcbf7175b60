"""Runs PostgreSQL's programs: their messages, their exit status, and their end when ours comes."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from typing import IO, TYPE_CHECKING

from qadb.backends.postgresql.programs.failures import explain
from qadb.backends.watched_process import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from qadb.backends.postgresql.programs.access import Access
    from qadb.settings import DatabaseUrl

MOST_MESSAGE_BYTES = 64 * 1024
GOODBYE_SECONDS = 10.0


class ProgramRun:
    """A running program.

    Attributes:
        output: what it writes, where that is piped.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str, url: DatabaseUrl) -> None:
        self._process = process
        self._name = name
        self._url = url
        self._messages = bytearray()
        self._reader = threading.Thread(target=self._collect, name=f"qadb-{name}", daemon=True)
        self._reader.start()

    @property
    def output(self) -> IO[bytes]:
        """The program's standard output."""
        if self._process.stdout is None:
            raise ValueError("the program's output is not piped")
        return self._process.stdout

    def finish(self, is_harmless: Callable[[str], bool] = lambda _: False) -> None:
        """Wait for the end; raise what went wrong unless its exit status is 0.

        Args:
            is_harmless: tells by the messages that a failure is none.
        """
        status = self._process.wait()
        self._reader.join()
        text = self._messages.decode("utf-8", "replace")
        is_whole = len(self._messages) < MOST_MESSAGE_BYTES
        if status != 0 and not (status == 1 and is_whole and is_harmless(text)):
            raise explain(self._name, status, text, self._url)

    def stop(self) -> None:
        """Ask the program to end; whoever reads its output comes to the end of it."""
        if self._process.poll() is None:
            self._process.terminate()

    def forget(self) -> None:
        """Let the reading come to its end before what it reads is closed."""
        self._reader.join(GOODBYE_SECONDS)

    def _collect(self) -> None:
        """Read all that it says, and keep the beginning: a full pipe would stop it."""
        stream = self._process.stderr
        if stream is None:
            return
        while piece := stream.read1(4096):  # type: ignore[attr-defined]  # a buffered reader
            room = MOST_MESSAGE_BYTES - len(self._messages)
            self._messages += piece[: max(room, 0)]


@contextlib.contextmanager
def run_program(
    program: Path,
    arguments: Sequence[str],
    access: Access,
    url: DatabaseUrl,
    *,
    piped: bool,
    stdin: IO[bytes] | None = None,
) -> Iterator[ProgramRun]:
    """Run a program; it is ended when the block ends before it does.

    It is ended, too, when we are killed.

    Args:
        program: where it is.
        arguments: its own.
        access: its environment, and its database.
        url: the same database, for what is said of failures.
        piped: its output is read.
        stdin: a file that it reads; none if None.
    """
    with (
        subprocess.Popen(  # noqa: S603 - found by its version
            [program, "--no-password", f"--dbname={access.dbname}", *arguments],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(access.environment),
        ) as process,
        watched(process),
    ):
        run = ProgramRun(process, program.name, url)
        try:
            yield run
        finally:
            _end(process)
            run.forget()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""Runs SQLite's own shell as a process, a few statements at a time.

It has the ``sqlite_dbpage`` table, which Python's SQLite mostly lacks, and being another process it
leaves the locks alone that this one holds. The transaction that it is in is undone when it ends,
and it ends when this process does.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final

from qadb.backends.watched_process import watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# That SQLite may look at where the system has it: no more than it does in any build. A file that is
# cut off, or a disk that can't be read, ends the process that does: the shell, which is told.
MAPPED_BYTES: Final = 1 << 31

_PROGRAM: Final = "sqlite3_shell"
_OPTIONS: Final = ("-batch", "-noinit", "-list", "-ifexists")
_DONE: Final = "=done"
_END: Final = b"=end\n"
_MOST_COMPLAINT_BYTES: Final = 4096  # of the last one
_DYING_SECONDS: Final = 1.0  # of a process that has closed its output

_UNREADABLE: Final = "disk I/O error"

# What the shell says, and the name of its reason in Python's sqlite3.
_REASONS: Final = {
    "database is locked": "SQLITE_BUSY",
    "database table is locked": "SQLITE_LOCKED",
    "database or disk is full": "SQLITE_FULL",
    _UNREADABLE: "SQLITE_IOERR",
    "attempt to write a readonly database": "SQLITE_READONLY",
    "unable to open database file": "SQLITE_CANTOPEN",
    "database disk image is malformed": "SQLITE_CORRUPT",
    "file is not a database": "SQLITE_NOTADB",
}


class SqliteShell:
    """A shell that has a file open."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints

    def run(self, statements: str) -> list[str]:
        """Run statements and return the lines that they print.

        Args:
            statements: of them only the last may end a line.

        Raises:
            sqlite3.OperationalError: one failed, and those after it were not run.
        """
        lines = self.command(f"{statements} SELECT '{_DONE}';")
        if not lines or lines.pop() != _DONE:
            raise self._failure()
        return lines

    def run_for_number(self, statement: str) -> int:
        """Run a statement and return the number that it prints, last of all."""
        return int(self.run(statement)[-1])

    def command(self, text: str) -> list[str]:
        """Tell the shell anything and return the lines that it prints."""
        orders, answers = self._pipes()
        with suppress(BrokenPipeError):
            orders.write(os.fsencode(f"{text}\n.print {_END.decode()}"))
            orders.flush()
        lines: list[str] = []
        for line in answers:
            if line == _END:
                return lines
            lines.append(os.fsdecode(line.removesuffix(b"\n")))
        raise self._failure()

    def end(self, failure: type[BaseException] | None, *_: object) -> None:
        """Let it end, for want of anything to do; after a failure at once."""
        if failure is not None:
            self._process.kill()
        orders = self._pipes()[0]
        with suppress(BrokenPipeError):  # it has ended before it read what it was told
            orders.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both were piped")
        return self._process.stdin, self._process.stdout

    def _failure(self) -> sqlite3.OperationalError:
        """Return the error that the shell told of last, or what ended it."""
        self._complaints.seek(max(0, self._complaints.seek(0, os.SEEK_END) - _MOST_COMPLAINT_BYTES))
        *_, said = os.fsdecode(self._complaints.read()).strip().split("\n")
        said = said or self._what_ended_it()
        reason = re.sub(r"^.*[Ee]rror near line \d+: ", "", said)
        error = sqlite3.OperationalError(reason)
        names = (name for reason, name in _REASONS.items() if reason in said)
        error.sqlite_errorname = next(names, "SQLITE_ERROR")
        error.sqlite_errorcode = int(getattr(sqlite3, error.sqlite_errorname))
        return error

    def _what_ended_it(self) -> str:
        """Tell why it ended without a word.

        Where it looks at a file where the system has it, the system can tell it of a page that is
        not there, or that the disk does not give, by nothing but a signal.
        """
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(_DYING_SECONDS)
            if os.name == "posix" and status == -signal.SIGBUS:
                return _UNREADABLE
        return "SQLite's shell has ended"


@contextmanager
def open_in_shell(path: Path, *, read_only: bool = False) -> Iterator[SqliteShell | None]:
    """Open a file in a shell until the end of the block; None where there is no shell.

    Where the block fails the shell is killed, as it may be waiting for a lock. That suits files
    with a log: what is in it and not committed counts for nothing, and nobody has to undo it.
    """
    with ExitStack() as stack:
        yield _start(path, ("-readonly",) if read_only else (), stack)


def _start(path: Path, options: tuple[str, ...], stack: ExitStack) -> SqliteShell | None:
    program = _find_program()
    if program is None:
        return None
    try:
        # There may be more than a pipe holds.
        complaints = stack.enter_context(TemporaryFile())  # noqa: SIM115 - the stack closes it
        process = subprocess.Popen(  # noqa: S603 - a program of a package, our words, no shell
            (program, *_OPTIONS, *options, str(path)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,  # Ctrl-C is told to us, and we end it
        )
        stack.enter_context(process)
        stack.enter_context(watched(process))  # else it would come to its statement's end first
    except OSError:
        return None
    shell = SqliteShell(process, complaints)
    stack.push(shell.end)
    return shell


def _find_program() -> str | None:
    try:
        from apsw import sqlite_extra  # noqa: PLC0415 - needed by few commands, and large
    except ImportError:
        return None
    return str(sqlite_extra.path(_PROGRAM)) if sqlite_extra.has(_PROGRAM) else None

"""The exception tree: every failure that qadb can explain.

Owns the message, the hint and the exit code of a failure. Showing them is the command line's work.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """Exit codes of the command line, the same for every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    CHECK_FAILED = 4
    LOCKED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class QadbError(Exception):
    """A failure with one sentence for the user and a hint that names the next action.

    Attributes:
        message: one sentence, without secrets.
        hint: what to do next, or None.
        code: the stable word for this failure in JSON.
        exit_code: the process's exit code when it ends a command.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def explanation(self) -> str:
        """The sentence and its hint, where there is room for one text only."""
        return f"{self.message} {self.hint or ''}".rstrip()


class ConfigurationError(QadbError):
    """A setting is missing or wrong; the message names the option, variable or file."""

    code = "configuration"
    exit_code = ExitCode.USAGE


class ConfirmationRequired(QadbError):
    """A destructive command needs ``--yes`` when nobody can be asked."""

    code = "confirmation_required"
    exit_code = ExitCode.USAGE


class DatabaseUnreachable(QadbError):
    """No connection could be made; trying again later may help."""

    code = "unreachable"
    exit_code = ExitCode.UNREACHABLE


class AuthenticationFailed(DatabaseUnreachable):
    """The server answered and refused this user; trying again does not help."""

    code = "authentication_failed"


class DatabaseAbsent(DatabaseUnreachable):
    """The server or folder is there, the database is not."""

    code = "absent"


class InsufficientPrivilege(QadbError):
    """The user, role or file mode does not allow it."""

    code = "insufficient_privilege"


class NotADatabase(QadbError):
    """The file is no SQLite database, or its content is damaged."""

    code = "not_a_database"


class StorageFull(QadbError):
    """The disk, quota or tablespace has no room left."""

    code = "storage_full"


class DatabaseFailure(QadbError):
    """The database refused a statement for a reason that has no class of its own."""

    code = "database_failure"


class ConnectionLost(DatabaseUnreachable):
    """An established connection broke; the transaction in it is rolled back."""

    code = "connection_lost"


class TransactionConflict(QadbError):
    """A deadlock or serialization failure; the transaction may be run again as a whole."""

    code = "transaction_conflict"


class ConflictError(QadbError):
    """A row breaks a unique key, a foreign key or a check.

    Attributes:
        table: the table's name, or None where the engine does not tell.
        constraint: the constraint's name (SQLite tells columns instead).
        values: what the row holds in the columns concerned, where it is known.
    """

    code = "conflict"

    def __init__(
        self,
        message: str,
        *,
        table: str | None = None,
        constraint: str | None = None,
        values: Mapping[str, object] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.table = table
        self.constraint = constraint
        self.values = dict(values or {})


class TenantViolation(QadbError):
    """A tenant's session was asked for what is another tenant's, or for what it can't confine."""

    code = "tenant_violation"


class ReadOnlySession(QadbError):
    """A session that was opened for reading was asked to write."""

    code = "read_only"


class RowNotFound(QadbError):
    """There is no such row, or none that this session may see."""

    code = "row_not_found"


class SeveralRowsFound(QadbError):
    """More than one row matches where one was asked for."""

    code = "several_rows"


class MissingDependency(QadbError):
    """A library that only part of qadb needs is not installed."""

    code = "missing_dependency"


class LockNotAvailable(QadbError):
    """Another operation holds the lock, or a lock could not be had in time."""

    code = "locked"
    exit_code = ExitCode.LOCKED


class UnmanagedDatabase(QadbError):
    """The database holds tables that qadb did not make."""

    code = "unmanaged"


class EmptyDatabase(QadbError):
    """The database is there and holds nothing yet."""

    code = "empty"


class DataPresent(QadbError):
    """The database holds rows where it should hold none."""

    code = "data_present"


class RevisionMismatch(QadbError):
    """The database's revision is not one that this command can work with."""

    code = "revision_mismatch"


class NotComparable(QadbError):
    """What revisions make can't be found out in an empty place; the hint says what it takes."""

    code = "not_comparable"


class RevisionNotFound(QadbError):
    """No such revision in this version of qadb."""

    code = "revision_not_found"
    exit_code = ExitCode.USAGE


class MigrationFailed(QadbError):
    """A revision raised, or committed nothing; the database stands at a revision boundary."""

    code = "migration_failed"


class BackupDamaged(QadbError):
    """A backup's file is not what was written, or what it holds can't be a database."""

    code = "backup_damaged"
    exit_code = ExitCode.CHECK_FAILED


class BackupNotFound(QadbError):
    """There is no backup where one was looked for."""

    code = "backup_not_found"


class RestoreRefused(QadbError):
    """A backup is fine and can't be restored here: another engine, a newer revision, a role."""

    code = "restore_refused"


class DatabaseInUse(QadbError):
    """Somebody has the database open, and what was asked for needs it alone."""

    code = "in_use"
    exit_code = ExitCode.LOCKED


class MissingProgram(QadbError):
    """A program of the database server is not installed, or of no fitting version."""

    code = "missing_program"


class ReportError(QadbError):
    """A report file can't be read.

    Attributes:
        file: the file as the user named it.
        line: line of the problem, counted from 1, or None.
    """

    code = "bad_report"

    def __init__(
        self, message: str, *, file: str, line: int | None = None, hint: str | None = None
    ) -> None:
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {message}", hint=hint)
        self.reason = message
        self.file = file
        self.line = line


class UnknownFormat(ReportError):
    """A file is in no format that qadb reads; it may be a fine file of another kind."""

    code = "unknown_format"


class Terminated(BaseException):
    """The process was asked to end (SIGTERM).

    Like KeyboardInterrupt no Exception, so that nothing which handles failures swallows it.
    """

    code: ClassVar[str] = "terminated"
    exit_code: ClassVar[ExitCode] = ExitCode.TERMINATED

"""SQLite's exceptions in our words."""

from __future__ import annotations

import errno
import re
import shutil
import sqlite3
from typing import TYPE_CHECKING

from qadb.backends.failures import translate_common
from qadb.disk import NO_ROOM
from qadb.errors import (
    ConflictError,
    DatabaseAbsent,
    DatabaseFailure,
    InsufficientPrivilege,
    LockNotAvailable,
    NotADatabase,
    QadbError,
    StorageFull,
)

if TYPE_CHECKING:
    from qadb.settings import DatabaseUrl


# EEXIST, ENOTDIR: a file stands where a folder should be.
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR)

_SHARED_BYTES = 64 * 1024  # what the file beside a log takes, and some

# SQLite has no code of its own for a schema format beyond that of 2006, which is the last.
_UNKNOWN_FORMAT = "unsupported file format"

_LOOK_AT_DISK = "Look at the disk, and at what the system's log says of it."

driver_errors: tuple[type[Exception], ...] = (sqlite3.Error,)


def translate(error: BaseException, url: DatabaseUrl) -> QadbError:
    """Return the QadbError for an exception of SQLite or of SQLAlchemy on top of it."""
    common = translate_common(error)
    if common is not None:
        return common
    driver_error = getattr(error, "orig", None) or error
    if isinstance(driver_error, sqlite3.IntegrityError):
        return _conflict(driver_error)
    if isinstance(driver_error, sqlite3.Error):
        return _by_code(driver_error, url)
    return DatabaseFailure(f"The database failed: {url.redact(str(driver_error))}")


def _by_code(error: sqlite3.Error, url: DatabaseUrl) -> QadbError:
    where = str(url.path) if url.path else "the in-memory database"
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return LockNotAvailable(
            f"{where} is locked by another process.", hint="Try again when it has finished."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return InsufficientPrivilege(
            f"{where} can't be written by this user.",
            hint="Check the owner and mode of the file and of its folder.",
        )
    if name.startswith("SQLITE_NOTADB"):
        return NotADatabase(
            f"{where} is not a SQLite database.", hint="Check the path in DATABASE_URL."
        )
    if name.startswith("SQLITE_CORRUPT") or str(error) == _UNKNOWN_FORMAT:
        return NotADatabase(
            f"{where} is damaged: {error}.", hint="Keep a copy of the file and restore a backup."
        )
    if name.startswith("SQLITE_FULL") or (name.startswith("SQLITE_IOERR") and _is_full(url)):
        return StorageFull(
            f"There is no room left on the disk of {where}.", hint="Free some space and try again."
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return _cannot_open(url)
    hint = _LOOK_AT_DISK if name.startswith("SQLITE_IOERR") else None
    return DatabaseFailure(f"SQLite failed on {where}: {error}.", hint=hint)


def _is_full(url: DatabaseUrl) -> bool:
    """SQLite calls it an I/O error when there is no room for the file beside a log."""
    try:
        return url.path is not None and shutil.disk_usage(url.path.parent).free < _SHARED_BYTES
    except OSError:
        return False


def _cannot_open(url: DatabaseUrl) -> QadbError:
    path = url.path
    try:
        is_there, is_folder = path is not None and path.exists(), path is not None and path.is_dir()
    except OSError as error:
        return translate_os_error(error, f"{path} can't be reached")
    if not is_there:
        return DatabaseAbsent(f"There is no database at {path}.", hint="Create it with: qadb init")
    if is_folder:
        return NotADatabase(f"{path} is a folder.", hint="Name a file in DATABASE_URL.")
    return InsufficientPrivilege(
        f"{path} can't be opened by this user.",
        hint="Check the owner and mode of the file and of its folder.",
    )


def translate_os_error(error: OSError, what_failed: str) -> QadbError:
    """Return the QadbError for what the system refuses; ``what_failed`` begins the sentence."""
    message = f"{what_failed}: {error.strerror}."
    if error.errno in _NOT_ALLOWED:
        return InsufficientPrivilege(
            message, hint="Check the owner and mode of the file and of its folder."
        )
    if error.errno in NO_ROOM:
        return StorageFull(message, hint="Free some space and try again.")
    if error.errno == errno.ENOENT:
        return DatabaseAbsent(message, hint="Create it with: qadb init")
    return DatabaseFailure(message, hint="Name another place in DATABASE_URL.")


def _conflict(error: sqlite3.IntegrityError) -> ConflictError:
    """SQLite names columns for unique keys, the constraint for checks, nothing for foreign keys."""
    text = str(error)
    unique = re.match(r"UNIQUE constraint failed: (?:index '(?P<index>.+)'|(?P<columns>.+))", text)
    if unique:
        columns = unique["columns"] or ""
        table = columns.split(".")[0] or None
        return ConflictError(
            f"A row breaks a key: {text}.", table=table, constraint=unique["index"]
        )
    check = re.match(r"CHECK constraint failed: (?P<name>.+)", text)
    if check:
        return ConflictError(f"A row breaks a rule: {text}.", constraint=check["name"])
    return ConflictError(f"A row breaks a rule: {text}.")

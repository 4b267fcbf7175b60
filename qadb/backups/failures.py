"""What the system refuses when backups and archives are written, in our words."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from qadb.disk import NO_ROOM
from qadb.errors import ConfigurationError, InsufficientPrivilege, QadbError, StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


What = Literal["backup", "archive"]

_ELSEWHERE: dict[What, str] = {
    "backup": "set QADB_BACKUP_DIR.",
    "archive": "name another one: qadb cleanup --archive DIR",
}
_ANOTHER: dict[What, str] = {"backup": "qadb backup PATH", "archive": "qadb cleanup --archive DIR"}


@contextmanager
def explain_refusals(path: Path, what: What = "backup") -> Iterator[None]:
    """Turn the system's refusals to write ``path`` into one of ours.

    Raises:
        StorageFull: there is no room.
        InsufficientPrivilege: this user may not write there.
        QadbError: whatever else the system says.
    """
    try:
        yield
    except OSError as error:
        message = f"The {what} {path} can't be written: {_reason(error)}."
        if error.errno in NO_ROOM:
            raise StorageFull(
                message, hint=f"Free some space, or name another folder: {_ANOTHER[what]}"
            ) from error
        if error.errno in _NOT_ALLOWED:
            raise InsufficientPrivilege(
                message, hint=f"Check the folder's owner and mode, or {_ELSEWHERE[what]}"
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise ConfigurationError(
                message, hint="Name a folder, or a file in one, that can be made."
            ) from error
        raise QadbError(message, hint=f"Name another folder: {_ANOTHER[what]}") from error


def _reason(error: OSError) -> str:
    """The system's words; libraries put their own around them."""
    return str(error) if error.errno is None else os.strerror(error.errno)

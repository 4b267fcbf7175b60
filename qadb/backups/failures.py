"""What the system refuses when backups are written, in our words."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError, InsufficientPrivilege, QadbError, StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def explain_refusals(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write ``path`` into one of ours.

    Raises:
        StorageFull: there is no room.
        InsufficientPrivilege: this user may not write there.
        QadbError: whatever else the system says.
    """
    try:
        yield
    except OSError as error:
        message = f"The backup {path} can't be written: {error.strerror or error}."
        if error.errno in _NO_ROOM:
            raise StorageFull(
                message, hint="Free some space, or name another folder: qadb backup PATH"
            ) from error
        if error.errno in _NOT_ALLOWED:
            raise InsufficientPrivilege(
                message, hint="Check the folder's owner and mode, or set QADB_BACKUP_DIR."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise ConfigurationError(
                message, hint="Name a folder, or a file in one, that can be made."
            ) from error
        raise QadbError(message, hint="Name another folder: qadb backup PATH") from error

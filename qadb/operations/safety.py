"""Save a database before its revisions are changed, and say how to get it back if that fails."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.errors import QadbError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import Progress


@contextmanager
def saved_before(
    database: Database,
    folder: Path | None,
    *,
    progress: Progress,
    notify: Callable[[str], None],
) -> Iterator[Path | None]:
    """Make a verified backup, then let the block run; the caller holds the operations' lock.

    Args:
        database: what to save.
        folder: where to; None saves nothing.
        progress: told of bytes.
        notify: told what somebody may want to know.

    Raises:
        QadbError: the backup can't be made, and the block was not begun; or what the block raises,
            with the command that brings the saved database back.
    """
    if folder is None:
        yield None
        return
    from qadb.operations.backup import BackupOptions, write_backup  # noqa: PLC0415 - as seldom used

    options = BackupOptions(verify=True, purpose="migrate")
    path = write_backup(database, folder, options, progress=progress, notify=notify).path
    try:
        yield path
    except QadbError as error:
        restore = f"It was saved before; to have that back: qadb restore {shlex.quote(str(path))}"
        error.hint = f"{error.hint} {restore}" if error.hint else restore
        raise

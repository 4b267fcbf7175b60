"""Remove the backups of a database that no rule keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.backups.folder import list_backups, remove_backup
from qadb.backups.rotation import KeepRules, choose_removals
from qadb.operations.common import say_nothing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.backups.folder import Backup
    from qadb.settings import DatabaseUrl


def rotate_backups(
    folder: Path,
    url: DatabaseUrl,
    rules: KeepRules,
    *,
    notify: Callable[[str], None] = say_nothing,
) -> tuple[Path, ...]:
    """Remove what may go; returns what is gone, oldest first.

    One that can't be removed is told of and left.
    """
    removed = []
    for backup in plan_rotation(folder, url, rules):
        try:
            remove_backup(backup)
        except OSError as error:
            notify(f"{backup.path} can't be removed: {error.strerror}.")
        else:
            removed.append(backup.path)
    return tuple(removed)


def plan_rotation(
    folder: Path, url: DatabaseUrl, rules: KeepRules, *, coming: Backup | None = None
) -> tuple[Backup, ...]:
    """Say what may go of the backups that are there; removes nothing.

    Args:
        folder: where they are.
        url: the database whose backups are meant.
        rules: what to keep.
        coming: one that would be there by then.
    """
    if rules.is_empty or not folder.is_dir():
        return ()
    present = [backup for backup in list_backups(folder) if backup.is_of(url)]
    return choose_removals([*present, *([coming] if coming else [])], rules)

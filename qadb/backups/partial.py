"""A backup, or an archive, while it is made: a hidden folder beside where it will stand.

It holds the file that grows and whatever an engine needs on the way. A killed backup leaves it, and
the next one removes it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from qadb.backups.failures import What, explain_refusals
from qadb.disk import sync
from qadb.errors import ConfigurationError
from qadb.owned_folders import begin_folder, remove_abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTIAL: Final = ".partial"

_FILE = "backup"


class Partial:
    """A backup that has no name yet.

    Attributes:
        target: the name it will have.
        folder: its own, removed at the end.
        path: the file in it that becomes the backup.
    """

    def __init__(self, target: Path, folder: Path, what: What = "backup") -> None:
        self.target = target
        self._what = what
        self.folder = folder
        self.path = folder / _FILE

    def publish(self) -> None:
        """Give the file its name, in one step, once all of it is on the disk.

        Raises:
            ConfigurationError: the name is taken; what has it is left alone.
        """
        with explain_refusals(self.target, self._what):
            self.path.chmod(0o600)
            sync(self.path)
            try:
                _rename_unless_taken(self.path, self.target)
            except FileExistsError:
                raise _name_is_taken(self.target, self._what) from None
            sync(self.target.parent)


@contextlib.contextmanager
def begin_partial(target: Path, what: What = "backup") -> Iterator[Partial]:
    """Begin a backup that will be called ``target``; nothing is left of it unless published.

    Raises:
        ConfigurationError: the name is taken.
        QadbError: the folder can't be made or written.
    """
    with explain_refusals(target, what):
        if target.exists():
            raise _name_is_taken(target, what)
        _make_folder(target.parent)
        folder = begin_folder(target.parent, f".{target.name}.", PARTIAL)
    try:
        yield Partial(target, folder.path, what)
    finally:
        folder.remove()


def remove_leftovers(folder: Path) -> tuple[str, ...]:
    """Remove what killed backups left in a folder; returns the names they would have had."""
    found = remove_abandoned(folder.glob(f".*{PARTIAL}"))
    names = (each.name.removeprefix(".").removesuffix(PARTIAL) for each in found)
    return tuple(name.rpartition(".")[0] for name in names)


def _make_folder(folder: Path) -> None:
    """Make the folder for its owner alone; one that is there keeps its mode."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)


def _rename_unless_taken(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError from None
        source.rename(target)


def _name_is_taken(target: Path, what: What) -> ConfigurationError:
    article = "an" if what == "archive" else "a"
    return ConfigurationError(
        f"{target} is there already, and {article} {what} replaces nothing.",
        hint="Name a folder: each backup in it gets a name of its own.",
    )

"""Makes a SQLite file of a backup's content, beside the database that it is for."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from qadb.backends.sqlite.checking import check_file
from qadb.backends.sqlite.errors import translate_os_error
from qadb.backends.sqlite.files import make_folder, resolve_file
from qadb.disk import write_in_pieces
from qadb.owned_folders import begin_folder, remove_abandoned
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource, OnBytes
    from qadb.backends.values import ConnectionOptions

RESTORING = ".restoring"

_NAME = "rebuilt.sqlite3"
_READ_BYTES = 1 << 20


def place_in(folder: Path) -> DatabaseUrl:
    """The file that `rebuild` makes in a folder."""
    return DatabaseUrl("sqlite", path=folder / _NAME)


def check_requirements(
    url: DatabaseUrl, options: ConnectionOptions, details: Mapping[str, object]
) -> None:
    """A file needs nothing but a folder, which is made where it is missing.

    Raises:
        InsufficientPrivilege: this user may not write there.
    """
    del options, details
    folder = resolve_file(url).parent
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise translate_os_error(
            PermissionError(13, os.strerror(13)), f"The folder {folder} can't be written"
        )


@contextlib.contextmanager
def rebuild(
    content: ByteSource,
    url: DatabaseUrl,
    options: ConnectionOptions,
    *,
    details: Mapping[str, object],
    folder: Path | None,
    jobs: int,
    on_bytes: OnBytes,
) -> Iterator[DatabaseUrl]:
    """Write the content into a file of its own; whoever gives it a name syncs it first.

    Raises:
        BackupDamaged: the content ends too early.
        StorageFull: there is no room for it.
    """
    del options, details, jobs
    with _place(url, folder) as place:
        path = place / _NAME
        try:
            _write(path, content, on_bytes)
        except OSError as error:
            raise translate_os_error(error, f"{place} can't be written") from error
        yield DatabaseUrl("sqlite", path=path)


def check(rebuilt: DatabaseUrl) -> None:
    """Check pages and keys of what was rebuilt; raises BackupDamaged."""
    check_file(resolve_file(rebuilt), what="The backup's content")


def remove_leftovers(url: DatabaseUrl, options: ConnectionOptions) -> tuple[str, ...]:
    """Remove the folders of restores that were killed."""
    del options
    path = resolve_file(url)
    removed = remove_abandoned(path.parent.glob(f".{path.name}.*{RESTORING}"))
    return tuple(folder.name for folder in removed)


@contextlib.contextmanager
def _place(url: DatabaseUrl, folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    path = resolve_file(url)
    try:
        place = begin_folder(path.parent, f".{path.name}.", RESTORING)
    except OSError as error:
        raise translate_os_error(error, f"The folder {path.parent} can't be written") from error
    try:
        yield place.path
    finally:
        place.remove()


def _write(path: Path, content: ByteSource, on_bytes: OnBytes) -> None:
    done = 0
    with path.open("xb") as file:  # buffered: a bare file may write a part, as where room ends
        while data := content.read(_READ_BYTES):
            write_in_pieces(file, data)
            done += len(data)
            on_bytes(done)

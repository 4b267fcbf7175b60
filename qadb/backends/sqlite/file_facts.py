"""What a SQLite file and its surroundings tell, for `qadb.health`.

The file is opened by SQLite alone; of it and what stands beside it, the system tells sizes and
modes.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qadb.backends.base_file_health import FreePages
from qadb.backends.base_health import FoundObject
from qadb.backends.sqlite.files import resolve_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from qadb.settings import DatabaseUrl

MOUNTS = Path("/proc/self/mounts")  # Linux only

# Locks are kept by the other machine, or by nobody; shared memory reaches one machine only.
NETWORKED: Final = re.compile(
    r"afs|beegfs|ceph|cifs|coda|davfs|gfs2?|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|prl_fs"
    r"|smb[23]|smbfs|vboxsf|vmhgfs"
    r"|fuse\.(ceph|davfs2?|gcsfuse|glusterfs|juicefs|rclone|s3fs|sshfs|vmhgfs-fuse)"
)

SIDECARS: Final = ("", "-wal", "-shm", "-journal")
AUTO_VACUUM_NONE: Final = 0
SYNCHRONOUS: Final = ("off", "normal", "full", "extra")

FREE_PAGES_SQL: Final = """
SELECT freelist_count * page_size AS free_bytes, page_count * page_size AS size_bytes, auto_vacuum
FROM pragma_freelist_count, pragma_page_count, pragma_page_size, pragma_auto_vacuum
"""

STATEMENTS: Mapping[str, str] = {
    "journal_mode": "PRAGMA journal_mode",
    "synchronous": "PRAGMA synchronous",
    "keys_are_checked": "PRAGMA foreign_keys",
    "free_pages": FREE_PAGES_SQL,
    "application_id": "PRAGMA application_id",
}

_ESCAPED = re.compile(r"\\([0-7]{3})")


def journal_mode(connection: Connection) -> str:
    """How changes are logged."""
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")  # or it tells what once was
    mode: str = connection.exec_driver_sql(STATEMENTS["journal_mode"]).scalar_one()
    return mode.lower()


def synchronous(connection: Connection) -> str:
    """How surely a commit is on disk."""
    level = int(connection.exec_driver_sql(STATEMENTS["synchronous"]).scalar_one())
    return SYNCHRONOUS[level]


def keys_are_checked(connection: Connection) -> bool:
    """Whether foreign keys are on; a library built without them answers nothing."""
    return connection.exec_driver_sql(STATEMENTS["keys_are_checked"]).scalar() == 1


def log_size(url: DatabaseUrl) -> int | None:
    """Bytes of the write-ahead log; 0 where there is none."""
    if url.is_memory:
        return None
    file = resolve_file(url)
    return _size(file.with_name(f"{file.name}-wal"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def free_pages(connection: Connection) -> FreePages:
    """How much of the file holds nothing."""
    row = connection.exec_driver_sql(FREE_PAGES_SQL).one()
    return FreePages(
        int(row.free_bytes), int(row.size_bytes), int(row.auto_vacuum) != AUTO_VACUUM_NONE
    )


def application_id(connection: Connection) -> int:
    """The mark in the file's header."""
    return int(connection.exec_driver_sql(STATEMENTS["application_id"]).scalar_one())


def file_system(url: DatabaseUrl) -> str | None:
    """The kind of the mount that the file lies on: the deepest, and of two the later one."""
    if url.is_memory:
        return None
    file = resolve_file(url)
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    found, deepest = None, -1
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        mount = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), place))
        if file.is_relative_to(mount) and len(mount.parts) >= deepest:
            found, deepest = kind, len(mount.parts)
    return found


def is_shared_over_network(file_system: str) -> bool:
    """Tell whether a kind of file system is another machine's."""
    return NETWORKED.fullmatch(file_system.lower()) is not None


def open_places(url: DatabaseUrl) -> tuple[FoundObject, ...] | None:
    """The file, what stands beside it and its folder, as far as every user may write them."""
    if url.is_memory:
        return None
    return tuple(_open_places(resolve_file(url)))


def _open_places(file: Path) -> Iterator[FoundObject]:
    for path in (file.with_name(file.name + end) for end in SIDECARS):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            continue
        if mode & stat.S_IWOTH:
            yield FoundObject(str(path), _spell(mode, "change it"), f"chmod o-w {path}")
    mode = file.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        detail = _spell(mode, "put another file in its place")
        yield FoundObject(str(file.parent), detail, f"chmod o-w {file.parent}")


def _spell(mode: int, what: str) -> str:
    return f"mode {stat.S_IMODE(mode):04o}, any user may {what}"

"""What a database that is a file tells to whoever asks whether it is well.

Facts only: what is good and what is bad is decided in `qadb.health`. No content is read but by the
engine itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.backends.base_health import FoundObject
    from qadb.settings import DatabaseUrl


@dataclass(frozen=True, slots=True)
class FreePages:
    """Room inside the file that holds nothing.

    Attributes:
        gives_back: the file can be made smaller without writing it anew.
    """

    free_bytes: int
    size_bytes: int
    gives_back: bool


class FileInspector(Protocol):
    """Facts of a database that is a file."""

    def journal_mode(self, connection: Connection) -> str:
        """How changes are logged: ``wal``, ``delete``, ``memory``, …."""
        ...

    def synchronous(self, connection: Connection) -> str:
        """How surely a commit is on disk: ``off``, ``normal``, ``full``, ``extra``."""
        ...

    def keys_are_checked(self, connection: Connection) -> bool:
        """Whether a row without its parent is refused on this connection."""
        ...

    def log_size(self, url: DatabaseUrl) -> int | None:
        """Bytes of the log beside the file; None where there is no file."""
        ...

    def free_pages(self, connection: Connection) -> FreePages:
        """How much of the file holds nothing."""
        ...

    def application_id(self, connection: Connection) -> int:
        """The mark in the file's header of whose it is; 0 where there is none."""
        ...

    def file_system(self, url: DatabaseUrl) -> str | None:
        """The kind of file system that the file lies on; None where nobody tells."""
        ...

    def is_shared_over_network(self, file_system: str) -> bool:
        """Tell whether a kind of file system is another machine's."""
        ...

    def open_places(self, url: DatabaseUrl) -> tuple[FoundObject, ...] | None:
        """Files and folders that every user may write; None where there is no file."""
        ...

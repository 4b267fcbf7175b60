"""What every engine adapter offers to whoever makes backups and restores them.

What a backup's file looks like is no concern of an engine: it writes its content into a sink and
reads it from a source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backends.values import ConnectionOptions, LockHolder
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

OnBytes: TypeAlias = "Callable[[int], None]"
"""Told how many bytes are done so far; called from the working thread."""


def already_sound() -> None:
    """The default for ``wait_until_sound``: whoever calls has checked what was rebuilt."""


def nothing_to_save() -> None:
    """The default for ``save_late``: whoever calls has not saved the former database."""


class ByteSink(Protocol):
    """Takes a backup's content, piece by piece."""

    def write(self, data: bytes, /) -> object:
        """Take all of the data."""
        ...


class ByteSource(Protocol):
    """Gives a backup's content back, piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end.

        Raises:
            BackupDamaged: the file holds something else than what was written.
        """
        ...


class Moment(Protocol):
    """A database's content at one moment, whatever others write meanwhile."""

    @property
    def taken_at(self) -> datetime:
        """When that was, UTC."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole database."""
        ...

    @property
    def connection(self) -> Connection:
        """Reads that moment; another thread may use it while the content is written."""
        ...

    @property
    def details(self) -> Mapping[str, object]:
        """What the engine wants to find again when it restores; JSON values."""
        ...

    @property
    def content_name(self) -> str:
        """What the content is called inside a backup's file."""
        ...

    @property
    def is_comparable(self) -> bool:
        """Tell whether `equals` can tell; else only a database rebuilt from the content can."""
        ...

    def write(self, sink: ByteSink, on_bytes: OnBytes, *, jobs: int) -> None:
        """Write the content, all of it, or raise.

        Args:
            sink: where to.
            on_bytes: told how much is written.
            jobs: how many sessions may read at once.

        Raises:
            MissingProgram: a program of the engine is not there, or of no fitting version.
            QadbError: whatever the engine refuses.
        """
        ...

    def check(self) -> None:
        """Check the content by itself, where the engine can; may run while it is written.

        Not while somebody reads on the connection, as it may do so itself.

        Raises:
            BackupDamaged: pages are broken, or rows point at none.
        """
        ...

    def interrupt(self) -> None:
        """End the statement that another thread runs on the connection or in `check`, if any."""
        ...

    def equals(self, content: ByteSource) -> bool:
        """Tell whether content is this moment's, byte by byte; False where nobody can tell."""
        ...


class Dumper(Protocol):
    """Writes a database out."""

    def freeze(
        self, url: DatabaseUrl, options: ConnectionOptions, *, folder: Path, on_bytes: OnBytes
    ) -> AbstractContextManager[Moment]:
        """Hold a moment of the database until it is written out.

        Args:
            url: the database.
            options: how to connect.
            folder: an empty one for whatever it takes on the way; the caller removes it.
            on_bytes: told how far a copy is that comes first.
        """
        ...


class Claim(Protocol):
    """The place that a restore is for, kept from every other operation while it is held."""

    def find_users(self) -> tuple[str, ...]:
        """Describe who else uses the database and would be in the way, as far as one can see."""
        ...

    def watch_commits(self) -> None:
        """Note what others commit from now on, where it would be lost with the former database."""
        ...

    def put_in_place(
        self,
        rebuilt: DatabaseUrl,
        *,
        is_damaged: bool,
        disconnect: bool,
        drop_previous: bool,
        wait_until_sound: Callable[[], object] = already_sound,
        save_late: Callable[[], object] = nothing_to_save,
    ) -> str | None:
        """Let the rebuilt database take the place, in one step.

        Killed or failing at any point, the former database is whole and in place, or the new one
        is.

        Args:
            rebuilt: where `Restorer.rebuild` has made it.
            is_damaged: the former database can't be read, so that it can't be saved by a backup.
            disconnect: end the sessions of those who use the former one, where the engine can.
            drop_previous: do not keep the former database.
            wait_until_sound: called before that step, and after what can be undone; returns when
                the rebuilt database is checked, and raises what was found, which leaves the former
                in place.
            save_late: called where somebody has committed since `watch_commits`, once nobody can
                any more; saves the former database, or raises, which leaves it in place.

        Returns:
            What the former database is called now; None where none is kept.

        Raises:
            DatabaseInUse: somebody has it open and stays.
        """
        ...


class Restorer(Protocol):
    """Makes a database of a backup's content, and puts it in another's place.

    Attributes:
        keeps_previous: the former database stays under another name, so nobody has to save it.
    """

    keeps_previous: bool

    def claim(
        self,
        url: DatabaseUrl,
        schema: Schema,
        options: ConnectionOptions,
        *,
        wait_seconds: float,
        on_wait: Callable[[LockHolder], None],
    ) -> AbstractContextManager[Claim]:
        """Hold the operations' lock of a database that may be absent or damaged.

        Raises:
            LockNotAvailable: another operation still holds it after ``wait_seconds``.
        """
        ...

    def place_in(self, folder: Path) -> DatabaseUrl | None:
        """Where `rebuild` with this folder needs nothing else; None where it needs a server."""
        ...

    def check_requirements(
        self, url: DatabaseUrl, options: ConnectionOptions, details: Mapping[str, object]
    ) -> None:
        """Raise unless the place has what the backup needs: programs, rights, roles, extensions.

        Raises:
            MissingProgram, InsufficientPrivilege, RestoreRefused: it has not; all that is missing
                is named at once.
        """
        ...

    def rebuild(
        self,
        content: ByteSource,
        url: DatabaseUrl,
        options: ConnectionOptions,
        *,
        details: Mapping[str, object],
        folder: Path | None,
        jobs: int,
        on_bytes: OnBytes,
    ) -> AbstractContextManager[DatabaseUrl]:
        """Make a database of the content, beside the one named; it is removed at the end.

        It stays where it was put in place meanwhile.

        Args:
            content: as `Moment.write` wrote it.
            url: the database that it is made beside.
            options: how to connect.
            details: as `Moment.details` held them.
            folder: for files on the way; None for the engine's own choice.
            jobs: how many processes or threads may work.
            on_bytes: told how much of the content is read.

        Raises:
            BackupDamaged: the content can't be rebuilt.
            StorageFull: there is no room for it.
        """
        ...

    def check(self, rebuilt: DatabaseUrl) -> None:
        """Check a rebuilt database by the engine's own means.

        Raises:
            BackupDamaged: it is damaged, or rows point at none.
        """
        ...

    def remove_leftovers(self, url: DatabaseUrl, options: ConnectionOptions) -> tuple[str, ...]:
        """Remove what killed processes have rebuilt beside this database; returns what is gone.

        What is being rebuilt now, and what this user may not remove, stays.
        """
        ...

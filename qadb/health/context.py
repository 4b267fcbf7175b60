"""What a check is given: its own transaction, its limits, and what all checks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from qadb.health.backup_facts import read_backup_facts
from qadb.revisions.state import read_state_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.checks import Check, Limits
    from qadb.database import Database
    from qadb.health.backup_facts import BackupFacts
    from qadb.revisions.state import DatabaseState
    from qadb.settings.retention import RetentionSetting


@dataclass(slots=True)
class Shared:
    """What several checks want to know and one of them finds out."""

    _state: DatabaseState | None = field(default=None, init=False)
    _backups: BackupFacts | None = field(default=None, init=False)

    def state(self, database: Database, connection: Connection) -> DatabaseState:
        """Where the database stands."""
        if self._state is None:
            self._state = read_state_on(connection, database)
        return self._state

    def backups(
        self, database: Database, connection: Connection, folder: Path | None
    ) -> BackupFacts:
        """What is known of the database's backups."""
        if self._backups is None:
            self._backups = read_backup_facts(database, connection, folder)
        return self._backups


@dataclass(frozen=True, slots=True)
class Context:
    """What a check is given.

    Attributes:
        connection: in a read-only transaction of the check's own.
        limits: those in effect.
        now: when the run began, UTC.
        seconds: how long the check may take.
        backup_dir: where the database's backups are; None where nobody says.
        retention: what the configuration says of how long rows stay, by table.
    """

    database: Database
    connection: Connection
    limits: Limits
    now: datetime
    seconds: float
    backup_dir: Path | None
    shared: Shared
    retention: Mapping[str, RetentionSetting] = field(default_factory=dict)

    @property
    def state(self) -> DatabaseState:
        """Where the database stands."""
        return self.shared.state(self.database, self.connection)

    @property
    def backups(self) -> BackupFacts:
        """What is known of the database's backups."""
        return self.shared.backups(self.database, self.connection, self.backup_dir)


HealthCheck: TypeAlias = "Check[Context]"

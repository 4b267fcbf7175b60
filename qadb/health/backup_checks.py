"""Checks of the backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

BACKUP_CHECKS: tuple[HealthCheck, ...] = ()

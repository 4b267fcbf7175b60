"""Checks of the data that make sense of any schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

DATA_CHECKS: tuple[HealthCheck, ...] = ()

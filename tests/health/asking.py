"""One check asked of one database, as `qadb health --only ID` asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.operations.health import HealthOptions, check_health
from qadb.settings.health import HealthSettings, OwnLimits

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from qadb.health.results import CheckResult


def ask(
    database: Database,
    name: str,
    *,
    backup_dir: Path | None = None,
    settings: HealthSettings | None = None,
) -> CheckResult:
    """Run one check and return its answer."""
    options = HealthOptions(only=(name,), backup_dir=backup_dir)
    if settings is not None:
        options = HealthOptions(only=(name,), backup_dir=backup_dir, settings=settings)
    (result,) = check_health(database, options).results
    return result


def limits(name: str, *, warn: float, crit: float | None = None) -> HealthSettings:
    """Other limits for one check, as a configuration file sets them."""
    return HealthSettings(limits={name: OwnLimits(warn=warn, crit=crit)}, source="qadb.toml")

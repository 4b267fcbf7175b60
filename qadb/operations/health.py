"""Whether a database is well: runs the checks that are wanted. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from qadb.health.catalogue import all_checks
from qadb.health.results import overall
from qadb.health.runner import run_checks
from qadb.health.selection import select
from qadb.settings.health import HealthSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qadb.database import Database
    from qadb.health.context import HealthCheck
    from qadb.health.results import CheckResult, Overall
    from qadb.settings.retention import RetentionSetting

FailOn: TypeAlias = Literal["warn", "crit", "never"]
DEFAULT_BUDGET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """What is to be checked.

    Attributes:
        only: ids and groups; none: all.
        skip: ids and groups that are left out.
        deep: run the deep checks as well.
        budget_seconds: how long all may take together; None: as long as they take.
        backup_dir: where the database's backups are.
        retention: what the configuration says of how long rows stay, by table.
        settings: what the configuration says about checks.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    deep: bool = False
    budget_seconds: float | None = DEFAULT_BUDGET_SECONDS
    backup_dir: Path | None = None
    retention: Mapping[str, RetentionSetting] = field(default_factory=dict)
    settings: HealthSettings = field(default_factory=HealthSettings)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What was found.

    Attributes:
        status: the worst of all; ``unknown`` where nothing could be checked.
        results: in the catalogue's order.
    """

    status: Overall
    results: tuple[CheckResult, ...]

    def fails(self, fail_on: FailOn) -> bool:
        """Tell whether the run did not pass; where nothing was checked it never did."""
        if self.status == "unknown":
            return True
        worst = {"warn": {"warn", "crit"}, "crit": {"crit"}, "never": set[str]()}
        return self.status in worst[fail_on]


def check_health(
    database: Database,
    options: HealthOptions,
    *,
    wait_seconds: float = 0.0,
    on_check: Callable[[HealthCheck], None] = lambda _check: None,
) -> HealthReport:
    """Run the checks.

    Args:
        database: what to ask.
        options: what to ask it.
        wait_seconds: how long to wait for a server that is starting up.
        on_check: told which check runs next.

    Raises:
        ConfigurationError: there is no such check or group.
        DatabaseUnreachable: there is no connection, no database, or the server stopped meanwhile.
    """
    selection = select(
        all_checks(database.schema),
        engine=database.backend.name,
        only=options.only,
        skip=options.skip,
        deep=options.deep,
        settings=options.settings,
    )
    if wait_seconds:
        database.wait_until_reachable(wait_seconds)
    results = run_checks(
        database,
        selection,
        budget_seconds=options.budget_seconds,
        backup_dir=options.backup_dir,
        retention=options.retention,
        on_check=on_check,
    )
    return HealthReport(overall(results), results)

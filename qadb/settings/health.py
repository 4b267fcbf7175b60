"""The TOML table ``health``: checks that are left out, and limits of somebody's own.

Which checks there are is not known here: whoever runs them finds out about a wrong name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """Limits that a site sets; None leaves the check's own."""

    warn: float | None = None
    crit: float | None = None

    def given(self) -> dict[str, float]:
        """Those that are set, by name."""
        both = {"warn": self.warn, "crit": self.crit}
        return {name: value for name, value in both.items() if value is not None}


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """What the configuration says about checks.

    Attributes:
        skip: reasons by id or group.
        limits: by id.
        source: the file, for people.
    """

    skip: Mapping[str, str] = field(default_factory=dict, hash=False)
    limits: Mapping[str, OwnLimits] = field(default_factory=dict, hash=False)
    source: str = "default"

    def shown(self) -> Iterator[tuple[str, str | float]]:
        """Each value by its key in the file."""
        for name, reason in self.skip.items():
            yield f"health.skip.{name}", reason
        for name, limits in self.limits.items():
            for key, value in limits.given().items():
                yield f"health.thresholds.{name}.{key}", value


def read_health(content: object, source: str) -> HealthSettings:
    """Check the table's content.

    Raises:
        ConfigurationError: a key is unknown, or a value of another type.
    """
    label = f"health in {source}"
    table = _table(content, label)
    unknown = sorted(table.keys() - {"skip", "thresholds"})
    if unknown:
        raise ConfigurationError(
            f"{label} has the unknown key '{unknown[0]}'.", hint="There are: skip, thresholds."
        )
    skip = _table(table.get("skip", {}), f"health.skip in {source}")
    limits = _table(table.get("thresholds", {}), f"health.thresholds in {source}")
    return HealthSettings(
        {name: _reason(name, reason, source) for name, reason in skip.items()},
        {name: _limits(name, value, source) for name, value in limits.items()},
        source,
    )


def _table(value: object, label: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{label} must be a table.")
    return value


def _reason(name: str, value: object, source: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"health.skip of {name} in {source} must be the reason, as a string.",
            hint='Write it like: skip = { "QADB-B01" = "this copy is thrown away" }',
        )
    return value.strip()


def _limits(name: str, value: object, source: str) -> OwnLimits:
    label = f"health.thresholds of {name} in {source}"
    table = _table(value, label)
    if table.keys() - {"warn", "crit"} or not table:
        raise ConfigurationError(
            f"{label} must have warn, crit or both.",
            hint='Write it like: thresholds."QADB-B01" = { warn = 48, crit = 96 }',
        )
    return OwnLimits(**{key: _number(number, label) for key, number in table.items()})


def _number(value: object, label: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{label} must be numbers.")
    return value

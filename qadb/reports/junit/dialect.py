"""Which tool wrote a JUnit file: a guess from the marks that tools leave.

Owns the marks. Nothing else depends on the guess; it is there for people and for statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUITE_NAMES: Final = {
    "pytest": "pytest",
    "pytest tests": "pytest",
    "jest tests": "jest",
    "vitest tests": "vitest",
    "mocha tests": "mocha",
    "nextest-run": "nextest",
    "rspec": "rspec",
    "nosetests": "nose",
    "alltests": "gtest",
    "bun test": "bun",
}
_PROPERTIES: Final = {
    "go.version": "gotest",
    "clr-version": "xunit",
    "nunit-version": "xunit",
    "surefire.real.class.path": "surefire",
    "surefire.test.class.path": "surefire",
}
_VERSION_PROPERTIES: Final = frozenset({"go.version", "nunit-version"})
_MAX_VERSION_CHARS: Final = 100


class DialectGuess:
    """Watches suites and properties until something gives the tool away."""

    def __init__(self) -> None:
        self.dialect: str | None = None
        self.tool_version: str | None = None

    def see_suite(self, attributes: Mapping[str, str]) -> None:
        """Look at a root or a suite."""
        if self.dialect is None:
            self.dialect = _by_suite(attributes)

    def see_property(self, attributes: Mapping[str, str]) -> None:
        """Look at a property."""
        name = attributes.get("name", "")
        if name not in _PROPERTIES:
            return
        self.dialect = self.dialect or _PROPERTIES[name]
        if name in _VERSION_PROPERTIES and self.tool_version is None:
            self.tool_version = attributes.get("value", "")[:_MAX_VERSION_CHARS] or None


def _by_suite(attributes: Mapping[str, str]) -> str | None:
    name = attributes.get("name", "")
    if name.lower() in _SUITE_NAMES:
        return _SUITE_NAMES[name.lower()]
    if "surefire" in attributes.get("nonamespaceschemalocation", ""):
        return "surefire"
    if "assertions" in attributes:
        return "phpunit"
    if "uuid" in attributes:
        return "nextest"
    return None

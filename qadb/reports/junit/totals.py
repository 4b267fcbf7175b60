"""Totals of a JUnit file: what it declares against what is in it.

Owns the comparison. Elements are counted; declared figures are kept as they are stated. Tools
count retries, disabled tests and several outcomes of one test in different ways, so a difference is
worth a warning only when none of those ways explains it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.reports.records import Status

_SPELLINGS: Final = {
    "tests": ("tests",),
    "failures": ("failures",),
    "errors": ("errors",),
    "skipped": ("skipped", "skips", "ignored"),
    "disabled": ("disabled",),
}
_MAX_DIGITS: Final = 15


@dataclass(slots=True)
class Totals:
    """Counts one file.

    Attributes:
        tests: all cases.
        verdicts: final verdicts by status, other than passed.
        attempts: earlier attempts by status.
        elements: outcome elements by status; a case can hold several.
    """

    tests: int = 0
    verdicts: Counter[Status] = field(default_factory=Counter)
    attempts: Counter[Status] = field(default_factory=Counter)
    elements: Counter[Status] = field(default_factory=Counter)
    _by_root: dict[str, int] = field(default_factory=dict)
    _by_suites: Counter[str] = field(default_factory=Counter)
    _stating_suites: Counter[str] = field(default_factory=Counter)
    _suites: int = 0

    def declare_root(self, attributes: Mapping[str, str]) -> None:
        """Take the totals that the root states."""
        self._by_root = _stated(attributes)

    def declare_suite(self, attributes: Mapping[str, str]) -> None:
        """Take the totals of a suite directly below the root; those further down repeat them."""
        stated = _stated(attributes)
        self._suites += 1
        self._by_suites.update(stated)
        self._stating_suites.update(stated.keys())

    def declared(self) -> dict[str, int]:
        """Totals as stated by the root, else by its suites together."""
        return {
            key: self._by_root.get(key, self._by_suites[key])
            for key in _SPELLINGS
            if key in self._by_root or key in self._stating_suites
        }

    def counted(self) -> dict[str, int]:
        """Totals over final verdicts."""
        return {
            "tests": self.tests,
            "passed": self.tests - self.verdicts.total(),
            "failures": self.verdicts["failed"],
            "errors": self.verdicts["error"] + self.verdicts["timeout"],
            "skipped": self.verdicts["skipped"],
        }

    def disagreement(self) -> str | None:
        """Say which declared totals nothing in the file explains, or None."""
        declared = {
            key: value
            for key, value in self.declared().items()
            if key in self._by_root or self._stating_suites[key] == self._suites
        }
        counted = self.counted()
        wrong = [key for key in counted if key in declared and not self._explains(key, declared)]
        if not wrong:
            return None
        parts = [f"{key}={declared[key]:,}, {_were(counted[key])} counted" for key in wrong]
        return f"the file declares {'; '.join(parts)}"

    def _explains(self, key: str, declared: Mapping[str, int]) -> bool:
        if key == "tests":
            return declared[key] in self._possible_tests()
        if key == "skipped":
            return self._explains_skipped(declared)
        return self._explains_failures(key, declared)

    def _possible_tests(self) -> set[int]:
        without_skipped = self.tests - self.verdicts["skipped"]
        return {self.tests, without_skipped, self.tests + self.attempts.total()}

    def _explains_skipped(self, declared: Mapping[str, int]) -> bool:
        skipped, disabled = declared["skipped"], declared.get("disabled", 0)
        possible = {self.verdicts["skipped"], self.elements["skipped"]}
        return bool(possible & {skipped, skipped + disabled, disabled or skipped})

    def _explains_failures(self, key: str, declared: Mapping[str, int]) -> bool:
        """Failures and errors are told apart differently, so their sum may do as well."""
        own: tuple[Status, ...] = ("failed",) if key == "failures" else ("error", "timeout")
        if declared[key] in self._possible(own):
            return True
        both = declared.get("failures", 0) + declared.get("errors", 0)
        return both in self._possible(("failed", "error", "timeout"))

    def _possible(self, statuses: tuple[Status, ...]) -> set[int]:
        verdicts, attempts, elements = (
            sum(counter[status] for status in statuses)
            for counter in (self.verdicts, self.attempts, self.elements)
        )
        return {verdicts, elements, verdicts + attempts}


def _stated(attributes: Mapping[str, str]) -> dict[str, int]:
    stated: dict[str, int] = {}
    for key, spellings in _SPELLINGS.items():
        texts = (attributes.get(spelling, "").strip() for spelling in spellings)
        text = next((text for text in texts if text.isascii() and text.isdigit()), "")
        if 0 < len(text) <= _MAX_DIGITS:
            stated[key] = int(text)
    return stated


def _were(count: int) -> str:
    return "1 was" if count == 1 else f"{count:,} were"

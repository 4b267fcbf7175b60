"""What a check found, for the formats that CI systems read; each has a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["passed", "failed", "unknown", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer.

    Attributes:
        name: short and stable.
        messages: what was found, a sentence or a line each; what is well has one at most.
        elapsed_seconds: how long it took to answer; None where nobody counted.
    """

    name: str
    outcome: Outcome
    messages: tuple[str, ...] = ()
    elapsed_seconds: float | None = None

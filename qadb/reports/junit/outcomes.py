"""What did not simply pass: the children of a test case that say how it ended.

Owns capped text, the choice between several outcomes of one case, and earlier attempts. Nothing
here grows with the length or the number of a case's outcomes beyond the caps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qadb.reports.fingerprint import failure_signature
from qadb.reports.records import MAX_MESSAGE_CHARS, MAX_STACK_TRACE_CHARS, Attempt, Status

if TYPE_CHECKING:
    from datetime import datetime

MAX_ATTEMPTS: Final = 100
_MAX_OUTCOMES: Final = 100

OUTCOME_STATUS: Final[dict[str, Status]] = {
    "failure": "failed",
    "error": "error",
    "skipped": "skipped",
    "timeout": "timeout",
}
ATTEMPT_STATUS: Final[dict[str, Status]] = {
    "flakyfailure": "failed",
    "flakyerror": "error",
    "rerunfailure": "failed",
    "rerunerror": "error",
}
_WEIGHT: Final[dict[Status, int]] = {
    "error": 4,
    "failed": 3,
    "timeout": 2,
    "skipped": 1,
    "passed": 0,
}
_SKIPPED_WORDS: Final = frozenset({"disabled", "notrun", "skipped", "suppressed", "ignored"})
_TIMEOUT_WORDS: Final = frozenset({"timeout", "timedout"})
_FAILED_WORDS: Final = frozenset({"failed", "failure", "fail", "error", "errored"})
_LEADING_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")


class CappedText:
    """Text in pieces, of which no more than the cap is kept."""

    __slots__ = ("_pieces", "_room", "is_truncated")

    def __init__(self, cap_chars: int = MAX_STACK_TRACE_CHARS) -> None:
        self._pieces: list[str] = []
        self._room = cap_chars
        self.is_truncated = False

    def add(self, piece: str) -> None:
        """Keep what there is room for."""
        kept, lost = piece[: self._room], piece[self._room :]
        if kept:
            self._pieces.append(kept)
            self._room -= len(kept)
        if lost and not lost.isspace():
            self.is_truncated = True

    def drop_blank(self) -> None:
        """Forget what is white space only, because the real text begins now."""
        if not self.text():
            self._room += sum(map(len, self._pieces))
            self._pieces.clear()

    def text(self) -> str:
        """The text without blank lines before it and white space after it."""
        return _LEADING_BLANK_LINES.sub("", "".join(self._pieces).rstrip())


@dataclass(slots=True)
class Outcome:
    """An outcome element, while it is open and after."""

    status: Status
    is_attempt: bool
    error_type: str | None
    stated_message: str | None
    duration_ms: float | None
    executed_at: datetime | None
    text: CappedText = field(default_factory=CappedText)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended, with the reasons given."""

    status: Status
    error_type: str | None
    message: str | None
    stack_trace: str | None
    is_truncated: bool
    signature: str | None


PASSED: Final = Verdict("passed", None, None, None, is_truncated=False, signature=None)
_SKIPPED: Final = Verdict("skipped", None, None, None, is_truncated=False, signature=None)
_TIMED_OUT: Final = Verdict(
    "timeout", None, None, None, is_truncated=False, signature=failure_signature(None, None, None)
)


def stated_verdict(*words: str) -> Verdict | None:
    """What a case's own attributes say; None when they say that it failed, and nothing how."""
    plain = {word.strip().lower() for word in words}
    if plain & _SKIPPED_WORDS:
        return _SKIPPED
    if plain & _TIMEOUT_WORDS:
        return _TIMED_OUT
    return None if plain & _FAILED_WORDS else PASSED


class CaseOutcomes:
    """What is said of one open case: by its attributes, which count least, and by its children."""

    __slots__ = ("_attempts", "_is_truncated", "_outcomes", "_stated")

    def __init__(self, stated: Verdict | None) -> None:
        """Begin with what `stated_verdict` gave."""
        self._stated = stated
        self._outcomes: list[Outcome] = []
        self._attempts: list[Attempt] = []
        self._is_truncated = False

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Earlier attempts in file order."""
        return tuple(self._attempts)

    def add(self, outcome: Outcome) -> bool:
        """Take a closed outcome; False when it is one attempt too many and is left out."""
        if not outcome.is_attempt:
            self._add_final(outcome)
        elif len(self._attempts) < MAX_ATTEMPTS:
            self._attempts.append(_attempt(outcome))
        else:
            return False
        return True

    def _add_final(self, outcome: Outcome) -> None:
        if len(self._outcomes) < _MAX_OUTCOMES:
            self._outcomes.append(outcome)
            return
        self._is_truncated = True
        heaviest = max(self._outcomes, key=_weight)
        if _weight(outcome) > _weight(heaviest):
            self._outcomes[-1] = outcome

    def verdict(self) -> Verdict | None:
        """Decide by the weightiest child, the first of its kind; None as `stated_verdict` says."""
        if not self._outcomes:
            return self._stated
        winner = max(self._outcomes, key=_weight)  # the first of equals
        text = CappedText()
        text.add(winner.text.text())
        for other in self._outcomes:
            if other is not winner:
                text.add(_as_appendix(other))
        verdict = _verdict(winner, text)
        return verdict if not self._is_truncated else _truncated(verdict)


def _weight(outcome: Outcome) -> int:
    return _WEIGHT[outcome.status]


def _as_appendix(outcome: Outcome) -> str:
    """Show a lesser outcome below the verdict's stack trace; nothing if it says nothing."""
    body = outcome.text.text()
    said = ": ".join(part for part in (outcome.error_type, outcome.stated_message) if part)
    if not body and not said:
        return ""
    head = f"\n--- also {outcome.status}{': ' if said else ''}{said[:MAX_MESSAGE_CHARS]} ---"
    return f"{head}\n{body}" if body else head


def _verdict(outcome: Outcome, text: CappedText) -> Verdict:
    stack_trace = text.text() or None
    own_text = outcome.text.text()
    message = outcome.stated_message or _first_line(own_text)
    has_failed = outcome.status not in ("passed", "skipped")
    return Verdict(
        status=outcome.status,
        error_type=outcome.error_type,
        message=None if message is None else message[:MAX_MESSAGE_CHARS],
        stack_trace=stack_trace,
        is_truncated=outcome.text.is_truncated
        or text.is_truncated
        or len(message or "") > MAX_MESSAGE_CHARS,
        signature=_signature(outcome, message, own_text) if has_failed else None,
    )


def _signature(outcome: Outcome, message: str | None, own_text: str) -> str:
    """Without a stated type or message one line of text says too little: use several."""
    is_described = outcome.error_type or outcome.stated_message
    return failure_signature(outcome.error_type, message if is_described else None, own_text)


def _truncated(verdict: Verdict) -> Verdict:
    return Verdict(
        verdict.status,
        verdict.error_type,
        verdict.message,
        verdict.stack_trace,
        is_truncated=True,
        signature=verdict.signature,
    )


def _attempt(outcome: Outcome) -> Attempt:
    verdict = _verdict(outcome, outcome.text)
    return Attempt(
        status=outcome.status,
        duration_ms=outcome.duration_ms,
        error_type=verdict.error_type,
        message=verdict.message,
        stack_trace=verdict.stack_trace,
        is_truncated=verdict.is_truncated,
        executed_at=outcome.executed_at,
        signature=verdict.signature,
    )


def _first_line(text: str) -> str | None:
    return next((line.strip() for line in text.splitlines() if line.strip()), None)

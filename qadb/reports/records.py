"""What a report says, in the words of no format: one record a test, one summary a file.

Owns the shapes that every reader yields. Filling them is each reader's work, storing them the
caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Status = Literal["passed", "failed", "error", "skipped", "timeout"]

MAX_MESSAGE_CHARS = 4_096
MAX_STACK_TRACE_CHARS = 65_536
MAX_ERROR_TYPE_CHARS = 255


class ByteSource(Protocol):
    """What a report is read from: an open file, a pipe, a decompressor."""

    def read(self, size: int, /) -> bytes:
        """Give up to that many bytes, none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier attempt of a test that was tried again.

    Attributes:
        duration_ms: milliseconds, three decimals, None when not stated or not readable.
        is_truncated: the message or the stack trace was longer than what is kept.
        executed_at: aware, in UTC; an attempt's own time only.
        signature: fingerprint of the failure.
    """

    status: Status
    duration_ms: float | None
    error_type: str | None
    message: str | None
    stack_trace: str | None
    is_truncated: bool
    executed_at: datetime | None
    signature: str | None


class ResultRecord(NamedTuple):
    """The final verdict on one test case.

    A named tuple, because a report can hold a million of them and a frozen dataclass costs eight
    times as much to make.

    Attributes:
        suite: name of the innermost suite.
        line: line of the test in its source file, as the report states it.
        duration_ms: milliseconds, three decimals, None when not stated or not readable.
        is_truncated: the message or the stack trace was longer than what is kept.
        signature: fingerprint of the failure, None when the test passed or was skipped.
        executed_at: aware, in UTC; the case's own time, else the innermost suite's.
        prior_attempts: earlier attempts, oldest first as the file has them.
    """

    suite: str | None
    classname: str | None
    name: str
    file: str | None
    line: int | None
    status: Status
    duration_ms: float | None
    error_type: str | None
    message: str | None
    stack_trace: str | None
    is_truncated: bool
    signature: str | None
    executed_at: datetime | None
    prior_attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What is known of a report after its last record.

    Attributes:
        format: name of the reader.
        dialect: the tool that wrote the file, a best guess, None when nothing gives it away.
        tool_version: that tool's version where the file states it.
        started_at: the earliest readable time in the file, aware, in UTC.
        duration_ms: what the file states for the whole, else for its suites, else its cases' sum.
        declared: totals as the file states them (``tests``, ``failures``, ``errors``,
            ``skipped``, ``disabled``); a total that it does not state has no key.
        counted: ``tests``, ``passed``, ``failures``, ``errors`` (timeouts included) and
            ``skipped`` over final verdicts.
        warnings: sentences about what was doubtful, one a kind.
    """

    format: Literal["junit"]
    dialect: str | None
    tool_version: str | None
    started_at: datetime | None
    duration_ms: float | None
    declared: Mapping[str, int]
    counted: Mapping[str, int]
    warnings: tuple[str, ...]

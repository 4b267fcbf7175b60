"""When to try again, and how long to wait before: one policy for whoever connects or waits."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, TypeVar

from qadb.errors import AuthenticationFailed, DatabaseAbsent, DatabaseUnreachable, QadbError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 5.0
_MOST_DOUBLINGS = 30

T = TypeVar("T")


def backoff_seconds(attempt: int, *, first: float, longest: float) -> float:
    """Exponential backoff with jitter: half of the pause is left to chance.

    Args:
        attempt: counted from 0.
        first: the longest pause after the first attempt, in seconds.
        longest: the longest of all, in seconds.
    """
    pause = min(longest, first * 2 ** min(attempt, _MOST_DOUBLINGS))
    return float(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret depends on it


def reconnect_delay_seconds(attempt: int) -> float:
    """The pause before connecting again."""
    return backoff_seconds(attempt, first=FIRST_DELAY_SECONDS, longest=LONGEST_DELAY_SECONDS)


def may_pass(error: QadbError) -> bool:
    """A wrong password or a missing database stays wrong however long we wait."""
    return isinstance(error, DatabaseUnreachable) and not isinstance(
        error, (AuthenticationFailed, DatabaseAbsent)
    )


def connect_again(action: Callable[[], T], *, retries: int) -> T:
    """Do what connects, again after failures that may pass; the last failure is raised."""
    for attempt in range(retries):
        try:
            return action()
        except QadbError as error:
            if not may_pass(error):
                raise
            logger.info("%s Trying again.", error.message)
            time.sleep(reconnect_delay_seconds(attempt))
    return action()


def wait_for(action: Callable[[], object], *, seconds: float) -> None:
    """Do what connects until it works; raises its failure when time is out or it can't pass."""
    deadline = time.monotonic() + seconds
    attempt = 0
    while True:
        try:
            action()
        except QadbError as error:
            remaining_seconds = deadline - time.monotonic()
            if not may_pass(error) or remaining_seconds <= 0:
                raise
            logger.info("%s Waiting.", error.message)
            time.sleep(min(reconnect_delay_seconds(attempt), remaining_seconds))
            attempt += 1
        else:
            return

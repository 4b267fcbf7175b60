"""Has the system run a thread as batch work: what it waits for wakes it no sooner than it must."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def batch_work() -> Iterator[None]:
    """Run this thread, and the threads and processes it starts, as batch work until the block ends.

    Programs that hand each other a little at a time are else woken for every little. Nothing
    changes where the system knows no such work, where somebody has chosen another policy for this
    thread (``chrt``), or where it may not be changed.
    """
    if not _set_policy("SCHED_OTHER", "SCHED_BATCH"):
        yield
        return
    try:
        yield
    finally:
        _set_policy("SCHED_BATCH", "SCHED_OTHER")


def _set_policy(former: str, policy: str) -> bool:
    """Change this thread's scheduling policy; False where it is not the former one."""
    if sys.platform != "linux" or not hasattr(os, "sched_setscheduler"):
        return False
    with suppress(OSError):
        if os.sched_getscheduler(0) == getattr(os, former):
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
            return True
    return False

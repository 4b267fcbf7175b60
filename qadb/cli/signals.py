"""Signals: being told to end.

Owns the SIGTERM handler while a command runs. Ctrl-C needs none: Python raises
``KeyboardInterrupt`` by itself.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def terminating_cleanly() -> Iterator[None]:
    """Turn the first SIGTERM into `Terminated`, so that transactions roll back and files go.

    Later ones are ignored while that happens. A process that was told to ignore SIGTERM goes on
    ignoring it; outside the main thread, where no handler can be set, nothing changes.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's interface
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated

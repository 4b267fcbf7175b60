"""What the operations share: how they tell their caller about steps and waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.backends.values import LockHolder
    from qadb.progress import Progress
    from qadb.revisions.runner import AppliedRevision

WAIT_LOCK_SECONDS = 60.0
LOCK_TIMEOUT_SECONDS = 2.0

_TELL_EVERY_SECONDS = 10.0


def say_nothing(message: str) -> None:
    """The default for ``notify``: a library speaks only when asked to."""
    del message


def tell_about_waiting(notify: Callable[[str], None]) -> Callable[[LockHolder], None]:
    """Tell at once whom we wait for, then now and again that we still do."""
    next_at = 0.0

    def on_wait(holder: LockHolder) -> None:
        nonlocal next_at
        if holder.waited_seconds >= next_at:
            next_at = holder.waited_seconds + _TELL_EVERY_SECONDS
            notify(
                f"Waiting for another operation ({holder.description}), "
                f"{holder.waited_seconds:.0f} s so far."
            )

    return on_wait


def count_bytes(progress: Progress, label: str, total: int) -> Callable[[int], None]:
    """Report bytes of one piece of work."""

    def on_bytes(done: int) -> None:
        progress(ProgressEvent(label, done, max(done, total), "bytes"))

    return on_bytes


def count_steps(progress: Progress, total: int) -> Callable[[AppliedRevision], None]:
    """Report each revision that was run as one step of ``total``."""
    done = 0

    def on_step(step: AppliedRevision) -> None:
        nonlocal done
        done += 1
        progress(ProgressEvent(f"{step.revision} {step.title}", done, total, "steps"))

    return on_step

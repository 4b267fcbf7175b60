"""Work that other threads do beside an operation's own, such as counts while it writes."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_INTERRUPT_SECONDS = 0.05


class Beside:
    """Threads for a block; when it fails, what they still do is ended rather than waited for.

    A count may wait for a lock that somebody holds for hours. What failed here first is the reason
    why the rest did: a moment ends with its connection's transaction.

    Args:
        interrupt: ends what the threads do just now; called again until they have ended.
        name: what the threads are called.
        threads: how many there are at most.
    """

    def __init__(self, interrupt: Callable[[], None], name: str, threads: int = 2) -> None:
        self._interrupt = interrupt
        self._pool = ThreadPoolExecutor(threads, name)
        self._futures: list[Future[Any]] = []
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, failure: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        reason = self._find_failure() if isinstance(error, Exception) else None
        self._is_over = failure is not None
        with self._pool:
            while failure and wait(self._futures, _INTERRUPT_SECONDS).not_done:
                self._interrupt()  # again, as it may just be between two statements
        if reason is not None and reason is not error:
            raise reason from error

    def raise_if_over(self) -> None:
        """End, by a CancelledError, a thread whose work is not wanted any more; it asks itself."""
        if self._is_over:
            raise CancelledError

    def _find_failure(self) -> BaseException | None:
        found = (future.exception() for future in self._futures if future.done())
        return next((each for each in found if each is not None), None)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin some work."""
        future = self._pool.submit(work)
        kept = (each for each in self._futures if not each.done() or each.exception())
        self._futures = [*kept, future]
        return future

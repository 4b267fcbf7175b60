"""Does a unit of work again when it was in vain and is known to have left nothing behind."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from qadb.errors import ConnectionLost, QadbError, TransactionConflict
from qadb.retries import reconnect_delay_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.sessions.unit import UnitOfWork

logger = logging.getLogger(__name__)

T = TypeVar("T")


def run_again(
    open_unit: Callable[[], AbstractContextManager[UnitOfWork]],
    translated: Callable[[], AbstractContextManager[None]],
    work: Callable[[UnitOfWork], T],
    *,
    attempts: int,
    idempotent: bool,
) -> T:
    """Return what the work returns once it is committed.

    Args:
        open_unit: makes a fresh unit of work.
        translated: turns driver exceptions of a block into ours.
        work: is done as a whole each time.
        attempts: how often, the first time included.
        idempotent: a COMMIT of unknown fate is no reason to stop.
    """
    if attempts < 1:
        raise ValueError("attempts must be at least 1")
    for attempt in range(attempts - 1):
        unit: UnitOfWork | None = None
        try:
            with open_unit() as unit:
                return _do(unit, translated, work)
        except (ConnectionLost, TransactionConflict) as error:
            if not (idempotent or _left_nothing_behind(unit, error)):
                raise
            logger.info("%s Trying again.", error.message)
        time.sleep(reconnect_delay_seconds(attempt))
    with open_unit() as unit:
        return _do(unit, translated, work)


def _do(
    unit: UnitOfWork,
    translated: Callable[[], AbstractContextManager[None]],
    work: Callable[[UnitOfWork], T],
) -> T:
    with translated():
        result = work(unit)
        unit.commit()
    return result


def _left_nothing_behind(unit: UnitOfWork | None, error: QadbError) -> bool:
    """Tell whether the work is known to have changed nothing."""
    if unit is None:
        return True
    if isinstance(error, ConnectionLost):
        return unit.commits_begun == 0
    return unit.commits_done == 0

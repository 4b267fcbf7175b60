"""Work beside an operation's own ends with it, and tells why it failed."""

from __future__ import annotations

from concurrent.futures import wait
from threading import Event

import pytest

from qadb.beside import Beside
from qadb.errors import BackupDamaged, QadbError


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_work_that_asks_ends_when_the_block_fails(failure: type[BaseException]) -> None:
    begun, ended = Event(), Event()

    def work() -> None:
        begun.set()
        try:
            while True:
                beside.raise_if_over()
        finally:
            ended.set()

    beside = Beside(lambda: None, "test")

    def run() -> None:
        with beside:
            beside.submit(work)
            assert begun.wait(30)
            raise failure

    with pytest.raises(failure):
        run()

    assert ended.is_set()


def test_work_that_asks_goes_on_when_the_block_ends_well() -> None:
    with Beside(lambda: None, "test") as beside:
        working = beside.submit(beside.raise_if_over)

    assert working.result() is None


def test_what_failed_first_beside_is_the_reason() -> None:
    def find_damage() -> None:
        raise BackupDamaged("It is damaged.")

    def run() -> None:
        with Beside(lambda: None, "test") as beside:
            wait([beside.submit(find_damage)])
            raise QadbError("The moment is over.")

    with pytest.raises(BackupDamaged):
        run()

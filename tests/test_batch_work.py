"""Batch work holds for a block and for what is started in it, and for nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from qadb.batch_work import batch_work

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such work")

ASK = "import os; print(os.sched_getscheduler(0))"


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """One thread of the usual policy, which ends with the test, whatever it has by then."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_set_policy, os.SCHED_OTHER).result()
        yield pool


def _set_policy(policy: int) -> None:
    os.sched_setscheduler(0, policy, os.sched_param(0))


def _policy() -> int:
    return os.sched_getscheduler(0)


def _policies_of_a_block() -> list[int]:
    """Before a block, in it, of a thread and of a program that begin in it, and after it."""
    found = [_policy()]
    with batch_work():
        found.append(_policy())
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(_policy).result())
        program = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True)
        found.append(int(program.stdout))
    return [*found, _policy()]


def test_a_block_is_batch_work_with_what_it_starts(thread: ThreadPoolExecutor) -> None:
    found = thread.submit(_policies_of_a_block).result()

    assert found == [os.SCHED_OTHER, *3 * [os.SCHED_BATCH], os.SCHED_OTHER]


def test_a_block_that_fails_is_over_as_well(thread: ThreadPoolExecutor) -> None:
    def fail() -> None:
        with batch_work():
            raise EOFError

    with pytest.raises(EOFError):
        thread.submit(fail).result()

    assert thread.submit(_policy).result() == os.SCHED_OTHER


def test_a_policy_that_somebody_chose_stays(thread: ThreadPoolExecutor) -> None:
    def choose() -> list[int]:
        _set_policy(os.SCHED_IDLE)
        return _policies_of_a_block()

    assert {*thread.submit(choose).result()} == {os.SCHED_IDLE}


def test_where_it_may_not_be_changed_it_stays(
    thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)

    assert {*thread.submit(_policies_of_a_block).result()} == {os.SCHED_OTHER}

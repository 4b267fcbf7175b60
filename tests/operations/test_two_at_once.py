"""Several that migrate at once: one works, the others wait and then find nothing to do."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ExitCode
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions.state import read_state
from tests.support.databases import fetch_rows, open_database
from tests.support.revisions import BEFORE_HEAD, HEAD, REVISIONS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from qadb.database import Database
    from tests.support.program import Program

STEPS = "SELECT revision FROM qadb_history WHERE direction = 'up' ORDER BY id"
ONCE: list[tuple[object, ...]] = [(revision,) for revision in REVISIONS]
NOTHING = (HEAD, HEAD, 0)
EVERYTHING = ("base", HEAD, len(REVISIONS))


@contextmanager
def lock_held(url: str) -> Iterator[None]:
    """An operation of this process, as far as the others can tell."""
    with open_database(url) as other, other.exclusive(wait_seconds=0, on_wait=lambda _: None):
        yield


def wait_until_waiting(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Waiting for another operation (pid ")


def moves_of_each(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[str, str, int]]:
    """From where to where each has gone, in how many steps; all must have succeeded."""
    ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [code for *_, code in ended] == [0] * len(ended), ended
    documents = [json.loads(stdout) for stdout, *_ in ended]
    return sorted((d["from"] or "base", d["to"], len(d["applied"])) for d in documents)


def test_inits_that_race_for_an_empty_place_do_the_work_once(
    empty: Database, database_url: str, qadb: Program
) -> None:
    words = ("init", "--json", "--database-url", database_url)

    moves = moves_of_each([qadb.start(*words) for _ in range(4)])

    assert moves == [NOTHING] * 3 + [EVERYTHING]

    assert read_state(empty).state == "current"
    assert fetch_rows(empty, STEPS) == ONCE


@pytest.mark.parametrize("verb", ["init", "migrate"])
def test_one_works_while_the_other_waits(
    migrated: Database, migrated_url: str, qadb: Program, verb: str
) -> None:
    rollback(migrated, plan_rollback(migrated, "base"))
    words = (verb, "--json", "--database-url", migrated_url)

    with lock_held(migrated_url):
        processes = [qadb.start(*words) for _ in range(2)]
        for process in processes:
            wait_until_waiting(process)

    assert moves_of_each(processes) == [NOTHING, EVERYTHING]
    assert fetch_rows(migrated, STEPS) == ONCE * 2


@pytest.mark.parametrize("words", [["migrate"], ["rollback", "--yes"]])
def test_waiting_ends_with_the_name_of_the_holder(
    migrated: Database, migrated_url: str, qadb: Program, words: list[str]
) -> None:
    rollback(migrated, plan_rollback(migrated))
    with lock_held(migrated_url):
        ended = qadb(*words, "--wait-lock", "0.5s", "--json", "--database-url", migrated_url)

    assert ended.exit_code == ExitCode.LOCKED
    error = ended.document["error"]
    assert error["code"] == "locked"
    assert re.search(r"pid \d+", error["message"])
    assert "--wait-lock" in error["hint"]
    assert read_state(migrated).revision == BEFORE_HEAD

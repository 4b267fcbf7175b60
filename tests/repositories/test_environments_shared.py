"""Many processes after the same environments: nobody gets one that another has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qadb.models import Application, TestRun
from qadb.repositories.environments import EnvironmentRepository
from qadb.repositories.generic.base import Repository
from qadb.repositories.test_runs import TestRunRepository
from tests.support.databases import execute

if TYPE_CHECKING:
    from qadb.database import Database

CHECKOUT = Path(__file__).parents[2]
WORKERS = 8
ENVIRONMENTS = 50
GRANTS_EACH = 10

# The database itself refuses a second run that is under way in an environment.
ONE_HOLDER = "CREATE UNIQUE INDEX one_holder ON test_runs (environment_id) WHERE status = 'running'"


@pytest.fixture
def shared(database: Database) -> Database:
    with database.session(tenant="acme") as session:
        EnvironmentRepository(session).create_many(
            {"name": f"e{number}"} for number in range(ENVIRONMENTS)
        )
        application = Repository(session, Application).list()[0]
        assert application.id == 1  # what the workers test
    execute(database, ONE_HOLDER)
    database.close()
    return database


def start(way: str, url: str, workers: int = WORKERS, times: int = 1) -> subprocess.Popen[str]:
    module = "tests.repositories.environment_child"
    return subprocess.Popen(
        [sys.executable, "-m", module, way, url, str(workers), str(times)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def grants_of_each(process: subprocess.Popen[str]) -> list[int]:
    stdout, stderr = process.communicate(timeout=240)
    assert (process.returncode, stderr) == (0, "")
    return [int(line) for line in stdout.split()]


def test_an_environment_has_one_holder_at_any_time(shared: Database, tenants_url: str) -> None:
    grants = grants_of_each(start("share", tenants_url, times=GRANTS_EACH))
    assert grants == [GRANTS_EACH] * WORKERS
    with shared.session(tenant="acme") as session:
        ended = Repository(session, TestRun).count(status="completed")
        assert ended == GRANTS_EACH * WORKERS
        assert len(EnvironmentRepository(session).available()) == ENVIRONMENTS


def test_as_many_are_granted_as_there_are(shared: Database, tenants_url: str) -> None:
    grants = grants_of_each(start("keep", tenants_url, times=ENVIRONMENTS // 4))
    assert sum(grants) == ENVIRONMENTS
    with shared.session(tenant="acme") as session:
        runs = Repository(session, TestRun).list(status="running")
        assert len({run.environment_id for run in runs}) == len(runs) == ENVIRONMENTS
        assert EnvironmentRepository(session).available() == []


def test_who_is_killed_before_the_commit_leaves_it_free(shared: Database, tenants_url: str) -> None:
    process = start("stall", tenants_url, workers=1)
    assert process.stdout is not None
    worker, has_one = process.stdout.readline().split()
    assert has_one == "True"
    os.kill(int(worker), signal.SIGKILL)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    free = 0
    while free < ENVIRONMENTS and time.monotonic() < deadline:  # the server may notice later
        with shared.session(tenant="acme") as session:
            environments = EnvironmentRepository(session)
            free = sum(environments.acquire() is not None for _ in range(ENVIRONMENTS + 1))
            session.rollback()
    assert free == ENVIRONMENTS


def test_a_run_that_is_just_being_entered_does_not_hide_its_environment(
    postgresql_tenants: Database,
) -> None:
    with postgresql_tenants.session(tenant="acme") as session:
        environment = EnvironmentRepository(session).create(name="a")
        application = Repository(session, Application).list()[0]
    with (
        postgresql_tenants.session(tenant="acme") as entering,
        postgresql_tenants.session(tenant="acme") as acquiring,
    ):
        TestRunRepository(entering).start(application, environment=environment)
        assert EnvironmentRepository(acquiring).acquire() is not None


def test_an_environment_in_an_open_transaction_is_passed_over(
    postgresql_tenants: Database,
) -> None:
    with postgresql_tenants.session(tenant="acme") as session:
        EnvironmentRepository(session).create_many([{"name": "a"}, {"name": "b"}])
    with (
        postgresql_tenants.session(tenant="acme") as first,
        postgresql_tenants.session(tenant="acme") as second,
    ):
        taken = [EnvironmentRepository(each).acquire() for each in (first, second)]
        assert [each and each.name for each in taken] == ["a", "b"]
        assert EnvironmentRepository(second).acquire() is None

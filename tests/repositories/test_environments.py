"""Environments that are free, and who gets them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from qadb.errors import ReadOnlySession, RowNotFound
from qadb.models import Environment, HardwareConfig
from qadb.repositories.environments import EnvironmentRepository
from qadb.repositories.generic.base import Repository
from tests.repositories.lab import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qadb.database import Database


@pytest.fixture
def environments(database: Database) -> Iterator[EnvironmentRepository]:
    """None but what a test puts into it; the other tenant has free ones and a stale one."""
    with database.session(tenant="rival") as session:
        theirs = EnvironmentRepository(session)
        for name in ("one", "two", "rival"):
            theirs.create(name=name)
        theirs.acquire(name="rival", now=NOON - timedelta(days=99))
    with database._unit("acme", None, all_tenants=False, read_only=False) as session:
        yield EnvironmentRepository(session)


def names(found: Sequence[Environment]) -> list[str]:
    return [environment.name for environment in found]


def acquire_all(environments: EnvironmentRepository, **wanted: str) -> list[str]:
    found = []
    while (environment := environments.acquire(**wanted)) is not None:  # type: ignore[arg-type]  # names and kinds
        found.append(environment.name)
    return found


def test_the_one_unused_for_longest_is_next(environments: EnvironmentRepository) -> None:
    for name, days in (("b", 2), ("a", 2), ("c", 3), ("d", None), ("e", None)):
        used = None if days is None else NOON - timedelta(days=days)
        environments.create(name=name, last_used_at=used)
    order = ["d", "e", "c", "b", "a"]
    assert names(environments.available()) == order
    assert acquire_all(environments) == order
    assert environments.available() == []


def test_only_free_and_live_ones_are_given_out(environments: EnvironmentRepository) -> None:
    for status in ("busy", "offline", "retired", "available"):
        environments.create(name=status, status=status)
    environments.delete(environments.create(name="gone"))
    assert names(environments.available()) == ["available"]
    assert acquire_all(environments) == ["available"]


def test_what_is_acquired_is_busy_from_now_on(environments: EnvironmentRepository) -> None:
    environments.create(name="a")
    taken = environments.acquire(now=NOON)
    assert taken is environments.get_by(name="a")
    assert taken is not None
    before = taken.updated_at
    environments.session.expire_all()
    assert (taken.status, taken.last_used_at, taken.updated_at) == ("busy", NOON, before)
    assert environments.acquire() is None


def test_an_environment_is_chosen_by_name_kind_and_hardware(
    environments: EnvironmentRepository,
) -> None:
    big = Repository(environments.session, HardwareConfig).create(name="big")
    environments.create(name="a")
    environments.create(name="b", kind="staging", hardware_config_id=big.id)
    environments.create(name="c", kind="staging")
    assert names(environments.available("staging")) == ["b", "c"]
    assert names(environments.available(hardware=big)) == ["b"]
    assert names(environments.available("ci", hardware=big.id)) == []
    assert names(environments.available(with_=["hardware_config"])) == ["a", "b", "c"]
    assert environments.acquire(kind="production") is None
    assert environments.acquire(hardware=0) is None
    assert acquire_all(environments, name="c", kind="staging") == ["c"]
    found = environments.acquire(hardware=big)
    assert found is not None
    assert found.name == "b"
    assert acquire_all(environments) == ["a"]


def test_wrong_words_are_told_from_what_is_taken(environments: EnvironmentRepository) -> None:
    environments.create(name="a", status="busy")
    environments.delete(environments.create(name="gone"))
    assert environments.acquire(name="a") is None
    for name in ("nobody", "gone", "rival", ""):
        with pytest.raises(RowNotFound, match="environment called"):
            environments.acquire(name=name)
    for find in (environments.available, environments.acquire):
        with pytest.raises(ValueError, match="local, ci, dev, staging, production"):
            find(kind="moon")
    with pytest.raises(ValueError, match="time zone"):
        environments.acquire(now=NOON.replace(tzinfo=None))


def test_released_ones_can_be_had_again(environments: EnvironmentRepository) -> None:
    environments.create(name="a")
    first = environments.acquire(now=NOON)
    assert first is not None
    assert environments.release(first) is first
    assert (first.status, first.last_used_at) == ("available", NOON)
    assert environments.acquire() is first
    assert environments.release(first.id).status == "available"


def test_only_what_is_in_use_is_released(environments: EnvironmentRepository) -> None:
    for status in ("available", "offline", "retired"):
        environment = environments.create(name=status, status=status)
        with pytest.raises(ValueError, match=f"is {status}, not busy"):
            environments.release(environment)
    gone = environments.create(name="gone", status="busy")
    environments.delete(gone)
    for missing in (gone, gone.id, 0):
        with pytest.raises(RowNotFound, match="environments"):
            environments.release(missing)
    with pytest.raises(ValueError, match="not written yet"):
        environments.release(Environment(name="new"))


def test_who_lost_an_environment_does_not_release_it_from_under_another(
    database: Database, environments: EnvironmentRepository
) -> None:
    environments.create(name="a")
    environments.session.commit()
    with database.session(tenant="acme") as session:
        first = EnvironmentRepository(session).acquire(now=NOON)
        assert first is not None
    with database.session(tenant="acme") as session:
        freed = EnvironmentRepository(session).release_stale(
            timedelta(hours=1), now=NOON + timedelta(hours=1)
        )
        assert names(freed) == ["a"]
        second = EnvironmentRepository(session).acquire(now=NOON + timedelta(hours=2))
        assert second is not None
    with database.session(tenant="acme") as session:
        with pytest.raises(ValueError, match="in use by somebody else"):
            EnvironmentRepository(session).release(first)
        assert EnvironmentRepository(session).release(second).status == "available"


def test_stale_ones_are_freed(environments: EnvironmentRepository) -> None:
    for name, hours in (("a", 3), ("b", 1), ("c", 2)):
        environments.create(name=name, status="busy", last_used_at=NOON - timedelta(hours=hours))
    environments.create(name="by hand", status="busy")
    environments.create(name="off", status="offline", last_used_at=NOON - timedelta(days=9))
    environments.delete(
        environments.create(name="gone", status="busy", last_used_at=NOON - timedelta(days=9))
    )
    freed = environments.release_stale(timedelta(hours=2), now=NOON)
    assert [(each.name, each.status) for each in freed] == [("a", "available"), ("c", "available")]
    assert environments.release_stale(timedelta(hours=2), now=NOON) == []
    assert names(environments.list(status="busy")) == ["b", "by hand"]
    for wrong in (timedelta(0), timedelta(hours=-1)):
        with pytest.raises(ValueError, match="above zero"):
            environments.release_stale(wrong)


def test_another_tenants_environments_stay_theirs(
    database: Database, environments: EnvironmentRepository
) -> None:
    environments.create(name="one")
    taken = environments.acquire(now=NOON)
    assert taken is not None
    assert taken.tenant_id == "acme"
    assert environments.acquire() is None
    assert environments.release_stale(timedelta(days=1), now=NOON) == []
    environments.session.commit()
    with database.session(tenant="rival", read_only=True) as session:
        theirs = EnvironmentRepository(session)
        assert names(theirs.available()) == ["one", "two"]
        (busy,) = theirs.list(status="busy")
        with pytest.raises(ReadOnlySession):
            theirs.acquire()
    with pytest.raises(RowNotFound):
        environments.release(busy)


def test_it_is_free_again_when_the_transaction_is_rolled_back(
    database: Database, environments: EnvironmentRepository
) -> None:
    environments.create(name="a")
    environments.session.commit()
    with database.session(tenant="acme") as session:
        assert acquire_all(EnvironmentRepository(session)) == ["a"]
        session.rollback()
    assert acquire_all(environments) == ["a"]


def test_plain_sessions_acquire_as_well(database: Database, tenants_url: str) -> None:
    with Session(database.engine()) as session, session.begin():
        EnvironmentRepository(session).create(name="a", tenant_id="acme")
    url = tenants_url.replace("postgresql:", "postgresql+psycopg2:")
    engine = create_engine(url)  # begins late on SQLite, as anybody's would
    with Session(engine) as first, Session(engine) as second:
        taken = EnvironmentRepository(first).acquire()
        first.commit()
        assert taken is not None
        assert EnvironmentRepository(second).acquire() is None
        EnvironmentRepository(second).release(taken.id)
        second.commit()
        assert acquire_all(EnvironmentRepository(first)) == ["a"]
    engine.dispose()

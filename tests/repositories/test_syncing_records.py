"""The record of a sync that failed survives whatever becomes of the caller's transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from qadb.backends.values import Actor
from qadb.errors import ConflictError, ConnectionLost, RowNotFound
from qadb.models import Base, Feature, Product, SyncEvent, Tenant
from qadb.repositories.features import FeatureRepository
from qadb.repositories.products import ProductRepository
from tests.repositories.syncs import features_of, product_of, records_in, records_of
from tests.sessions.places import copy_of, open_database
from tests.support.postgres_client import execute
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork
    from tests.support.postgres_server import PostgresServer

GOOD = {"id": 1, "title": "Login"}
BAD: list[object] = [GOOD, {"id": 2}]
ERROR = "features[1]: there is no title"
FAILED = ("acme", "failed", ERROR)
DONE = ("acme", "completed", None)


def fail(session: Session, tenant: str = "acme") -> None:
    FeatureRepository(session).sync_features(product_of(session, tenant), BAD, cursor="page 2")


@pytest.fixture
def half_way(database: Database) -> Iterator[None]:
    """Every sync of features fails once its rows are written."""

    def refuse(_mapper: object, _connection: object, row: SyncEvent) -> None:
        if row.status == "completed":
            raise ZeroDivisionError("the lights went out")

    event.listen(SyncEvent, "before_insert", refuse)
    yield
    event.remove(SyncEvent, "before_insert", refuse)


def test_the_error_that_ends_the_session_is_recorded(database: Database) -> None:
    def work(session: UnitOfWork) -> None:
        session.add(Product(name="lost"))
        fail(session)

    with pytest.raises(ValueError, match="no title"), database.session(tenant="acme") as session:
        work(session)
    with database.session(tenant="acme") as session:
        record = session.scalars(select(SyncEvent)).one()
        assert (record.status, record.error, record.tenant_id) == ("failed", ERROR, "acme")
        assert (record.entity, record.source, record.cursor) == ("features", "api", "page 2")
        assert (record.rows_created, record.rows_updated, record.rows_deleted) == (0, 0, 0)
        assert record.completed_at is not None
        assert ProductRepository(session).count(name="lost") == 0


def test_who_catches_the_error_and_commits_has_the_record(database: Database) -> None:
    with database.session(tenant="acme") as session:
        session.add(Product(name="kept"))
        with pytest.raises(ValueError, match="no title"):
            fail(session)
        assert records_of(session) == [FAILED]
        assert ProductRepository(session).count(name="kept") == 1
    assert records_in(database) == [FAILED]


def test_who_catches_the_error_and_rolls_back_has_it_too(database: Database) -> None:
    with database.session(tenant="acme") as session:
        with pytest.raises(ValueError, match="no title"):
            fail(session)
        session.rollback()
        assert records_of(session) == [FAILED]
    assert records_in(database) == [FAILED]


@pytest.mark.usefixtures("half_way")
def test_a_failure_half_way_changes_nothing_else(database: Database) -> None:
    with database.session(tenant="acme") as session:
        with pytest.raises(ZeroDivisionError):
            FeatureRepository(session).sync_features(product_of(session), [GOOD])
        assert features_of(session, product_of(session)) == {}
        session.add(Feature(product_id=product_of(session), title="goes on"))
    assert records_in(database) == [("acme", "failed", "the lights went out")]


def test_a_broken_key_half_way_is_recorded(database: Database) -> None:
    with database.session(tenant="acme") as session:
        products, product_id = ProductRepository(session), product_of(session)
        products.sync_test_cases(product_id, [{"id": 1, "name": "x"}])
        other = products.create(name="other").id
        clash = [{"id": 5, "name": "x", "key": f"product-{product_id}::2"}]
        products.sync_test_cases(other, clash)
        with pytest.raises(ConflictError, match="case_key"):
            products.sync_test_cases(product_id, [{"id": 2, "name": "y"}])
    first, second, failed = records_in(database)
    assert (first, second) == (DONE, DONE)
    assert failed[1] == "failed"
    assert "idx_test_cases_tenant_id_case_key" in str(failed[2])


@pytest.mark.parametrize("how", ["caught", "raised"])
def test_a_callers_savepoint_takes_no_record_along(database: Database, how: str) -> None:
    def work(session: UnitOfWork) -> None:
        with session.begin_nested():
            if how == "raised":
                fail(session)
            with pytest.raises(ValueError, match="no title"):
                fail(session)
            raise ValueError("no title: the caller's own")

    with database.session(tenant="acme") as session:
        with pytest.raises(ValueError, match="no title"):
            work(session)
        assert records_of(session) == [FAILED]
    assert records_in(database) == [FAILED]


def test_a_savepoint_and_then_all_is_rolled_back(database: Database) -> None:
    def work(session: UnitOfWork) -> None:
        with pytest.raises(ValueError, match="no title"), session.begin_nested():
            fail(session)
        with session.begin_nested():
            session.add(Product(name="lost"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.run(work, tenant="acme")
    assert records_in(database) == [FAILED]


def test_each_transaction_of_a_session_has_its_records_once(database: Database) -> None:
    with database.session(tenant="acme") as session:
        for ending in (session.commit, session.rollback, session.commit, session.rollback):
            with pytest.raises(ValueError, match="no title"):
                fail(session)
            ending()
        FeatureRepository(session).sync_features(product_of(session), [GOOD])
    assert records_in(database) == [*[FAILED] * 4, DONE]


def test_a_record_that_is_expunged_is_written_all_the_same(database: Database) -> None:
    with database.session(tenant="acme") as session:
        with pytest.raises(ValueError, match="no title"):
            fail(session)
        session.expunge_all()
    assert records_in(database) == [FAILED]


def test_a_product_that_is_not_there_is_recorded(database: Database) -> None:
    with pytest.raises(RowNotFound), database.session(tenant="rival") as session:
        FeatureRepository(session).sync_features(0, [GOOD])
    assert records_in(database, "rival") == [("rival", "failed", "There is no product 0.")]
    assert records_in(database) == []


@pytest.mark.parametrize("ending", ["commit", "rollback", "close"])
def test_plain_sessions_keep_records_too(database: Database, ending: str) -> None:
    with Session(database.engine()) as session:
        with pytest.raises(ValueError, match="no title"):
            fail(session)
        getattr(session, ending)()
    with Session(database.engine(), autoflush=False) as session:
        with pytest.raises(ValueError, match="no title"):
            fail(session)
        assert len(records_of(session)) == 2
    with database.session(all_tenants=True) as session:
        records = [(status, error) for _, status, error in records_of(session)]
        assert records == [("failed", ERROR)] * 2


@pytest.mark.usefixtures("half_way")
def test_the_record_of_a_session_for_all_is_the_products_tenants(database: Database) -> None:
    def work(session: UnitOfWork) -> None:
        FeatureRepository(session).sync_features(product_of(session, "rival"), [GOOD])

    with pytest.raises(ZeroDivisionError):
        database.run(work, all_tenants=True)
    assert records_in(database, "rival") == [("rival", "failed", "the lights went out")]


def test_a_session_on_a_connection_keeps_to_it(database: Database) -> None:
    with (
        database.connect() as connection,
        Session(connection, join_transaction_mode="create_savepoint") as session,
    ):
        with pytest.raises(ValueError, match="no title"):
            fail(session)
        session.rollback()
        assert len(records_of(session)) == 1
    with database.session(all_tenants=True) as session:
        assert [status for _, status, _ in records_of(session)] == ["failed"]


def test_a_memory_database_keeps_records() -> None:
    with open_database("sqlite:///:memory:") as database:
        with database.connect() as connection:
            Base.metadata.create_all(connection)
        with database.session(all_tenants=True) as session:
            session.add(Tenant(id="acme", name="Acme"))
        with database.session(tenant="acme") as session:
            session.add(Product(name="shop", sku="s-1"))
        with (
            pytest.raises(ValueError, match="no title"),
            database.session(tenant="acme") as session,
        ):
            fail(session)
        assert records_in(database) == [FAILED]


def test_the_actor_of_the_session_is_the_records(database: Database) -> None:
    actor = Actor(user_id=7)
    with (
        pytest.raises(ValueError, match="no title"),
        database.session(tenant="acme", actor=actor) as session,
    ):
        fail(session)
    assert records_in(database) == [FAILED]


def test_units_that_run_again_record_what_failed(database: Database) -> None:
    with pytest.raises(ValueError, match="no title"):
        database.run(fail, tenant="acme")
    assert records_in(database) == [FAILED]


def test_text_that_no_database_takes_is_written_differently(database: Database) -> None:
    class Odd(dict[str, object]):
        def get(self, *_: object) -> object:
            raise ZeroDivisionError("a\0b\ud800" + "c" * 3000)

    with pytest.raises(ZeroDivisionError), database.session(tenant="acme") as session:
        FeatureRepository(session).sync_features(product_of(session), Odd())
    ((_, _, error),) = records_in(database)
    assert error is not None
    assert (error[:12], len(error)) == ("a\\0b\\ud800cc", 2000)


def test_a_lost_connection_is_recorded_on_another(postgresql_tenants: Database) -> None:
    database = postgresql_tenants

    def cut(session: Session, _context: object, _instances: object) -> None:
        if any(isinstance(row, SyncEvent) for row in session.new):
            event.remove(session, "before_flush", cut)
            with database.engine().connect() as other:
                other.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    def work(session: UnitOfWork) -> None:
        product_id = product_of(session)
        event.listen(session, "before_flush", cut)
        FeatureRepository(session).sync_features(product_id, [GOOD])

    with pytest.raises(ConnectionLost):
        database.run(work, tenant="acme", attempts=1)
    ((_, status, _),) = records_in(database)
    assert status == "failed"


def test_a_record_that_cant_be_written_hides_no_error(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_mapper: object, _connection: Connection, _row: SyncEvent) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    event.listen(SyncEvent, "before_insert", refuse)
    try:
        with (
            caplog.at_level(logging.WARNING, "qadb"),
            pytest.raises(ValueError, match="no title"),
            database.session(tenant="acme") as session,
        ):
            fail(session)
    finally:
        event.remove(SyncEvent, "before_insert", refuse)
    assert "A failed sync of features is not recorded: OperationalError" in caplog.text


def test_an_ordinary_role_keeps_records(
    postgresql_server: PostgresServer, postgresql_template: str, tmp_path: Path
) -> None:
    with (
        copy_of(postgresql_template, postgresql_server, tmp_path) as url,
        ordinary_role(url) as role,
    ):
        execute(url, "GRANT USAGE ON SCHEMA public TO {}", role.name)
        rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
        execute(url, rights, role.name)
        with open_database(role.url(url)) as database:
            with (
                pytest.raises(ValueError, match="no title"),
                database.session(tenant="acme") as session,
            ):
                fail(session)
            with database.session(tenant="acme") as session:
                features = FeatureRepository(session)
                features.sync_features(product_of(session), [GOOD])
                features.sync_features(product_of(session), [{**GOOD, "title": "Sign in"}])
                assert features_of(session, product_of(session)) == {"1": "Sign in"}
            assert records_in(database) == [FAILED, DONE, DONE]

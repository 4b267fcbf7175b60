"""A database with two tenants, and a session of one of them."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from tests.repositories.lab import Lab
from tests.repositories.shop import ProductRepository
from tests.sessions.conftest import (
    acme,
    database,
    postgresql_template,
    postgresql_tenants,
    tenants_template,
)
from tests.sessions.places import copy_of, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork
    from tests.support.postgres_server import PostgresServer

__all__ = [
    "acme",
    "database",
    "postgresql_template",
    "postgresql_tenants",
    "tenants_template",
]


@pytest.fixture
def tenants_url(
    request: pytest.FixtureRequest, database_server: PostgresServer | None, tmp_path: Path
) -> Iterator[str]:
    has_lab = "rival_lab" in request.fixturenames
    template: str = request.getfixturevalue("lab_template" if has_lab else "tenants_template")
    with copy_of(template, database_server, tmp_path) as url:
        yield url


@pytest.fixture
def queries(database: Database) -> Callable[[], AbstractContextManager[list[str]]]:
    """Collect the queries that run in a block."""

    @contextmanager
    def collect() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_c: Connection, _cursor: object, statement: str, *_rest: object) -> None:
            if statement.startswith(("SELECT", "WITH")):
                seen.append(statement)

        event.listen(database.engine(), "before_cursor_execute", note)
        yield seen
        event.remove(database.engine(), "before_cursor_execute", note)

    return collect


@pytest.fixture
def products(acme: UnitOfWork) -> ProductRepository:
    """Five products, one of them deleted; the shop that is there already is the sixth."""
    repository = ProductRepository(acme)
    for number, name in enumerate(["Anvil", "Bell", "Crate", "Drum", "Eel"]):
        repository.create(
            name=name,
            sku=f"p-{number}",
            price=Decimal(number) / 2,
            category="loud" if name in {"Bell", "Drum"} else None,
            inventory_quantity=number % 2,
        )
    repository.delete(repository.list(name="Eel")[0])
    return repository


@pytest.fixture(scope="session")
def lab_template(
    database_server: PostgresServer | None,
    tenants_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The two tenants, and results of the other one that are not looked for."""
    folder = tmp_path_factory.mktemp("lab")
    with copy_of(tenants_template, database_server, folder) as url:
        with open_database(url) as database:
            _fill_lab(database)
        yield url


def _fill_lab(database: Database) -> None:
    with database.session(tenant="rival") as session:
        lab = Lab(session)
        for day in range(6):
            words = "rival-a:passed rival-b:failed" if day % 2 else "rival-a:failed,passed"
            lab.run(days_ago=day, verdicts=words)
        run = lab.run(branch="rival")
        for occurrence in range(1, 30):
            lab.result(
                run, "rival-slow", "failed", occurrence=occurrence, duration_ms=999_999,
                signature="same", message="rival secret",
            )  # fmt: skip


@pytest.fixture
def rival_lab(database: Database) -> None:
    """Results of the other tenant that would be found wherever a query is not confined."""


@pytest.fixture
def lab(rival_lab: None, acme: UnitOfWork) -> Lab:
    """Nothing but what a test puts into it."""
    return Lab(acme)

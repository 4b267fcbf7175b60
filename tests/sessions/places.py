"""Databases with two tenants: one made an engine and test session, then copied for each test."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.database import Database
from qadb.models import (
    Application,
    Base,
    Bug,
    Feature,
    Product,
    Role,
    Tenant,
    TestCase,
    TestResult,
    TestRun,
    TestType,
    User,
)
from qadb.settings.parsing import parse_database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres_server import PostgresServer

TENANTS = ("acme", "rival")


def open_database(url: str, **options: object) -> Database:
    """Open a database by its URL, without retries."""
    place = parse_database_url(url, source="a test", base_dir=Path.cwd())
    return Database(place, connect_retries=0, **options)  # type: ignore[arg-type]  # options of the constructor


@contextmanager
def template(server: PostgresServer | None, folder: Path) -> Iterator[str]:
    """Make a database with all tables and two tenants' rows."""
    file = folder / "template.sqlite3"
    url = f"sqlite:///{file}" if server is None else server.create_database()
    with open_database(url) as database:
        database.create()
        with database.connect() as connection:
            Base.metadata.create_all(connection)
        _fill(database)
    yield url
    if server is not None:
        server.drop_database(url)


@contextmanager
def copy_of(template_url: str, server: PostgresServer | None, folder: Path) -> Iterator[str]:
    """Copy the template for one test."""
    if server is None:
        file = folder / "copy.sqlite3"
        shutil.copy(template_url.removeprefix("sqlite:///"), file)
        yield f"sqlite:///{file}"
        return
    url = server.create_database(template=template_url)
    yield url
    server.drop_database(url)


def _fill(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        session.add_all(
            [
                Role(name="viewer"),
                TestType(code="unit", name="Unit"),
                *(Tenant(id=name, name=name.title()) for name in ("default", *TENANTS)),
            ]
        )
    for tenant in TENANTS:
        with database.session(tenant=tenant) as session:
            session.add_all(rows_of(tenant))


def rows_of(tenant: str) -> list[Base]:
    """One of each of the rows that tests look for; texts name the tenant."""
    user = User(username=f"{tenant}-user", email=f"{tenant}@example.org")
    feature = Feature(title=f"{tenant} feature", product=Product(name=f"{tenant} shop", sku="s-1"))
    case = TestCase(case_key="suite::test", name=f"{tenant} test", features=[feature])
    application = Application(code="shop", name=f"{tenant} shop")
    run = TestRun(run_key="r1", application=application, triggering_user=user)
    result = TestResult(run=run, test_case=case, status="failed", message=f"{tenant} secret")
    bug = Bug(title=f"{tenant} bug", run=run, test_case=case, reported_by=None)
    return [user, result, bug]

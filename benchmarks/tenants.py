"""A migrated database with one tenant's tests, made through the repositories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from qadb.database import Database
from qadb.models import (
    Application,
    Feature,
    Product,
    Tenant,
    TestCase,
    TestCaseFeature,
    TestRun,
)
from qadb.operations.init import init_database
from qadb.repositories.generic.base import Repository
from qadb.settings.parsing import parse_database_url

if TYPE_CHECKING:
    from qadb.sessions.unit import UnitOfWork

TENANT = "acme"
MODULE_CASES = 25  # cases of one module cover the module's feature
COMMON_FEATURES = 20  # and one of those that all modules share


def make_database(url: str, *, cases: int, runs: int) -> Database:
    """Create and fill a database whose cases have keys from 1, and runs too."""
    database = Database(parse_database_url(url, source="a benchmark", base_dir=Path.cwd()))
    init_database(database)
    with database.session(all_tenants=True) as session:
        session.add(Tenant(id=TENANT, name="Acme"))
    with database.session(tenant=TENANT) as session:
        _fill(session, cases, runs)
    with database.connect() as connection:
        connection.execute(text("ANALYZE"))
    return database


def _fill(session: UnitOfWork, cases: int, runs: int) -> None:
    product, application = Product(name="Shop"), Application(code="shop", name="Shop")
    session.add_all([product, application])
    session.flush()
    session.add_all([TestRun(run_key=f"r{n}", application=application) for n in range(runs)])
    session.flush()
    features = COMMON_FEATURES + cases // MODULE_CASES + 1
    Repository(session, Feature).create_many(
        {"product_id": product.id, "title": f"feature {n}"} for n in range(features)
    )
    Repository(session, TestCase).create_many(
        {
            "application_id": application.id,
            "case_key": f"shop::tests.module_{n // MODULE_CASES}::test_{n}",
            "name": f"test_{n}",
            "suite": "tests",
            "classname": f"tests.module_{n // MODULE_CASES}",
            "file": f"tests/module_{n // MODULE_CASES}.py",
            "tags": ["nightly"] if n % 10 == 0 else None,
        }
        for n in range(cases)
    )
    Repository(session, TestCaseFeature).create_many(
        {"test_case_id": n + 1, "feature_id": feature}
        for n in range(cases)
        for feature in (1 + n % COMMON_FEATURES, 1 + COMMON_FEATURES + n // MODULE_CASES)
    )

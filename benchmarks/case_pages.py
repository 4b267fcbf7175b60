"""A page of test cases with their features, and what keeping it to a tenant costs.

It is read as a web service would: in a session of its own each time, from a warm database. The same
SQL written by hand, made into the same objects by SQLAlchemy's own session, is what the page is
compared with. What the driver needs to hand over the bare rows is told beside it.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Protocol

import psycopg2
from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from benchmarks.pairs import compare
from benchmarks.places import PostgresqlPlace, SqlitePlace
from benchmarks.servers import running_server
from benchmarks.tenants import TENANT, make_database
from qadb.models import Feature, TestCase, TestCaseFeature
from qadb.repositories.test_cases import TestCaseRepository
from tests.support.databases import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.places import Place
    from qadb.database import Database

LIMIT_MS = 10
LIMIT_OF_SQL = 1.5
LIMIT_OF_TENANT = 1.05
PAGE = 50
PAGES_AT_ONCE = 20

# One case more tells whether there is another page.
CASES = f"""
SELECT * FROM test_cases WHERE tenant_id = :tenant AND deleted_at IS NULL
ORDER BY id LIMIT {PAGE + 1}
"""
FEATURES = """
SELECT links.test_case_id, features.* FROM test_case_features AS links
JOIN features ON features.id = links.feature_id AND features.tenant_id = :tenant
WHERE links.tenant_id = :tenant AND links.test_case_id IN :cases
"""


class Cursor(Protocol):
    """What both drivers have."""

    def execute(self, sql: str, parameters: Sequence[object], /) -> object:
        """Send a query."""
        ...

    def fetchall(self) -> list[tuple[object, ...]]:
        """Return its rows."""
        ...


def run(*, tiny: bool) -> Iterator[str]:
    """Yield three lines an engine."""
    yield from measure(*(300, 1) if tiny else (100_000, 15))


def measure(count: int, rounds: int) -> Iterator[str]:
    """Yield three lines an engine for a page out of this many cases."""
    with tempfile.TemporaryDirectory() as name:
        place = SqlitePlace(Path(name))
        url = place.create()
        with (
            make_database(url, cases=count, runs=0) as database,
            closing(sqlite3.connect(sqlite_file(url))) as connection,
        ):
            yield from _measure(place, database, connection.cursor(), "?", count, rounds)
    with running_server() as server:
        place_on_server = PostgresqlPlace(server)
        url = place_on_server.create()
        with (
            make_database(url, cases=count, runs=0) as database,
            closing(psycopg2.connect(url)) as session,
        ):
            cursor = session.cursor()
            yield from _measure(place_on_server, database, cursor, "%s", count, rounds)


def _measure(
    place: Place, database: Database, cursor: Cursor, mark: str, count: int, rounds: int
) -> Iterator[str]:
    def list_tests() -> None:
        with database.session(tenant=TENANT) as session:
            TestCaseRepository(session).list_tests(limit=PAGE)

    def list_tests_of_all() -> None:
        with database.session(all_tenants=True) as session:
            TestCaseRepository(session).list_tests(limit=PAGE, tenant_id=TENANT)

    title = f"{place.name}, list_tests of {PAGE} out of {count:,} cases"
    ours = _milliseconds(list_tests, rounds)
    bare = _milliseconds(lambda: _read_rows(cursor, mark), rounds)
    yield f"{title}: {ours:.1f} ms (at most {LIMIT_MS}), the driver's rows alone {bare:.1f} ms"
    yield compare(
        f"{title}, {PAGES_AT_ONCE} times: list_tests / SQL by hand, the same objects",
        _repeated(list_tests),
        _repeated(lambda: _read_objects(database)),
        limit=LIMIT_OF_SQL,
        rounds=rounds,
    ).report()
    yield compare(
        f"{title}, {PAGES_AT_ONCE} times: a tenant's session / all tenants, filtered",
        _repeated(list_tests),
        _repeated(list_tests_of_all),
        limit=LIMIT_OF_TENANT,
        rounds=rounds,
    ).report()


def _repeated(action: Callable[[], None]) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(PAGES_AT_ONCE):
            action()

    return repeat


def _milliseconds(action: Callable[[], None], rounds: int) -> float:
    """Median time of one call, once it is warm."""
    _repeated(action)()
    times = []
    for _ in range(rounds * PAGES_AT_ONCE):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return median(times) * 1000


def _read_rows(cursor: Cursor, mark: str) -> None:
    cursor.execute(CASES.replace(":tenant", mark), (TENANT,))
    cases = [row[0] for row in cursor.fetchall()][:PAGE]
    marks = f"({', '.join([mark] * len(cases))})"
    query = FEATURES.replace(":tenant", mark).replace(":cases", marks)
    cursor.execute(query, (TENANT, TENANT, *cases))
    cursor.fetchall()


_CASES = select(TestCase).from_statement(text(CASES))
_FEATURES = select(TestCaseFeature.test_case_id, Feature).from_statement(
    text(FEATURES).bindparams(bindparam("cases", expanding=True))
)


def _read_objects(database: Database) -> None:
    with Session(database.engine()) as session:
        cases = session.scalars(_CASES, {"tenant": TENANT}).all()[:PAGE]
        keys = [case.id for case in cases]
        found: dict[int, list[Feature]] = {key: [] for key in keys}
        for key, feature in session.execute(_FEATURES, {"tenant": TENANT, "cases": keys}):
            found[key].append(feature)
        for case in cases:
            set_committed_value(case, "features", found[case.id])
        session.commit()

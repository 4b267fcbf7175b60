"""What the planner learns of a database that was just filled: all tables, once, without waiting."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql.restoring.analyzing import Analyzer
from qadb.errors import QadbError
from tests.backends.postgresql_rich import as_text
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    from qadb.backends.postgresql.restoring.analyzing import Table
    from qadb.settings import DatabaseUrl

ANALYZED = """
SELECT relname FROM pg_class AS c
WHERE relnamespace = 'public'::regnamespace AND EXISTS (
    SELECT FROM pg_statistic AS s WHERE s.starelid = c.oid)
ORDER BY 1
"""


@pytest.fixture
def filled(url: DatabaseUrl) -> DatabaseUrl:
    execute(as_text(url), "CREATE TABLE kept AS SELECT generate_series(1, 5000) AS n")
    execute(as_text(url), "CREATE TABLE free AS SELECT generate_series(1, 100) AS n")
    execute(as_text(url), "CREATE MATERIALIZED VIEW view AS SELECT n FROM free WITH NO DATA")
    return url


def wait_for(url: DatabaseUrl, *tables: str) -> None:
    """Until they are analyzed."""
    for _ in range(200):
        if set(tables) <= set(fetch_column(as_text(url), ANALYZED)):
            return
        time.sleep(0.05)
    pytest.fail(f"not all of {tables} were analyzed")


def test_tables_that_the_work_keeps_come_later(
    filled: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    genuine = Analyzer._analyze

    def analyze(self: Analyzer, cursor: psycopg2.extensions.cursor, table: Table) -> None:
        genuine(self, cursor, table)
        seen.append(table.strings[-1])

    monkeypatch.setattr(Analyzer, "_analyze", analyze)
    analyzer = Analyzer(filled)

    def work() -> None:
        wait_for(filled, "free")
        assert fetch_column(as_text(filled), ANALYZED) == ["free"]

    with closing(psycopg2.connect(as_text(filled))) as connection, connection:
        connection.cursor().execute("LOCK TABLE kept IN SHARE ROW EXCLUSIVE MODE")
        analyzer.analyze_beside(work)
    execute(as_text(filled), "REFRESH MATERIALIZED VIEW view")
    analyzer.analyze(2)

    assert fetch_column(as_text(filled), ANALYZED) == ["free", "kept", "view"]
    assert [seen.count(table) for table in ("free", "kept", "view")] == [1, 1, 1]


def test_table_that_becomes_free_is_analyzed_beside_the_work(filled: DatabaseUrl) -> None:
    with closing(psycopg2.connect(as_text(filled))) as connection:
        connection.cursor().execute("LOCK TABLE kept IN SHARE ROW EXCLUSIVE MODE")

        def work() -> None:
            wait_for(filled, "free")
            connection.commit()
            wait_for(filled, "kept")

        Analyzer(filled).analyze_beside(work)


def test_work_that_fails_ends_the_analyzing(filled: DatabaseUrl) -> None:
    def work() -> None:
        raise QadbError("it failed")

    with pytest.raises(QadbError, match="it failed"):
        Analyzer(filled).analyze_beside(work)
    here = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    for _ in range(200):  # a server notices after a moment
        if fetch_column(as_text(filled), here) == ["1"]:
            return
        time.sleep(0.05)
    pytest.fail("a session is left")

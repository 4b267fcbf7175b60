"""The same seed and moment make the same rows: again, and on the other engine."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from qadb.demo.plan import DemoPlan
from qadb.models import Base
from qadb.operations.demo import add_demo
from qadb.operations.init import init_database
from tests.demo.conftest import NOW
from tests.support.databases import open_database

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

# The database's clock: in the log, and on the reference data that revisions make.
BY_THE_CLOCK = {"created_at", "updated_at"}


def content(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every table's rows in the order of their keys."""
    tables: dict[str, list[tuple[object, ...]]] = {}
    with database.connect(read_only=True) as connection:
        for name, table in sorted(Base.metadata.tables.items()):
            left_out = BY_THE_CLOCK if name in ("audit_logs", "tenants") else set()
            columns = [column for column in table.columns if column.name not in left_out]
            rows = connection.execute(select(*columns).order_by(*table.primary_key)).all()
            tables[name] = [tuple(map(comparable, row)) for row in rows]
    return tables


def comparable(value: object) -> object:
    """Moments inside the log's JSON are written as each engine writes them."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] == "T":
        return datetime.fromisoformat(value)
    return value


def filled(
    url: str, *, seed: int | None = None, scale: int | None = None
) -> dict[str, list[tuple[object, ...]]]:
    with open_database(url) as database:
        init_database(database)
        add_demo(database, seed=seed, scale=scale, now=NOW)
        return content(database)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    return filled(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'qa.sqlite3'}")


def test_same_seed_makes_the_same_rows_on_every_engine(
    demo: Database, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    found = content(demo)

    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert (table, found[table]) == (table, rows)


def test_another_seed_makes_other_rows(
    tmp_path: Path, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    found = filled(f"sqlite:///{tmp_path / 'other.sqlite3'}", seed=2)

    for table in ("test_results", "test_runs", "orders", "rag_documents", "coverage_data"):
        assert found[table] != expected[table]
    assert found["test_cases"] == expected["test_cases"]


def test_scale_multiplies_tests_runs_and_what_hangs_on_them(
    tmp_path: Path, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    found = filled(f"sqlite:///{tmp_path / 'large.sqlite3'}", scale=3)

    for table in ("test_cases", "test_case_features", "test_runs", "ingest_files", "coverage_data"):
        assert (table, len(found[table])) == (table, 3 * len(expected[table]))
    assert 2.95 < len(found["test_results"]) / len(expected["test_results"]) < 3.05
    for table in ("users", "orders", "agent_executions", "slas"):
        assert (table, len(found[table])) == (table, len(expected[table]))


def test_plan_refuses_a_scale_below_one_and_a_moment_without_zone() -> None:
    with pytest.raises(ValueError, match="the scale is 1 or more, not 0"):
        DemoPlan(seed=1, scale=0, now=NOW)
    with pytest.raises(ValueError, match="no time zone"):
        DemoPlan(seed=1, scale=1, now=NOW.replace(tzinfo=None))

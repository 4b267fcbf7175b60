"""Every dialect arrives in the database as its reader's tests say it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reports import test_junit_dialects as samples
from tests.support.databases import fetch_rows
from tests.support.report_files import load_one

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

STATUSES = {
    "PYTEST": ["passed", "failed", "skipped"],
    "SUREFIRE": ["passed", "passed"],
    "GTEST": ["passed", "failed", "skipped"],
    "PHPUNIT": ["passed", "failed"],
    "JEST": ["passed", "failed"],
    "MOCHA": ["passed"],
    "NEXTEST": ["passed"],
    "GO": ["passed", "failed"],
    "XUNIT": ["passed"],
    "PLAIN": ["passed"],
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_results_of_every_dialect_are_stored(
    migrated: Database, tmp_path: Path, encoding: str
) -> None:
    for name, statuses in STATUSES.items():
        report = tmp_path / f"{name}.xml"
        report.write_text(getattr(samples, name).replace(' encoding="utf-8"', ""), encoding)

        file = load_one(migrated, report)

        assert (name, file.status, file.totals.total) == (name, "ingested", len(statuses))
        stored = (
            "SELECT t.status FROM test_results t JOIN test_cases c ON c.id = t.test_case_id "
            f"WHERE run_id = {file.run_id} AND is_final ORDER BY c.id, occurrence"
        )
        assert (name, fetch_rows(migrated, stored)) == (name, [(status,) for status in statuses])


def test_attempts_of_a_flaky_test_are_stored_before_its_verdict(
    migrated: Database, tmp_path: Path
) -> None:
    report = tmp_path / "surefire.xml"
    report.write_text(samples.SUREFIRE)

    assert load_one(migrated, report).rows == 3
    attempts = "SELECT attempt, status, error_type FROM test_results WHERE NOT is_final"
    assert fetch_rows(migrated, attempts) == [(1, "error", "java.net.ConnectException")]

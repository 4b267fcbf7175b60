"""Reports of real projects through ingest, where a folder of them lies beside the checkout."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qadb.operations.init import init_database
from qadb.operations.stats import read_stats
from tests.support.databases import fetch_rows, open_database
from tests.support.report_files import count_all, load, load_one

if TYPE_CHECKING:
    from qadb.database import Database

REPORTS = Path(__file__).parents[3] / "shared" / "reports"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def read_truth() -> dict[str, dict[str, int] | None]:
    """What other means counted in each sample; None for one that has to be rejected."""
    truth = REPORTS / "truth.json"
    entries = json.loads(truth.read_text()) if truth.is_file() else []
    counted: dict[str, dict[str, int] | None] = {
        entry["file"]: entry["truth"] if entry["expect"] == "accept" else None
        for entry in entries
        if entry["format"] == "junit"
    }
    index = REPORTS / "real" / "INDEX.md"
    for line in index.read_text().splitlines() if index.is_file() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 5 and cells[1].isdigit():
            names = ("tests", "passed", "failures", "errors", "skipped")
            numbers = dict(zip(names, map(int, cells[1:6]), strict=True))
            counted[f"real/{cells[0]}/junit.xml"] = {**numbers, "prior_attempts": 0}
    return counted


TRUTH = read_truth()
GOOD = {name: truth for name, truth in TRUTH.items() if truth is not None}
BAD = sorted(TRUTH.keys() - GOOD.keys())
NEEDS_SAMPLES = pytest.mark.parametrize("samples", [REPORTS] if TRUTH else [], ids=["reports"])


@NEEDS_SAMPLES
def test_every_good_sample_is_stored_as_it_was_counted_by_other_means(
    migrated: Database, samples: Path
) -> None:
    for name, truth in GOOD.items():
        file = load_one(migrated, samples / name)

        expected = [truth[key] for key in ("tests", "passed", "failures", "errors", "skipped")]
        assert (name, file.status, list(asdict(file.totals).values())) == (
            name,
            "ingested",
            expected,
        )
        assert file.rows == truth["tests"] + truth["prior_attempts"], name
        stored = f"FROM test_results WHERE run_id = {file.run_id}"
        assert fetch_rows(migrated, f"SELECT count(*) {stored}") == [(file.rows,)], name
        final = f"SELECT count(*) {stored} AND is_final"
        assert fetch_rows(migrated, final) == [(truth["tests"],)], name
        run = "SELECT total, passed, failed, errors, skipped FROM test_runs"
        assert fetch_rows(migrated, f"{run} WHERE id = {file.run_id}") == [tuple(expected)], name


@NEEDS_SAMPLES
def test_every_bad_sample_leaves_no_row_and_is_named_with_its_line(
    migrated: Database, samples: Path
) -> None:
    before = count_all(migrated)

    for name in BAD:
        file = load_one(migrated, samples / name)

        assert (name, file.status, file.run_id) == (name, "rejected", None)
        assert file.error is not None
        where = file.error.removeprefix(str(samples / name))
        is_empty = (samples / name).stat().st_size == 0
        assert where.startswith(": " if is_empty else ":"), file.error
        assert is_empty or where[1:].split(":")[0].isdigit(), file.error
    assert count_all(migrated) == before


@NEEDS_SAMPLES
def test_figures_are_equal_on_both_engines(
    sqlite_url: str, postgresql_url: str, samples: Path
) -> None:
    figures = [figures_of(url, samples) for url in (sqlite_url, postgresql_url)]

    assert figures[0]["runs"]["total"] > 10
    assert figures[0]["slowest"]
    assert figures[0]["most_failing"]
    assert figures[0] == figures[1]


def figures_of(url: str, samples: Path) -> dict[str, Any]:
    """All of stats but what engines or the clock decide: sizes, ids, times of undated runs."""
    began = datetime.now(UTC)
    with open_database(url) as database:
        init_database(database)
        load(database, *(samples / name for name in GOOD))
        stats = asdict(read_stats(database, days=36_500, top=500, exact=True, now=NOW))
    stats["size_bytes"] = 0
    for table in stats["tables"]:
        table["size_bytes"] = 0
    stats["runs"]["newest_started_at"] = None
    for test in stats["most_failing"]:
        test["last_failed_at"] = None
    for group in stats["failures"]:
        for name in ("first_seen_at", "last_seen_at"):
            if group[name] >= began:  # of a run without a date, which is dated when it is stored
                group[name] = None
    return stats

"""That a schema has not drifted is compared once, and again as soon as anything is different."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.revisions import drift
from tests.health.asking import ask
from tests.support.databases import execute

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qadb" / "proofs"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each whole comparison."""
    found: list[str] = []
    whole = drift.find_drift

    def find_drift(database: Database) -> drift.Drift:
        found.append("whole")
        return whole(database)

    monkeypatch.setattr(drift, "find_drift", find_drift)
    return found


def test_what_was_proven_is_not_compared_again(
    migrated: Database, cache: Path, compared: list[str]
) -> None:
    assert [ask(migrated, "QADB-S04").status for _ in range(3)] == ["ok"] * 3

    assert compared == ["whole"]
    (proof,) = cache.iterdir()
    assert proof.stat().st_size == 0


def test_a_change_is_compared_and_found(
    migrated: Database, cache: Path, compared: list[str]
) -> None:
    ask(migrated, "QADB-S04")
    execute(migrated, "CREATE TABLE more (id INTEGER)")

    assert [ask(migrated, "QADB-S04").status for _ in range(2)] == ["warn"] * 2
    assert len(compared) == 3
    assert len(list(cache.iterdir())) == 1


def test_another_revision_is_compared(migrated: Database, cache: Path) -> None:
    ask(migrated, "QADB-S04")
    execute(migrated, "UPDATE qadb_version SET version_num = '004'")

    assert ask(migrated, "QADB-S04").status == "warn"


def test_a_cache_that_can_not_be_written_only_costs_time(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compared: list[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert [ask(migrated, "QADB-S04").status for _ in range(2)] == ["ok"] * 2
    assert compared == ["whole"] * 2

"""Rows of somebody's own SQLite database come in by a mapping; what can't is reported."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from qadb.errors import ConfigurationError, DataPresent, NotADatabase, RevisionMismatch
from qadb.models import TestCase, TestRun, schema
from qadb.operations.importing.import_rows import ImportResult, import_rows, plan_import
from qadb.operations.importing.mapping import read_mapping
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from tests.support.databases import execute, fetch_rows
from tests.support.program import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from tests.support.program import Program

THEIRS = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, started TEXT, ended REAL, state TEXT, note TEXT,
  kept INTEGER, facts TEXT);
INSERT INTO runs VALUES
  (1, '2026-01-02 03:04:05', 1767323105.5, 'ok', 'main', 1, '{"a": [1, 2]}'),
  (7, '2026-01-03T03:04:05+02:00', NULL, 'ko', NULL, 0, NULL);
CREATE TABLE apps (id INTEGER, code TEXT);
INSERT INTO apps VALUES (1, 'shop');
CREATE TABLE cases (key TEXT, title TEXT, seconds TEXT, labels TEXT);
INSERT INTO cases VALUES ('a', 'A', '1.25', '["x", "y"]'), ('b', 'B', NULL, '[]');
"""
MAPPING = """
[tables.apps]
to = "applications"
columns = { id = "id", code = "code" }
defaults = { name = "Shop" }

[tables.cases]
to = "test_cases"
[tables.cases.columns]
key = "case_key"
title = "name"
seconds = "timeout_seconds"
labels = "tags"

[tables.runs]
to = "test_runs"
[tables.runs.columns]
id = "id"
started = "started_at"
ended = "ended_at"
state = { to = "result", values = { ok = "success", ko = "failure" } }
note = "run_key"
kept = "is_protected"
facts = "extra_data"
[tables.runs.defaults]
run_key = "none"
status = "completed"
application_id = 1
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A database of somebody's own."""
    path = tmp_path / "theirs.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(THEIRS)
    return path


def write_mapping(folder: Path, text: str = MAPPING) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def bring_in(database: Database, theirs: Path, text: str = MAPPING) -> ImportResult:
    plan = plan_import(database, theirs, write_mapping(theirs.parent, text))
    return import_rows(database, plan, theirs.parent / "rejected.jsonl")


def add(theirs: Path, *statements: str) -> None:
    with closing(sqlite3.connect(theirs)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_values_become_what_the_columns_hold(empty: Database, theirs: Path) -> None:
    result = bring_in(empty, theirs)

    assert [(each.source, each.to, each.written) for each in result.tables] == [
        ("apps", "applications", 1),
        ("cases", "test_cases", 2),
        ("runs", "test_runs", 2),
    ]
    assert (result.rejected, result.rejects) == (0, None)
    with empty.session(read_only=True) as session:
        first, last = session.scalars(select(TestRun).order_by(TestRun.id)).all()
        case = session.scalars(select(TestCase).order_by(TestCase.case_key)).first()
    assert case is not None
    assert (case.timeout_seconds, list(case.tags or ())) == (Decimal("1.250"), ["x", "y"])
    assert first.started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert first.ended_at == datetime(2026, 1, 2, 3, 5, 5, 500000, tzinfo=UTC)
    assert last.started_at == datetime(2026, 1, 3, 1, 4, 5, tzinfo=UTC)
    assert (first.result, last.result) == ("success", "failure")
    assert (first.is_protected, last.is_protected) == (True, False)
    assert (first.extra_data, last.run_key) == ({"a": [1, 2]}, "none")
    assert {first.tenant_id, last.tenant_id} == {"default"}


def test_the_source_is_not_touched_and_the_history_names_it(empty: Database, theirs: Path) -> None:
    before = theirs.read_bytes()

    bring_in(empty, theirs)

    assert theirs.read_bytes() == before
    assert sorted(path.name for path in theirs.parent.iterdir() if "theirs" in path.name) == [
        "theirs.sqlite3"
    ]
    last = read_status(empty).history[-1]
    assert (last.operation, last.backup) == ("restore", str(theirs))


def test_the_next_id_is_above_those_that_came(empty: Database, theirs: Path) -> None:
    bring_in(empty, theirs)

    execute(empty, "INSERT INTO test_runs (run_key, application_id) VALUES ('next', 1)")

    assert fetch_rows(empty, "SELECT id FROM test_runs WHERE run_key = 'next'") == [(8,)]


def test_rows_that_do_not_fit_are_reported_and_the_rest_goes_in(
    empty: Database, theirs: Path
) -> None:
    add(
        theirs,
        "INSERT INTO runs VALUES (8, 'yesterday', NULL, 'ok', 'x', 0, NULL)",
        "INSERT INTO runs VALUES (9, '2026-01-02', NULL, 'strange', 'y', 0, NULL)",
        "INSERT INTO runs VALUES (10, '2026-01-02', NULL, 'ok', 'main', 0, NULL)",
        "INSERT INTO runs VALUES (11, '2026-01-02', NULL, 'ok', 'z', 2, NULL)",
        "INSERT INTO cases SELECT 'a', 'again', NULL, NULL",
        "INSERT INTO cases VALUES ('k', 'K', NULL, '{}')",
        "INSERT INTO cases VALUES ('c', 'C', '1e20', NULL)",
    )

    result = bring_in(empty, theirs)

    assert [(each.read, each.written, each.rejected) for each in result.tables] == [
        (1, 1, 0),
        (5, 2, 3),
        (6, 2, 4),
    ]
    assert result.rejects is not None
    lines = [json.loads(line) for line in result.rejects.read_text("utf-8").splitlines()]
    found = {(line["table"], line["row"].get("id") or line["row"]["key"][:1]) for line in lines}
    assert found == {("cases", "a"), ("cases", "k"), ("cases", "c")} | {
        ("runs", number) for number in (8, 9, 10, 11)
    }
    assert all(line["reason"] for line in lines)
    assert next(x for x in lines if x["row"].get("id") == 8)["reason"].startswith("started: ")
    assert fetch_rows(empty, "SELECT count(*) FROM test_cases") == [(2,)]


def test_a_row_whose_parent_is_missing_is_reported(empty: Database, theirs: Path) -> None:
    add(
        theirs,
        "CREATE TABLE results (run INTEGER, n INTEGER)",
        "INSERT INTO results VALUES (1, 5), (99, 6)",
    )
    ours = (
        MAPPING
        + """
[tables.results]
to = "coverage_data"
columns = { run = "run_id", n = "total_lines" }
"""
    )

    result = bring_in(empty, theirs, ours)

    assert (result.tables[-1].written, result.tables[-1].rejected) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "right", "named", "nearest"),
    [
        ('to = "test_run"', 'to = "test_runs"', "tables.runs.to", "test_runs"),
        ("[tables.run]", "[tables.runs]", "tables.run", "runs"),
        ('strated = "started_at"', 'started = "started_at"', "columns.strated", "started"),
        ('started = "startd_at"', 'started = "started_at"', "columns.started", "started_at"),
        ("[tables.runs.default]", "[tables.runs.defaults]", "tables.runs.default", "defaults"),
        ('tennant_id = "a"', 'status = "completed"', "defaults.tennant_id", "tenant_id"),
        ('kept = "run_key"', 'kept = "is_protected"', "columns.kept", None),
        ("is_protected = 5", 'status = "completed"', "defaults.is_protected", None),
        ("", "application_id = 1", "needs application_id", None),
        ("[tables", '[tables.runs]\nto = "test_runs"', "TOML", None),
    ],
)
def test_what_is_wrong_in_a_mapping_is_named(
    empty: Database, theirs: Path, wrong: str, right: str, named: str, nearest: str | None
) -> None:
    text = MAPPING.replace(right, wrong)
    if wrong == "[tables.run]":
        text = text.replace("[tables.runs.", "[tables.run.")
    mapping = write_mapping(theirs.parent, text)

    with pytest.raises(ConfigurationError) as caught:
        plan_import(empty, theirs, mapping)

    assert str(mapping) in caught.value.message
    assert named in caught.value.message
    assert nearest is None or f"'{nearest}'" in (caught.value.hint or "")
    assert read_status(empty).database.state in ("absent", "empty")


def test_the_documented_mapping_is_one(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "moving-to-postgresql.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    tables = read_mapping(write_mapping(tmp_path, example), schema.metadata)

    assert [each.to.name for each in tables] == ["applications", "test_runs"]


def test_a_database_with_rows_is_refused(migrated: Database, theirs: Path) -> None:
    execute(migrated, "INSERT INTO applications (code, name) VALUES ('own', 'Own')")

    with pytest.raises(DataPresent, match="applications"):
        bring_in(migrated, theirs)


def test_a_database_that_is_behind_is_refused(migrated: Database, theirs: Path) -> None:
    rollback(migrated, plan_rollback(migrated, "009"))

    with pytest.raises(RevisionMismatch):
        bring_in(migrated, theirs)


def test_what_is_no_database_is_refused(empty: Database, theirs: Path) -> None:
    theirs.write_text("no database at all, whatever it is called " * 40)

    with pytest.raises(NotADatabase):
        bring_in(empty, theirs)


def test_what_breaks_in_the_middle_leaves_no_row_and_no_report(
    empty: Database, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qadb.operations.importing import import_rows as operation

    add(theirs, "INSERT INTO runs VALUES (8, 'yesterday', NULL, 'ok', 'x', 0, NULL)")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(operation, "record_entry", fail)
    with pytest.raises(KeyboardInterrupt):
        bring_in(empty, theirs)

    assert fetch_rows(empty, "SELECT count(*) FROM test_runs") == [(0,)]
    assert not [path for path in theirs.parent.iterdir() if "rejected" in path.name]


def test_the_command_says_what_it_read_wrote_and_rejected(
    qadb: Program, database_url: str, theirs: Path
) -> None:
    mapping = str(write_mapping(theirs.parent))
    add(theirs, "INSERT INTO cases VALUES ('a', 'again', NULL, NULL)")
    words = ("restore", str(theirs), "--map", mapping, "--to", database_url)

    planned = qadb(*words, "--dry-run")
    done = qadb(*words, "--json")

    assert "runs becomes test_runs: 2 rows" in planned.stdout
    assert done.exit_code == 0
    assert done.document["rejected"] == 1
    assert done.document["mapped"][1] == {
        "source": "cases",
        "table": "test_cases",
        "read": 3,
        "written": 2,
        "rejected": 1,
    }
    (report,) = qadb.folder.glob("rejected-*.jsonl")
    assert done.document["rejects"] == str(report)

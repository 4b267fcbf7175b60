"""`qadb cleanup`: what it refuses, whom it waits for, and what it says where nothing goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from qadb.cli.app import app
from qadb.errors import ExitCode
from tests.cli.conftest import read_json
from tests.operations.test_two_at_once import lock_held
from tests.support.aged import add_runs
from tests.support.databases import fetch_rows

if TYPE_CHECKING:
    from typer.testing import Result

    from qadb.database import Database

RUNS = "SELECT count(*) FROM test_runs"


def cleanup(*words: str) -> Result:
    return CliRunner().invoke(app, ["cleanup", *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--days", "0"], "--days"),
        (["--days", "soon"], "--days"),
        (["--keep-last", "-1"], "--keep-last"),
        (["--max-seconds", "soon"], "--max-seconds"),
        (["--table", "audit_log"], "Did you mean 'audit_logs'?"),
        (["--table", "rag_documents"], "`qadb cleanup --list` names those that do."),
        (["--table", "audit_logs", "--keep-last", "5"], "there is no last to keep of audit_logs"),
        (["--tenant", "nobody"], "There is no tenant 'nobody'."),
    ],
)
def test_wrong_usage_is_refused_and_nothing_goes(
    database: Database, words: list[str], told: str
) -> None:
    add_runs(database, 200)

    refused = cleanup("--yes", *words)

    assert (refused.exit_code, refused.stdout) == (ExitCode.USAGE, "")
    assert told in " ".join(refused.stderr.split())
    assert fetch_rows(database, RUNS) == [(1,)]


def test_place_without_a_database_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QADB_DATABASE_URL", sqlite_url)

    refused = cleanup("--yes")

    assert refused.exit_code != ExitCode.OK
    assert "qadb init" in refused.stderr


def test_other_operation_is_waited_for_and_then_it_is_exit_code_5(
    database: Database, migrated_url: str
) -> None:
    add_runs(database, 200)

    with lock_held(migrated_url):
        refused = cleanup("--yes", "--wait-lock", "0.2s", "--json")
        planned = cleanup("--dry-run")

    assert refused.exit_code == ExitCode.LOCKED
    assert read_json(refused.stdout)["error"]["code"] == "locked"
    assert planned.exit_code == ExitCode.OK  # it writes nothing, so it is in nobody's way
    assert fetch_rows(database, RUNS) == [(1,)]


def test_document_has_every_field_at_every_stage(database: Database) -> None:
    add_runs(database, 200, 201, is_protected=True)
    add_runs(database, 200, branch="b")

    for words in (["--list"], ["--dry-run"], ["--yes"]):
        document = read_json(cleanup(*words, "--json").stdout)
        assert document["command"] == "cleanup"
        assert {"dry_run", "complete", "freed_bytes", "archived", "policies"} <= set(document)
        assert document["dry_run"] == (words != ["--yes"])
        assert document["tables"]["test_runs"] == {"deleted": 1, "kept": {"protected": 2}}
        assert document["archived"] == []
        assert isinstance(document["freed_bytes"], int)


def test_archive_is_named_in_the_document(database: Database) -> None:
    add_runs(database, 200)

    document = read_json(cleanup("--yes", "--archive", "gone", "--json").stdout)

    names = [path.rpartition("/")[2] for path in document["archived"]]
    assert any(name.startswith("test_runs-") for name in names)
    assert names[-1].startswith("cleanup-")
    assert all(path.startswith("/") for path in document["archived"])


def test_text_does_not_call_young_what_is_kept(database: Database) -> None:
    add_runs(database, 200, is_protected=True)

    done = cleanup("--yes")

    assert done.exit_code == ExitCode.OK
    assert "1 protected" in done.stdout
    assert "is old enough to go but what is kept." in done.stdout


def test_text_does_not_call_young_what_there_was_no_time_for(database: Database) -> None:
    add_runs(database, 200)

    done = cleanup("--yes", "--max-seconds", "0")

    assert done.exit_code == ExitCode.OK
    assert done.stdout.splitlines()[-1].startswith("Time ran out before all was done")
    assert "is old enough to go" not in done.stdout
    assert fetch_rows(database, RUNS) == [(1,)]


def test_status_tells_when_it_was_cleaned_last(database: Database) -> None:
    before = CliRunner().invoke(app, ["status", "--json"])
    cleanup("--dry-run")
    planned = CliRunner().invoke(app, ["status", "--json"])
    cleanup("--yes")
    after = CliRunner().invoke(app, ["status", "--json"])

    assert read_json(before.stdout)["last_cleanup"] is None
    assert read_json(planned.stdout)["last_cleanup"] is None
    assert read_json(after.stdout)["last_cleanup"] is not None

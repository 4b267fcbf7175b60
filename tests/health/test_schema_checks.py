"""The checks of the schema: a database that fails each, and one that just passes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.checks import Limits
from qadb.health import schema_probes
from qadb.settings.health import HealthSettings, OwnLimits
from tests.health.asking import ask
from tests.support.databases import execute, open_database
from tests.support.revisions import HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database


def test_answers_within_the_limit_pass(migrated: Database) -> None:
    result = ask(migrated, "QADB-S01")

    assert (result.status, result.hint) == ("ok", None)
    assert result.value is not None
    assert 0 < result.value < 100


def test_answers_slower_than_the_limit_fail(migrated: Database) -> None:
    tight = HealthSettings(limits={"QADB-S01": OwnLimits(warn=0, crit=0)}, source="qadb.toml")

    result = ask(migrated, "QADB-S01", settings=tight)

    assert result.status == "crit"
    assert result.hint is not None
    assert result.check.limits.source == "qadb.toml"


def test_a_version_with_a_future_passes(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = dict.fromkeys(range(3, 30), date(2999, 1, 1))
    monkeypatch.setattr(migrated.backend.inspector, "end_of_life", far)

    assert ask(migrated, "QADB-S02").status == "ok"


def test_a_version_past_its_end_is_a_warning(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = dict.fromkeys(range(3, 30), datetime.now(UTC).date())
    monkeypatch.setattr(migrated.backend.inspector, "end_of_life", today)

    result = ask(migrated, "QADB-S02")

    assert (result.status, result.value) == ("warn", 0)
    assert "gets no fixes" in result.message


def test_a_version_that_qadb_does_not_know_is_critical(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrated.backend.inspector, "oldest_supported", (999,))

    assert ask(migrated, "QADB-S02").status == "crit"


def test_the_newest_revision_passes(migrated: Database) -> None:
    result = ask(migrated, "QADB-S03")

    assert (result.status, result.value) == ("ok", 0)
    assert HEAD in result.message


@pytest.mark.parametrize(
    ("revision", "said", "hint"),
    [
        ("001", "behind", "qadb migrate"),
        ("999", "ahead", "pip install --upgrade qadb"),
        ("abc", "another line", "qadb restore latest"),
    ],
)
def test_other_revisions_are_told_apart(
    migrated: Database, revision: str, said: str, hint: str
) -> None:
    execute(migrated, f"UPDATE qadb_version SET version_num = '{revision}'")

    result = ask(migrated, "QADB-S03")

    assert result.status == "crit"
    assert said in result.message
    assert hint in (result.hint or "")


def test_an_empty_database_has_no_revision_and_no_data_to_ask(
    database_url: str, tmp_path: Path
) -> None:
    with open_database(database_url) as database:
        database.create()

        assert ask(database, "QADB-S03").status == "crit"
        result = ask(database, "QADB-D10")
        assert (result.status, result.hint) == ("unknown", "See: qadb status")


def test_a_schema_as_its_revisions_make_it_has_not_drifted(migrated: Database) -> None:
    assert ask(migrated, "QADB-S04").status == "ok"


def test_drift_is_told_both_ways(migrated: Database) -> None:
    execute(
        migrated,
        "CREATE TABLE more (id INTEGER)",
        "ALTER TABLE test_cases DROP COLUMN expected_outcome",
    )

    result = ask(migrated, "QADB-S04")

    assert (result.status, result.value) == ("warn", 2)
    assert result.details == (
        "table more: unexpected",
        "table test_cases column expected_outcome: missing",
    )


def test_drift_of_an_unknown_revision_is_unknown(migrated: Database) -> None:
    execute(migrated, "UPDATE qadb_version SET version_num = 'abc'")

    assert ask(migrated, "QADB-S04").status == "unknown"


def test_revisions_that_were_applied_as_they_are_pass(migrated: Database) -> None:
    assert ask(migrated, "QADB-S05").status == "ok"


def test_a_revision_edited_afterwards_is_a_warning(migrated: Database) -> None:
    execute(migrated, "UPDATE qadb_history SET checksum = 'other' WHERE revision = '002'")

    result = ask(migrated, "QADB-S05")

    assert (result.status, result.value) == ("warn", 1)
    assert result.details == ("002 was edited after it was applied",)


def test_the_schema_has_every_index_that_it_needs_and_no_other(migrated: Database) -> None:
    assert ask(migrated, "QADB-S07").status == "ok"
    assert ask(migrated, "QADB-S08").status == "ok"


def test_a_key_without_an_index_is_a_warning(migrated: Database) -> None:
    execute(migrated, "CREATE TABLE more (run_id BIGINT REFERENCES test_runs (id))")

    result = ask(migrated, "QADB-S07")

    assert (result.status, result.value) == ("warn", 1)
    assert "no index begins with run_id" in result.details[0]
    assert "CREATE INDEX" in (result.hint or "")


def test_the_statement_that_mends_a_key_mends_it(migrated: Database) -> None:
    execute(migrated, "CREATE TABLE more (run_id BIGINT REFERENCES test_runs (id))")
    hint = ask(migrated, "QADB-S07").hint
    assert hint is not None

    execute(migrated, hint.replace("CONCURRENTLY ", ""))

    assert ask(migrated, "QADB-S07").status == "ok"


def test_a_key_is_served_by_an_index_that_begins_with_it(migrated: Database) -> None:
    execute(
        migrated,
        "CREATE TABLE more (run_id BIGINT REFERENCES test_runs (id), at INTEGER)",
        "CREATE INDEX more_at_run ON more (at, run_id)",
    )
    assert ask(migrated, "QADB-S07").status == "warn"

    execute(migrated, "CREATE INDEX more_run_at ON more (run_id, at) WHERE run_id IS NOT NULL")
    assert ask(migrated, "QADB-S07").status == "ok"


def test_an_index_made_twice_is_a_warning_and_the_younger_one_goes(migrated: Database) -> None:
    execute(
        migrated,
        "CREATE TABLE more (id INTEGER, at INTEGER)",
        "CREATE INDEX more_first ON more (at)",
        "CREATE INDEX more_second ON more (at)",
        "CREATE INDEX more_other ON more (at) WHERE id > 0",
    )

    result = ask(migrated, "QADB-S08")

    assert (result.status, result.value) == ("warn", 1)
    assert result.details == ("index more_second: the same as more_first",)
    assert (result.hint or "").startswith("DROP INDEX")


def test_an_index_that_repeats_a_constraint_is_the_one_to_go(migrated: Database) -> None:
    execute(
        migrated,
        "CREATE TABLE more (at INTEGER UNIQUE)",
        "CREATE INDEX more_first ON more (at)",
    )

    (detail,) = ask(migrated, "QADB-S08").details
    assert detail.startswith("index more_first: the same as ")


def test_indexes_in_force_pass(on_server: Database) -> None:
    assert ask(on_server, "QADB-S06").status == "ok"


def test_an_index_left_unfinished_is_critical(on_server: Database) -> None:
    execute(
        on_server,
        "CREATE TABLE more (id INTEGER)",
        "CREATE INDEX more_id ON more (id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'more_id'::regclass",
    )

    result = ask(on_server, "QADB-S06")

    assert (result.status, result.value) == ("crit", 1)
    assert result.hint == "REINDEX INDEX CONCURRENTLY more_id"


def test_a_constraint_that_was_never_checked_is_critical(on_server: Database) -> None:
    execute(
        on_server,
        "CREATE TABLE more (id INTEGER)",
        "ALTER TABLE more ADD CONSTRAINT positive CHECK (id > 0) NOT VALID",
    )

    result = ask(on_server, "QADB-S06")

    assert result.status == "crit"
    assert result.hint == "ALTER TABLE more VALIDATE CONSTRAINT positive"
    execute(on_server, result.hint)
    assert ask(on_server, "QADB-S06").status == "ok"


def test_small_indexes_that_nobody_uses_pass(on_server: Database) -> None:
    result = ask(on_server, "QADB-S09")

    assert (result.status, result.value) == ("ok", 0)


def test_use_that_was_counted_for_too_short_is_unknown(
    on_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_probes, "SMALL_INDEX_BYTES", 1)
    execute(on_server, "CREATE TABLE more (id INTEGER)", "CREATE INDEX more_id ON more (id)")

    result = ask(on_server, "QADB-S09")

    assert result.status == "unknown"
    assert "too short" in result.message


def test_a_large_index_that_nobody_used_for_long_is_a_warning(
    on_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_probes, "SMALL_INDEX_BYTES", 1)
    monkeypatch.setattr(schema_probes, "YOUNG_DAYS", 0)
    execute(on_server, "CREATE TABLE more (id INTEGER)", "CREATE INDEX more_id ON more (id)")
    limits = HealthSettings(limits={"QADB-S09": OwnLimits(warn=8192)})

    result = ask(on_server, "QADB-S09", settings=limits)

    assert result.status == "warn"
    assert "index more_id: no query has used it" in result.details


def test_every_table_of_tenants_has_row_security(on_server: Database) -> None:
    assert ask(on_server, "QADB-S10").status == "ok"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE bugs DISABLE ROW LEVEL SECURITY", "table bugs: it has policies, and row"),
        ("CREATE TABLE more (tenant_id TEXT)", "table more: others of its kind have"),
    ],
)
def test_a_table_without_row_security_is_critical(
    on_server: Database, statement: str, said: str
) -> None:
    execute(on_server, statement)

    result = ask(on_server, "QADB-S10")

    assert (result.status, result.value) == ("crit", 1)
    assert result.details[0].startswith(said)
    assert "ENABLE ROW LEVEL SECURITY" in (result.hint or "")


def test_a_dropped_policy_is_critical(on_server: Database) -> None:
    with on_server.connect(read_only=True) as connection:
        name = connection.execute(
            text("SELECT policyname FROM pg_policies WHERE tablename = 'bugs'")
        ).scalar_one()
    execute(on_server, f"DROP POLICY {name} ON bugs")

    result = ask(on_server, "QADB-S10")

    assert result.details == ("table bugs: row security is on, and it has no policy",)


def test_models_are_what_the_revisions_make(file: Database) -> None:
    assert ask(file, "QADB-S11").status == "ok"


def test_a_limit_is_reached_by_its_own_value() -> None:
    rising = Limits("", 2, 4, "")
    falling = Limits("", 4, 2, "", lower_is_worse=True)

    assert [rising.judge(x) for x in (1.9, 2, 3.9, 4)] == ["ok", "warn", "warn", "crit"]
    assert [falling.judge(x) for x in (4.1, 4, 2.1, 2)] == ["ok", "warn", "warn", "crit"]

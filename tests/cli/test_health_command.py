"""`qadb health`: exit codes, formats read by their own consumers, configuration."""

from __future__ import annotations

import json
import sqlite3
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import junitparser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from qadb.errors import ExitCode
from tests.reports.reading import read
from tests.support.databases import execute, open_database, sqlite_file
from tests.support.program import ProgramInside

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Program

FORMATS = ["text", "json", "prometheus", "nagios", "junit", "github"]
FIELDS = {
    "id",
    "title",
    "group",
    "status",
    "value",
    "unit",
    "warn",
    "crit",
    "message",
    "details",
    "hint",
    "elapsed_seconds",
}


@pytest.fixture
def qadb(migrated_url: str, tmp_path: Path) -> Program:
    """The program on a database at the newest revision; the calendar's check is left out."""
    (tmp_path / "qadb.toml").write_text('[health]\nskip = { "S02" = "the calendar decides" }\n')
    return ProgramInside(tmp_path, {"QADB_DATABASE_URL": migrated_url})


@pytest.fixture
def behind(migrated_url: str) -> None:
    with open_database(migrated_url) as database:
        execute(database, "UPDATE qadb_version SET version_num = '002'")


@pytest.fixture
def drifted(migrated_url: str) -> None:
    with open_database(migrated_url) as database:
        execute(database, "CREATE TABLE more (run_id BIGINT REFERENCES test_runs (id))")


def test_a_database_that_is_well_passes(qadb: Program) -> None:
    ended = qadb("health", "--only", "schema,backups", "--fail-on", "warn")

    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")
    assert "ok       QADB-S03 Revision: It is at " in ended.stdout
    assert "skipped  QADB-S02 Server version: the calendar decides" in ended.stdout
    assert ended.stdout.splitlines()[-1].endswith(" 1 skipped).") or "ok (" in ended.stdout


@pytest.mark.usefixtures("behind")
def test_what_is_critical_fails_and_stands_first_with_what_mends_it(qadb: Program) -> None:
    ended = qadb("health")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("crit     QADB-S03 Revision: It is behind: at 002")
    assert "         003 " in lines[1]
    assert "         Mend it: qadb migrate" in lines


@pytest.mark.usefixtures("drifted")
def test_warnings_fail_when_that_is_asked(qadb: Program) -> None:
    assert qadb("health", "--only", "S07").exit_code == ExitCode.OK
    assert qadb("health", "--only", "S07", "--fail-on", "warn").exit_code == ExitCode.CHECK_FAILED


@pytest.mark.usefixtures("behind")
def test_never_is_never(qadb: Program) -> None:
    assert qadb("health", "--only", "S03", "--fail-on", "never").exit_code == ExitCode.OK


def test_nothing_checked_fails_always(qadb: Program) -> None:
    ended = qadb("health", "--only", "S03", "--skip", "S03", "--fail-on", "never", "--json")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert ended.document["status"] == "unknown"


def test_what_is_not_run_counts_as_a_warning(qadb: Program) -> None:
    assert qadb("health", "--budget", "0", "--json").document["status"] == "unknown"
    ended = qadb("health", "--budget", "0")
    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert "not run " in ended.stdout


def test_the_json_document_has_its_fields(qadb: Program) -> None:
    document = qadb("health", "--json").document

    assert document["command"] == "health"
    assert document["database"]["server_version"]
    assert all(check.keys() == FIELDS for check in document["checks"])
    assert document == qadb("health", "--format", "json").document | {
        key: document[key] for key in ("elapsed_seconds", "checks")
    }


def test_an_absent_file_is_not_reached_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    qadb = ProgramInside(folder, {"QADB_DATABASE_URL": f"sqlite:///{folder / 'no.sqlite3'}"})

    for name in FORMATS:
        ended = qadb("health", "--format", name)
        assert ended.exit_code == (2 if name == "nagios" else ExitCode.UNREACHABLE), name
        assert "There is no database at" in ended.stderr or name == "json"
    assert list(folder.iterdir()) == []


def metrics(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.timestamp is None for sample in samples)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in samples:
        found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@pytest.mark.usefixtures("behind")
def test_prometheus_reads_its_format(qadb: Program) -> None:
    ended = qadb("health", "--format", "prometheus")

    found = metrics(ended.stdout)
    assert [value for _, value in found["qadb_up"]] == [1]
    assert [value for _, value in found["qadb_health_status"]] == [2]
    states = {labels["id"]: value for labels, value in found["qadb_health_check_status"]}
    assert (states["QADB-S03"], states["QADB-S07"]) == (2, 0)
    assert "QADB-S02" not in states
    limits = {(x["id"], x["severity"]): value for x, value in found["qadb_health_check_limit"]}
    assert limits["QADB-B01", "warn"] == 26


def test_a_nagios_plugin_has_one_line_and_its_own_codes(qadb: Program) -> None:
    ended = qadb("health", "--format", "nagios", "--only", "S03,S07,B06")

    (line,) = ended.stdout.splitlines()
    text, bar, figures = line.partition(" | ")
    assert (ended.exit_code, text, bar) == (0, "QADB OK - 3 checks passed", " | ")
    assert figures.startswith("'QADB-S03'=0;;1 'QADB-S07'=0;1; 'QADB-B06'=")
    assert figures.endswith("%;200:;100:")


@pytest.mark.usefixtures("drifted")
def test_a_nagios_plugin_warns(qadb: Program) -> None:
    ended = qadb("health", "--format", "nagios", "--only", "S07")

    assert ended.exit_code == 1
    assert ended.stdout.startswith("QADB WARNING - QADB-S07 ")


@pytest.mark.usefixtures("behind")
def test_a_nagios_plugin_is_critical_whatever_fails_the_run(qadb: Program) -> None:
    ended = qadb("health", "--format=nagios", "--only", "S03", "--fail-on", "never")

    assert ended.exit_code == 2
    assert ended.stdout.startswith("QADB CRITICAL - QADB-S03 Revision: It is behind")


@pytest.mark.parametrize(
    "words", [("--nonsense",), ("--only", "nothing"), ("--budget", "soon"), ("--report", "x")]
)
def test_a_nagios_plugin_calls_wrong_usage_unknown(qadb: Program, words: tuple[str, ...]) -> None:
    assert qadb("health", "--format", "nagios", *words).exit_code == 3
    assert qadb("health", *words).exit_code == ExitCode.USAGE


def test_a_nagios_plugin_calls_a_wrong_configuration_unknown(qadb: Program) -> None:
    (qadb.folder / "qadb.toml").write_text("[health]\nskip = 3\n")

    assert qadb("health", "--format", "nagios").exit_code == 3
    assert qadb("health").exit_code == ExitCode.USAGE


@pytest.mark.usefixtures("drifted")
def test_junit_readers_read_the_report(qadb: Program) -> None:
    ended = qadb("health", "--format", "junit", "--only", "schema", "--fail-on", "warn")

    suite = junitparser.TestSuite.fromstring(ended.stdout.partition("\n")[2])
    results = {case.name.split()[0]: case.result for case in suite}
    assert [type(x).__name__ for x in results["QADB-S07"]] == ["Failure"]
    assert [type(x).__name__ for x in results["QADB-S02"]] == ["Skipped"]
    assert results["QADB-S03"] == []
    assert (suite.failures, suite.errors, suite.skipped) == (2, 0, 1)  # S04 sees the table, too
    records, summary = read(ended.stdout)
    assert len(records) == suite.tests
    assert summary.warnings == ()


@pytest.mark.usefixtures("drifted")
def test_what_does_not_fail_the_run_fails_no_test_case(qadb: Program) -> None:
    suite = fromstring(qadb("health", "--format", "junit", "--only", "S07").stdout)

    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert "without an index" in (suite.findtext("testcase/system-out") or "")


def test_github_gets_an_annotation_for_what_is_not_well(qadb: Program, migrated_url: str) -> None:
    with open_database(migrated_url) as database:
        execute(
            database,
            "CREATE TABLE more (run_id BIGINT REFERENCES test_runs (id))",
            "UPDATE qadb_version SET version_num = '002'",
        )

    lines = qadb("health", "--format", "github", "--only", "S03,S05,S07").stdout.splitlines()

    assert lines[0].startswith("::error title=qadb QADB-S03 Revision::It is behind")
    assert lines[1].startswith("::warning title=qadb QADB-S07 ")
    assert lines[2].startswith("::notice title=qadb health::")
    assert len(lines) == 3


def test_one_run_writes_every_format(qadb: Program) -> None:
    words = [word for name in FORMATS for word in ("--report", f"{name}=health.{name}")]

    # The tests' server is none to keep data on, and its checks say so.
    ended = qadb("health", "--skip", "engine", *words)

    written = {name: qadb.folder / f"health.{name}" for name in FORMATS}
    assert ended.exit_code == ExitCode.OK
    assert json.loads(written["json"].read_text())["status"] == "ok"
    assert written["text"].read_text() == ended.stdout
    assert metrics(written["prometheus"].read_text())["qadb_up"]
    assert fromstring(written["junit"].read_text()).tag == "testsuite"
    assert stat.S_IMODE(written["prometheus"].stat().st_mode) == 0o644
    assert not [path for path in qadb.folder.iterdir() if path.name.startswith(".health")]


def test_reports_of_a_database_that_is_not_reached_say_so(tmp_path: Path) -> None:
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": "sqlite:///no.sqlite3"})
    words = [word for name in FORMATS for word in ("--report", f"{name}=health.{name}")]

    ended = qadb("health", *words)

    assert ended.exit_code == ExitCode.UNREACHABLE
    found = metrics((tmp_path / "health.prometheus").read_text())
    assert [value for _, value in found["qadb_up"]] == [0]
    assert found.keys() == {"qadb_up"}
    assert json.loads((tmp_path / "health.json").read_text())["error"]["code"] == "absent"
    assert fromstring((tmp_path / "health.junit").read_text()).get("errors") == "1"
    assert (tmp_path / "health.nagios").read_text().startswith("QADB CRITICAL - ")


def test_a_report_that_can_not_be_written_fails(qadb: Program) -> None:
    ended = qadb("health", "--only", "S03", "--report", "json=not/there/health.json")

    assert ended.exit_code == ExitCode.FAILED
    assert "can't be written" in ended.stderr


def test_json_and_another_format_exclude_each_other(qadb: Program) -> None:
    assert qadb("health", "--json", "--format", "junit").exit_code == ExitCode.USAGE


def test_the_catalogue_is_listed_without_a_database(tmp_path: Path) -> None:
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": "sqlite:///no.sqlite3"})

    listed = qadb("health", "--list", "--json").document["checks"]
    explained = qadb("health", "--explain", "S06")

    assert len({check["id"] for check in listed}) == len(listed) > 20
    assert "QADB-S06 Invalid indexes" in explained.stdout
    assert "FROM pg_catalog.pg_index" in explained.stdout
    assert qadb("health", "--explain", "S99").exit_code == ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_is_shown(qadb: Program) -> None:
    (qadb.folder / "qadb.toml").write_text(
        '[health]\nskip = { "QADB-S02" = "why" }\nthresholds = { "QADB-B01" = { warn = 1 } }\n'
    )

    values = qadb("config", "--json").document["values"]
    limits = {c["id"]: (c["warn"], c["crit"]) for c in qadb("health", "--json").document["checks"]}

    assert values["health.skip.QADB-S02"]["value"] == "why"
    assert values["health.thresholds.QADB-B01.warn"]["value"] == 1
    assert limits["QADB-B01"] == (1, 50)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("skip = []", "health.skip"),
        ('skip = { "QADB-S02" = "" }', "must be the reason"),
        ('thresholds = { "QADB-B01" = 3 }', "must be a table"),
        ('thresholds = { "QADB-B01" = { warm = 3 } }', "must have warn, crit"),
        ('thresholds = { "QADB-B01" = { warn = "3" } }', "must be numbers"),
        ("leave = 1", "unknown key 'leave'"),
        ('skip = { "QADB-X99" = "why" }', "is no check"),
    ],
)
def test_a_wrong_configuration_is_refused(qadb: Program, content: str, said: str) -> None:
    (qadb.folder / "qadb.toml").write_text(f"[health]\n{content}\n")

    ended = qadb("health")

    assert ended.exit_code == ExitCode.USAGE
    assert said in ended.stderr


def test_wait_gives_a_server_that_never_comes_its_time(tmp_path: Path) -> None:
    qadb = ProgramInside(
        tmp_path,
        {
            "QADB_DATABASE_URL": "postgresql://qa@127.0.0.1:1/qadb",
            "DATABASE_CONNECT_RETRIES": "0",
        },
    )

    assert qadb("health", "--wait", "200ms").exit_code == ExitCode.UNREACHABLE


def test_a_file_that_somebody_holds_is_told_and_not_waited_for(
    tmp_path: Path, sqlite_url: str
) -> None:
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": sqlite_url})
    assert qadb("init", "--quiet").exit_code == ExitCode.OK
    with closing(sqlite3.connect(sqlite_file(sqlite_url), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        ended = qadb("health", "--json", "--budget", "1s")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert ended.document["status"] == "unknown"
    assert "locked" in ended.document["checks"][0]["message"]
    assert time.monotonic() - started < 20  # the usual wait is 30 s for one connection


def test_health_is_the_whole_databases(qadb: Program) -> None:
    ended = qadb("health", "--tenant", "acme")

    assert ended.exit_code == ExitCode.USAGE
    assert "all tenants" in ended.stderr

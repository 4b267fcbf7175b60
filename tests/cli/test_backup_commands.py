"""backup and restore as a person, cron and a script use them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import run_on_terminal
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.program import Program, ProgramInside

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"schema_version", "command", "database", "elapsed_seconds"}
BACKUP = HEADER | {"path", "size_bytes", "sha256", "revision", "tables", "verified", "removed"}
ENTRY = {"path", "created_at", "size_bytes", "revision", "verified_at"}
RESTORE = HEADER | {"path", "revision", "tables", "safety_backup", "previous", "pending"}
COUNT = "SELECT count(*) FROM countries"


@pytest.fixture
def at(migrated_url: str, tmp_path: Path) -> Program:
    """The program on a database at the newest revision, in an empty folder."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return ProgramInside(folder, {"QADB_DATABASE_URL": migrated_url})


@pytest.fixture
def on_sqlite(sqlite_url: str, tmp_path: Path) -> Program:
    folder = tmp_path / "inside"
    folder.mkdir()
    program = ProgramInside(folder, {"QADB_DATABASE_URL": sqlite_url})
    assert program("init").exit_code == 0
    return program


def lose_countries(program: Program) -> None:
    with open_database(program.variables["QADB_DATABASE_URL"]) as database:
        execute(database, "DELETE FROM countries")


def count_countries(program: Program) -> object:
    with open_database(program.variables["QADB_DATABASE_URL"]) as database:
        return fetch_rows(database, COUNT)[0][0]


def test_a_backup_is_made_listed_proven_and_restored(at: Program) -> None:
    made = at("backup", "--verify", "--json")
    listed = at("backup", "--list", "--json")
    proven = at("restore", "latest", "--verify-only", "--json")
    lose_countries(at)
    planned = at("restore", "latest", "--dry-run", "--json")
    restored = at("restore", "latest", "--yes", "--json")

    for ended in (made, listed, proven, planned, restored):
        assert (ended.exit_code, ended.stderr) == (0, "")
    assert made.document.keys() >= BACKUP
    assert made.document["verified"] is True
    assert made.document["tables"]["countries"] == 249
    (entry,) = listed.document["backups"]
    assert entry.keys() >= ENTRY
    assert entry["path"] == made.document["path"]
    assert proven.document["sha256"] == made.document["sha256"]
    assert planned.document["replaces"]["tables"]["countries"] == 0
    assert restored.document.keys() >= RESTORE
    assert restored.document["pending"] == []
    assert restored.document["safety_backup"] or restored.document["previous"]
    assert count_countries(at) == 249


def test_the_texts_say_where_how_much_and_what_next(on_sqlite: Program) -> None:
    made = on_sqlite("backup")
    listed = on_sqlite("backup", "--list")
    planned = on_sqlite("restore", "latest", "--dry-run")
    restored = on_sqlite("restore", "latest", "--yes")

    folder = on_sqlite.folder / "backups"
    assert made.stdout.startswith("Saved sqlite:////")
    assert f"\n{folder}/qa-" in made.stdout
    assert "Verified" in listed.stdout
    assert " no " in listed.stdout
    assert planned.stdout.endswith("Nothing was changed.\n")
    (rows,) = re.findall(r"([\d,]+ rows) at revision", planned.stdout)
    assert f": {rows} of " in restored.stdout
    assert f"What it was before: {folder}/qa-" in restored.stdout
    assert "restore" in on_sqlite("status").stdout


def test_quiet_says_nothing_on_success(on_sqlite: Program) -> None:
    ended = on_sqlite("backup", "--quiet", "--keep-daily", "7")

    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "")


def test_a_database_with_data_is_not_replaced_unasked(on_sqlite: Program) -> None:
    on_sqlite("backup")
    lose_countries(on_sqlite)

    ended = on_sqlite("restore", "latest")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "Hint: Look at the change with --dry-run, then give --yes." in ended.stderr
    assert count_countries(on_sqlite) == 0


@pytest.mark.parametrize(("answer", "exit_code", "rows"), [("n", 1, 0), ("y", 0, 249)])
def test_on_a_terminal_somebody_is_asked(
    on_sqlite: Program,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    exit_code: int,
    rows: int,
) -> None:
    on_sqlite("backup")
    lose_countries(on_sqlite)
    monkeypatch.chdir(on_sqlite.folder)
    for name, value in {**on_sqlite.environment(), "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)

    seen = run_on_terminal(on_sqlite.command("restore", "latest"), typed=f"{answer}\n")

    assert seen.exit_code == exit_code
    assert "is replaced by the backup of" in seen.stderr
    assert count_countries(on_sqlite) == rows


def test_a_damaged_backup_ends_with_4_and_one_sentence(on_sqlite: Program) -> None:
    path = on_sqlite.folder / "x.qadb"
    on_sqlite("backup", str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-3000] + b"?" + whole[-2999:])

    for words in (["--verify-only"], ["--yes"], ["--dry-run"]):
        ended = on_sqlite("restore", str(path), *words)
        assert (ended.exit_code, ended.stdout) == (4, "")
        assert ended.stderr.startswith(f"Error: {path} is")
        assert len(ended.stderr.splitlines()) == 2
    failed = on_sqlite("restore", str(path), "--json", "--yes")
    assert failed.document["error"]["code"] == "backup_damaged"


def test_restoring_elsewhere_leaves_this_database_alone(on_sqlite: Program) -> None:
    on_sqlite("backup")
    lose_countries(on_sqlite)
    target = f"sqlite:///{on_sqlite.folder / 'copy.sqlite3'}"

    first = on_sqlite("restore", "latest", "--to", target, "--json")
    again = on_sqlite("restore", "latest", "--to-env", "COPY", "--yes", "--json", COPY=target)

    for ended in (first, again):
        assert ended.exit_code == 0, ended.stderr
        assert ended.document["database"]["url"] == target
    assert count_countries(on_sqlite) == 0


def test_a_password_in_to_is_shown_nowhere(on_sqlite: Program) -> None:
    on_sqlite("backup")
    target = "postgresql://qa:s3cret-word@127.0.0.1:1/x"

    for words in (["--to", target], ["--to-env", "TARGET"]):
        ended = on_sqlite("restore", "latest", *words, "--json", "-vv", "--debug", TARGET=target)
        assert ended.exit_code != 0
        assert "s3cret-word" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["restore", "latest", "--to", "sqlite:///x", "--to-env", "X"], "not both"),
        (["restore", "latest", "--to-env", "NOT_SET"], "NOT_SET"),
        (["restore", "latest", "--tenant", "a"], "all tenants"),
        (["backup", "--tenant", "a"], "all tenants"),
        (["backup", "--keep-last", "0"], "less than 1"),
        (["backup", "--compress", "lzma"], "lzma"),
        (["restore", "latest", "--to", "mysql://x/y"], "mysql"),
    ],
)
def test_wrong_usage_ends_with_2(on_sqlite: Program, words: list[str], says: str) -> None:
    on_sqlite("backup")

    ended = on_sqlite(*words)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert says in ended.stderr


def test_what_is_not_there_is_said(on_sqlite: Program) -> None:
    for words, says in (
        (["restore", "latest"], "can't be read"),
        (["restore", "none.qadb"], "There is no backup"),
        (["backup", "--list"], "can't be read"),
    ):
        ended = on_sqlite(*words)
        assert ended.exit_code == 1
        assert says in ended.stderr
        assert "Hint: " in ended.stderr


def test_migrate_backs_up_first_where_that_is_usual(at: Program, migrated_url: str) -> None:
    at("rollback", "009", "--yes", "--no-backup")
    usual = at("migrate", "--json")
    at("rollback", "009", "--yes", "--no-backup")
    wanted = at("migrate", "--backup", "--json")
    at("rollback", "009", "--yes", "--no-backup")
    unwanted = at("migrate", "--no-backup", "--json")

    assert (usual.document["backup"] is not None) == migrated_url.startswith("sqlite")
    assert wanted.document["backup"] is not None
    assert unwanted.document["backup"] is None
    entries = json.loads(at("status", "--json").stdout)["history"]
    assert [e["backup"] for e in entries if e["backup"] == wanted.document["backup"]]

"""The README's promises, taken at their word: its examples run, its tables are true."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qadb.cli.app import VERBS, app
from qadb.errors import ExitCode
from tests.cli.conftest import read_json
from tests.support.program import Program

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
REPORT = CHECKOUT / "examples" / "junit.xml"

# What needs a host of somebody's own; the lines after it then work on the SQLite file.
LEFT_OUT = {"export QADB_DATABASE_URL=postgresql://qa@db.example.org/qadb"}
HEADER = {"schema_version", "command", "database", "elapsed_seconds"}


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code_blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def shell_lines(text: str) -> list[str]:
    """Lines after a prompt, without their comments."""
    lines = "".join(code_blocks("console", text)).splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [re.sub(r"\s+# .*", "", line) for line in typed]


@pytest.fixture
def toured(tmp_path: Path) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """The five-minute tour, typed line by line in one empty folder."""
    program = Program(tmp_path / "work")
    programs = tmp_path / "bin"
    for folder in (programs, *(program.folder / "build" / n for n in ("reports", "test-results"))):
        folder.mkdir(parents=True)
    # Nobody's tests are run here: the tool that writes a report copies one.
    write_script(programs / "qadb", [sys.executable, "-m", "qadb"])
    write_script(
        programs / "pytest", ["sh", "-c", f'cp {shlex.quote(str(REPORT))} "${{1#*=}}"', "sh"]
    )
    shutil.copy(REPORT, program.folder / "build" / "reports" / "r.xml")
    shutil.copy(REPORT, program.folder / "build" / "test-results" / "r.xml")
    environ = program.environment(
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}", BUILD_NUMBER="7"
    )
    return [
        (line, run(line, program.folder, environ))
        for line in shell_lines(section("Five minutes"))
        if line not in LEFT_OUT
    ]


def write_script(path: Path, command: list[str]) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


def run(line: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_five_minute_tour_runs_as_it_stands(
    toured: list[tuple[str, subprocess.CompletedProcess[str]]], tmp_path: Path
) -> None:
    failed = [(line, done.stderr) for line, done in toured if done.returncode != 0]
    assert failed == []
    assert [line.split()[0] for line, _ in toured].count("qadb") >= 8
    answers = {line: done.stdout for line, done in toured}
    assert "duplicate" in answers["qadb ingest report.xml --application shop"]
    assert "current" in answers["qadb status"]
    assert (tmp_path / "work" / "data" / "qadb.sqlite3").is_file()

    (example,) = code_blocks("python", section("Python"))
    program = Program(tmp_path / "work")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=program.folder,
        env=program.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    *runs, rate, features, linked, bugs, environment = done.stdout.splitlines()
    assert sorted(line.split()[1:] for line in runs) == [
        ["default", "7", "of", "12", "passed"],
        ["shop", "7", "of", "12", "passed"],
    ]
    assert rate == "pass rate 0.7"
    assert (features, linked) == ("features 1 0 0", "linked 2")
    assert (bugs, environment) == ("bugs 1", "environment staging-1")


def test_install_lines_are_one_command_each() -> None:
    install, everything = code_blocks("console", section("Install"))

    assert len(install.splitlines()) == len(everything.splitlines()) == 1
    verbs = re.findall(r"bin/qadb (\w+)", install)
    assert verbs == ["init", "ingest", "stats"]
    assert set(verbs) <= set(VERBS)
    assert "examples/junit.xml" in install
    assert "pytest" in everything


def test_table_of_exit_codes_is_that_of_the_program() -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", section("Exit codes"), re.MULTILINE)

    assert [int(code) for cell in cells for code in cell.split(",")] == [int(e) for e in ExitCode]


def documented_fields() -> dict[str, dict[str, str]]:
    """For each command its fields, with the shape that the table gives them (or nothing)."""
    fields: dict[str, dict[str, str]] = {}
    for command, cell in re.findall(r"^\| `(\w+)` \| (.*) \|$", section("JSON"), re.MULTILINE):
        certain = re.sub(r"\(.*?\)", "", cell.partition(";")[0])
        fields[command] = {}
        for word in re.findall(r"`(.*?)`", certain):
            if word[0] in "[{":
                fields[command][list(fields[command])[-1]] = word
            else:
                fields[command][word] = ""
    return fields


def names_in(shape: str) -> set[str]:
    """The outer names in ``[{a, b {c, d}}]``."""
    inner = shape.strip("[]")[1:-1]
    while "{" in inner:
        inner = re.sub(r"\{[^{}]*\}", "", inner)
    return {name.strip(" :") for name in inner.split(",")}


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What each command prints, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    command_lines = {
        "init": ["init"],
        "ingest": ["ingest", str(REPORT)],
        "stats": ["stats", "--days", "36500"],
        "status": ["status"],
        "migrate": ["migrate", "--dry-run"],
        "rollback": ["rollback", "002", "--dry-run"],
        "backup": ["backup"],
        "restore": ["restore", "latest", "--dry-run"],
        "health": ["health"],
        "cleanup": ["cleanup", "--dry-run"],
        "config": ["config"],
    }
    return {
        name: read_json(CliRunner().invoke(app, [*words, "--json"]).stdout)
        for name, words in command_lines.items()
    }


def test_table_of_json_fields_is_what_commands_print(documents: dict[str, dict[str, Any]]) -> None:
    documented = documented_fields()

    assert set(documented) == set(VERBS) == set(documents)
    for command, fields in documented.items():
        document = documents[command]
        assert (command, HEADER | set(fields)) == (command, set(document))
        for field, shape in fields.items():
            value = document[field]
            if shape.startswith("{name"):
                continue
            found = value[0] if shape.startswith("[") and value else value
            if shape and found:
                assert (command, field, names_in(shape)) == (command, field, set(found))


def test_header_of_every_document_is_the_one_described(
    documents: dict[str, dict[str, Any]],
) -> None:
    text = section("JSON").split("\n\n")[0]

    assert set(re.findall(r"`(\w+)`", text)) == HEADER
    assert names_in("{url, engine, server_version}") == set(documents["init"]["database"])
    assert "`{url, engine, server_version}`" in text

"""Guards over the whole project: all documented, typed, engines told apart behind one seam.

That revisions stand alone is the migrations' tests' business.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.script import ScriptDirectory
from mypy import api as mypy
from typer import Context
from typer.main import get_command

from qadb.cli.app import VERBS, app
from qadb.cli.group import load_verb
from qadb.settings.definitions import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "qadb"
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
MODULES = {str(path.relative_to(CHECKOUT)): path for path in sorted(PACKAGE.rglob("*.py"))}

ENGINES = {"sqlite", "postgresql"}
# Where engines may be told apart: behind the seam, in column types, and where URLs are read.
KNOW_ENGINES = (
    "qadb/backends/",
    "qadb/settings/",
    "qadb/models/types.py",
    "qadb/models/functions.py",
)

CONSUMER = """
from qadb.database import Database
from qadb.models import TestRun
from qadb.operations.ingest import IngestOptions, ingest
from qadb.operations.report_sources import find_sources
from qadb.operations.stats import read_stats
from qadb.settings import load_settings


def application_of(run: TestRun) -> str:
    return run.application.name


with Database.from_settings(load_settings()) as database, database.session() as session:
    found = session.get(TestRun, 1)
    name: str | None = application_of(found) if found else None
    rows: int = ingest(database, find_sources(["r.xml"]), IngestOptions()).files[0].rows
    rate: float | None = read_stats(database, days=7).results.pass_rate
"""


def options_of(name: str | None) -> list[str]:
    """Every spelling of every option of a verb, or of the program itself."""
    command = get_command(app) if name is None else load_verb(name, VERBS[name])
    with Context(command, info_name=name or "qadb") as context:
        parameters = command.get_params(context)
    spelt = [word for one in parameters for word in (*one.opts, *one.secondary_opts)]
    return [word for word in spelt if word.startswith("-")]


def section(title: str) -> str:
    """The README's text under a heading, down to the next one."""
    found = re.search(
        rf"^#+ `?{re.escape(title)}\b.*?$(.*?)(?=^##|\Z)", README, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no heading {title!r}"
    return found[0]


def is_named(option: str, text: str) -> bool:
    return re.search(rf"`{re.escape(option)}[` ]", text) is not None


def test_every_command_has_its_part_in_the_readme() -> None:
    assert [name for name in VERBS if f"\n### `qadb {name}" not in README] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_command_is_in_its_part_of_the_readme(verb: str) -> None:
    own = set(options_of(verb)) - set(options_of(None))
    text = section(f"qadb {verb}")

    assert sorted(option for option in own if not is_named(option, text)) == []


def test_every_global_option_is_in_the_readme() -> None:
    text = section("Commands")

    missing = [option for option in options_of(None) if not is_named(option, text)]
    assert [option for option in missing if f"`qadb {option}`" not in text] == []


@pytest.mark.parametrize("name", VARIABLES)
def test_every_setting_is_in_the_readme_and_the_example(name: str) -> None:
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")

    assert f"`{name}`" in section("Configuration")
    assert re.search(rf"^#?{name}=", example, re.MULTILINE)


def public_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods whose own name and whose class's name are public."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            not node.name.startswith("_") or node.name == "__init__"
        ):
            yield node


def types_in(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """All annotations of a signature as text."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    variable = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    stated = [*(one.annotation for one in (*named, *variable)), function.returns]
    return " ".join(ast.unparse(one) for one in stated if one is not None)


def test_no_public_signature_holds_any() -> None:
    offenders = [
        f"{name}:{function.lineno} {function.name}"
        for name, path in MODULES.items()
        for function in public_functions(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"\bAny\b", types_in(function))
    ]

    assert offenders == []


def test_revisions_have_one_head() -> None:
    assert len(ScriptDirectory(str(CHECKOUT / "migrations")).get_heads()) == 1


def tells_engines_apart(node: ast.AST) -> bool:
    """A comparison or a match with an engine's name, or a table of cases by engine."""
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
        constants = {
            leaf.value
            for part in parts
            for leaf in ast.walk(part)
            if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
        }
        asks_name = any(
            ast.unparse(part).endswith(("dialect.name", "url.engine")) for part in parts
        )
        return bool(constants & ENGINES) or asks_name
    if isinstance(node, ast.MatchValue):
        return isinstance(node.value, ast.Constant) and node.value.value in ENGINES
    return False


def test_engines_are_told_apart_behind_the_seam_only() -> None:
    offenders = [
        f"{name}: {ast.unparse(node)}"
        for name, path in MODULES.items()
        if not name.startswith(KNOW_ENGINES)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if tells_engines_apart(node)
    ]

    assert offenders == []


def test_users_of_the_package_get_its_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = tmp_path / "consumer.py"
    consumer.write_text(CONSUMER)
    monkeypatch.setenv("MYPYPATH", str(CHECKOUT))
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}"]

    good, errors, code = mypy.run([*options, str(consumer)])
    consumer.write_text(CONSUMER.replace("rows: int", "rows: str"))
    bad, _, _ = mypy.run([*options, str(consumer)])

    assert (code, errors) == (0, ""), good
    assert 'has type "int"' in bad
    assert (PACKAGE / "py.typed").is_file()

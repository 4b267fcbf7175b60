"""The page of the repositories: nothing public is missing, all is called as it says."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import qadb.repositories
from docs.generate import FOLDER
from docs.generator.arguments import COMMON
from docs.generator.operators import EXAMPLES
from qadb.database import Database
from qadb.repositories.figures.run_comparison import RunComparison
from qadb.repositories.generic.filters import OPERATORS
from qadb.repositories.generic.paging import Page
from qadb.repositories.generic.reading import Reader
from qadb.settings import load_settings
from tests.repositories.lab import Lab
from tests.test_docs import anchors_in, code_blocks, section

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORIES = (FOLDER / "repositories.md").read_text(encoding="utf-8")
NAMES = qadb.repositories.__all__
ARGUMENTS = "### Arguments that many take"


def methods_of(name: str) -> dict[str, inspect.Signature]:
    """The public methods of a repository that are its own; the general one reads, too."""
    found: type = getattr(qadb.repositories, name)
    classes = (Reader, found) if name == "Repository" else (found,)
    return {
        method: inspect.signature(member)
        for each in classes
        for method, member in vars(each).items()
        if inspect.isfunction(member) and not method.startswith("_")
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_method_of_a_repository_is_described_as_it_is_called(name: str) -> None:
    for method, signature in methods_of(name).items():
        text = section(REPOSITORIES, f"#### `{name}.{method}`")
        (call,) = code_blocks("python", text)
        tree = ast.parse(f"def {call.strip()}: ...").body[0]

        assert isinstance(tree, ast.FunctionDef)
        assert tree.name == method
        told = tree.args
        names = [each.arg for each in (*told.posonlyargs, *told.args)]
        names += [each.arg for each in (told.vararg, *told.kwonlyargs, told.kwarg) if each]
        assert ["self", *names] == list(signature.parameters)
        defaults = [each for each in (*told.defaults, *told.kw_defaults) if each is not None]
        assert [ast.literal_eval(each) for each in defaults] == [
            each.default for each in signature.parameters.values() if each.default is not each.empty
        ]
        assert len(text.split("```")[2].split()) > 2, f"{name}.{method} is not explained"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Repository"])
def test_every_repository_has_its_part_in_the_room_of_its_model(name: str) -> None:
    model = getattr(getattr(qadb.repositories, name), "model", None)
    room = model.__module__.rpartition(".")[2] if model else "Across rooms"

    text = section(section(REPOSITORIES, f"## {room}"), f"### `{name}`")

    if model:
        assert f"Rows of [`{model.__name__}`](models.md#{model.__tablename__})." in text
    assert f"\n| [`{name}`](#{name.lower()}) |" in REPOSITORIES


def test_what_is_explained_once_is_explained() -> None:
    rows = re.findall(r"^\| `\**(\w+)` \|", section(REPOSITORIES, ARGUMENTS), re.MULTILINE)

    assert rows == list(COMMON)
    for name in NAMES:
        for method in methods_of(name):
            text = section(REPOSITORIES, f"#### `{name}.{method}`")
            (call,) = code_blocks("python", text)
            untyped = set(re.findall(r"\*{0,2}\b(\w+)(?==)", call))
            assert untyped <= {*rows}, f"{name}.{method}"


def test_every_operator_of_filters_has_a_row_with_its_example() -> None:
    text = section(REPOSITORIES, "### Filters")

    assert list(EXAMPLES) == list(OPERATORS)
    for operator, (column, _, _) in EXAMPLES.items():
        keyword = f"{column}__{operator}" if operator else column
        assert re.search(rf"^\| `{keyword}=[^`]+` \| [^|]+ \| `[^`]+` \|$", text, re.MULTILINE)


@pytest.mark.parametrize("found", [RunComparison, Page])
def test_dataclasses_are_described_field_by_field(found: type) -> None:
    text = section(REPOSITORIES, f"### `{found.__name__}`")

    names = [field.name for field in dataclasses.fields(found)]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == names
    assert found.__module__ in text


def test_every_dataclass_that_a_method_names_is_on_the_page() -> None:
    types = " ".join(str(each) for name in NAMES for each in methods_of(name).values())
    named = {
        word
        for word in re.findall(r"\b[A-Z]\w+", types)
        for module in list(sys.modules.values())
        if module.__name__.startswith("qadb.repositories.")
        and dataclasses.is_dataclass(vars(module).get(word))
    }

    assert {"FlakyTest", "Finding", "AggregateCoverage"} <= named
    described = set(re.findall(r"^### `(\w+)`$", REPOSITORIES, re.MULTILINE))
    assert named - described == set()


def test_the_example_of_the_repositories_runs(
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QADB_DATABASE_URL", migrated_url)
    with Database.from_settings(load_settings()) as database, database.session() as session:
        now = datetime.now(UTC)
        run = Lab(session).run(verdicts="pay:failed,passed", status="completed", started_at=now)
        run.passed = run.total = 1

    exec(code_blocks("python", REPOSITORIES)[0], {})

    assert capsys.readouterr().out == "lab-1 None 1 1\npay 0 None\n"


def test_headings_of_the_repositories_are_told_apart_by_links() -> None:
    anchors = anchors_in(FOLDER / "repositories.md")

    assert sorted(anchors) == sorted(set(anchors))

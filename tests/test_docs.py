"""The pages in docs/: the generated ones are what the code says, the others quote it rightly."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.generate import FOLDER, PAGES, find_outdated, main
from docs.generator.links import anchor_of
from docs.generator.models import rooms
from docs.generator.rules import in_words
from qadb.cli.app import VERBS
from qadb.errors import ExitCode
from qadb.models import Base, metadata
from qadb.models.rules import DIGITS, LOWER_CASE, at_least, length, made_of, one_of
from tests.test_guards import options_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[1]
MODELS = (FOLDER / "models.md").read_text(encoding="utf-8")
COMMANDS = (FOLDER / "commands.md").read_text(encoding="utf-8")
TABLES = sorted(metadata.tables)
MODEL_OF = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
IN_EVERY_TABLE = {"tenant_id", "created_by", "updated_by"}  # left out of the diagrams

TELLING_LETTERS = 9  # a message with fewer of its own could be any
# What shows where a sentence comes from: a stream's word, a file and line, a column, a count.
BEFORE_SENTENCE = re.compile(
    r" *(?:(?:Error|Hint|Warning|WARNING: qadb\.sql): )?"
    r"(?:\w+\.xml\S*: |bugs\.\w+: |\d+ ms: )?(?:1 timestamp )?"
)

# What Mermaid reads, as far as we use it (checked with mermaid 11).
NAME = r"[a-z][a-z0-9_]*"
ENTITY = re.compile(rf"  ({NAME}) {{")
ATTRIBUTE = re.compile(rf"    [a-z]+(?:\[\])? {NAME}(?: (?:PK|FK|UK)(?:, (?:PK|FK|UK))*)?")
RELATION = re.compile(rf'  ({NAME}) (?:\|\||\|o)--o{{ ({NAME}) : "({NAME}(?:, {NAME})*)"')


def section(text: str, heading: str) -> str:
    """The text under a heading, down to the next of its kind or higher."""
    level = heading.split(maxsplit=1)[0]
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no heading {heading!r}"
    return found[1]


def code_blocks(language: str, text: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [str(block) for block in found]


def test_generated_pages_are_what_the_code_says() -> None:
    assert list(find_outdated()) == [], "run: python docs/generate.py"


def run_generator(folder: Path, *words: str, seed: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "docs/generate.py", "--folder", str(folder), *words],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_generator_writes_the_same_pages_every_time(tmp_path: Path) -> None:
    first = run_generator(tmp_path, seed=1)
    again = run_generator(tmp_path, "--check", seed=2)

    assert (first.returncode, first.stdout) == (0, "".join(f"{name} written\n" for name in PAGES))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_checking_names_the_outdated_page_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in PAGES:
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "models.md").write_text("old", encoding="utf-8")

    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "models.md is out of date\n"
    assert (tmp_path / "models.md").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_described_column_by_column(table: str) -> None:
    text = section(MODELS, f"### `{table}`")

    rows = re.findall(r"^\| `(\w+)` \| `[^`]+` \| `[^`]+` \| (yes )?\|", text, re.MULTILINE)
    columns = metadata.tables[table].columns
    assert [(name, bool(null)) for name, null in rows] == [
        (column.name, bool(column.nullable)) for column in columns
    ]
    assert f"`{MODEL_OF[table].__name__}`" in text


@pytest.mark.parametrize("table", TABLES)
def test_every_key_index_and_rule_of_a_table_is_there(table: str) -> None:
    text = section(MODELS, f"### `{table}`")
    here = metadata.tables[table]

    names = [str(index.name) for index in here.indexes]
    several = [rule for rule in MODEL_OF[table].__rules__ if len(rule.columns) > 1]
    names += [f"ck_{table}_{rule.name}" for rule in several]
    assert [name for name in names if f"  - `{name}`: " not in text] == []
    for rule in MODEL_OF[table].__rules__:
        if len(rule.columns) == 1:
            row = next(
                line for line in text.splitlines() if line.startswith(f"| `{rule.columns[0]}` |")
            )
            assert in_words(rule).replace("|", "\\|") in row
    for key in here.foreign_key_constraints:
        ending = f", on delete {key.ondelete}"
        target = key.referred_table.name
        assert re.search(rf"→ `{target}[ .(].*{ending}", text), key.column_keys


def test_flags_are_those_of_the_models() -> None:
    for name, model in MODEL_OF.items():
        flags = "".join(re.findall(r"^\*(.*)\*$", section(MODELS, f"### `{name}`"), re.MULTILINE))
        columns = metadata.tables[name].columns
        assert ("confined to a tenant" in flags) == (model.__tenant_column__ in columns), name
        assert ("deleted softly" in flags) == ("deleted_at" in columns), name
        assert ("audited" in flags) == model.__audited__, name
        assert ("has authors" in flags) == ("created_by" in columns), name
        assert ("keeps its times" in flags) == ("updated_at" in columns), name


def diagrams() -> Iterator[list[str]]:
    for block in code_blocks("mermaid", MODELS):
        kind, *lines = block.splitlines()
        if kind == "erDiagram":
            yield lines


def test_diagrams_are_what_mermaid_reads() -> None:
    lines = [line for diagram in diagrams() for line in diagram]

    known = (ENTITY, ATTRIBUTE, RELATION, re.compile("  }"))
    assert [line for line in lines if not any(each.fullmatch(line) for each in known)] == []


def test_every_table_is_drawn_once_with_its_columns_and_keys() -> None:
    drawn: dict[str, list[str]] = {}
    relations: set[tuple[str, str, str]] = set()
    for diagram in diagrams():
        table = ""
        for line in diagram:
            if found := ENTITY.fullmatch(line):
                table = found[1]
                assert drawn.setdefault(table, []) == []
            elif found := RELATION.fullmatch(line):
                parent, child, columns = found.groups()
                relations |= {(parent, child, column) for column in columns.split(", ")}
            elif line.startswith("    "):
                drawn[table].append(line.split()[1])

    assert drawn == {name: here.columns.keys() for name, here in metadata.tables.items()}
    assert relations == {
        (element.column.table.name, name, element.parent.name)
        for name, here in metadata.tables.items()
        for key in here.foreign_key_constraints
        for element in key.elements
        if element.parent.name not in IN_EVERY_TABLE
    }


def test_every_room_has_its_part_and_its_place_in_the_overview() -> None:
    (overview,) = (b for b in code_blocks("mermaid", MODELS) if b.startswith("flowchart"))

    headings = re.findall(r"^## (\w+)$", MODELS, re.MULTILINE)
    assert [name for name in headings if name != "Rooms"] == list(rooms())
    for name, models in rooms().items():
        tables = "<br/>".join(model.__tablename__ for model in models)
        assert f'  {name}["<b>{name}</b><br/>{tables}"]' in overview


def test_rules_are_told_in_words() -> None:
    assert in_words(one_of("x", ("a", "b"))) == "one of `a`, `b`"
    assert in_words(at_least("x", 0)) == "≥ 0"
    assert in_words(length("x", 3, 50)) == "3 to 50 characters"
    assert in_words(made_of("x", DIGITS, 4, 4)) == "4 characters out of `0123456789`"
    assert in_words(made_of("x", LOWER_CASE, 1, 9)) == f"1 to 9 characters out of `{LOWER_CASE}`"


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_command_is_in_the_reference(verb: str) -> None:
    text = section(COMMANDS, f"## `qadb {verb}`")
    shared = section(COMMANDS, "## Options of every command")

    cells = re.findall(r"^\| `(.*?)`", f"{text}\n{shared}", re.MULTILINE)
    named = re.findall(r"(?<![\w-])-{1,2}[\w-]+", " ".join(cells))
    assert {*options_of(verb)} - {*named} == set()


def test_every_exit_code_is_in_the_reference() -> None:
    found = re.findall(r"^\| (\d+) \|", section(COMMANDS, "## Exit codes"), re.MULTILINE)

    assert [int(code) for code in found] == [int(code) for code in ExitCode]


def said_by_the_code() -> list[re.Pattern[str]]:
    """What the package's texts look like, whatever stands in their fields."""
    trees = (ast.parse(path.read_text("utf-8")) for path in (CHECKOUT / "qadb").rglob("*.py"))
    return [
        re.compile(".*".join(re.escape(part) for part in parts))
        for tree in trees
        for parts in _texts(tree)
        if sum(len(re.findall(r"[a-z]", part)) for part in parts) >= TELLING_LETTERS
    ]


def _texts(node: ast.AST) -> Iterator[list[str]]:
    """Texts in parts between their fields: f-strings, log records, sentences inside SQL."""
    if isinstance(node, ast.JoinedStr):
        texts = (part.value if isinstance(part, ast.Constant) else "" for part in node.values)
        yield [str(text).rstrip(".") for text in texts]
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        for sentence in re.split(r"[\n']", node.value):
            yield re.split(r"%(?:\.0f|s| )", sentence)
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


def test_messages_in_troubleshooting_are_those_of_the_code() -> None:
    page = (FOLDER / "troubleshooting.md").read_text(encoding="utf-8")
    lines = "".join(code_blocks("text", page)).splitlines()
    said = said_by_the_code()

    assert len(lines) > 40
    sentences = [BEFORE_SENTENCE.sub("", line, count=1) for line in lines]
    assert [s for s in sentences if not any(pattern.match(s) for pattern in said)] == []


def anchors_in(page: Path) -> list[str]:
    """What links may lead to; of equal headings the first."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [anchor_of(name) for name in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("name", [*sorted(p.name for p in FOLDER.glob("*.md")), "../README.md"])
def test_pages_lead_to_places_that_are_there(name: str) -> None:
    page = (FOLDER / name).resolve()
    links = re.findall(r"\]\(([^)\s]*)\)", page.read_text(encoding="utf-8"))

    for link in links:
        target, _, anchor = link.partition("#")
        if not target.startswith(("http://", "https://")):
            there = (page.parent / target).resolve() if target else page
            assert there.is_file(), f"{name}: {link}"
            assert not anchor or anchor in anchors_in(there), f"{name}: {link}"

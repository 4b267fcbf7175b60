"""The revisions that this version of qadb brings, read from their files without Alembic.

Alembic costs a third of a second to import; most commands only ask what the head is called.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from qadb.errors import QadbError, RevisionNotFound
from qadb.revisions.autocommit import AUTOCOMMIT_BLOCK, is_idle, require_alone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = "base"
HEAD = "head"

_NUMBERS = ("revision", "down_revision")
# Up to where a file's number and the one before it stand: all of it takes ten times as long.
_BEGINNING = re.compile(rb".*?^down_revision\b[^\n]*\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the linear history.

    Attributes:
        revision: its number, such as ``002``.
        title: first line of the file's docstring.
        checksum: SHA-256 of the file, and of those beside it that bear its number.
        path: of the file.
    """

    revision: str
    down_revision: str | None
    title: str
    checksum: str
    path: Path

    def takes_back(self) -> bool:
        """Tell whether its way down does something; it may be empty or missing."""
        return _does_something(ast.parse(self.path.read_bytes()), "downgrade")


@dataclass(frozen=True, slots=True)
class RevisionCatalogue:
    """All revisions, oldest first."""

    revisions: tuple[Revision, ...]

    @property
    def head(self) -> str | None:
        """The newest revision; None where there is none."""
        return self.revisions[-1].revision if self.revisions else None

    def __contains__(self, revision: str) -> bool:
        """Tell whether this version of qadb knows the revision."""
        return any(r.revision == revision for r in self.revisions)

    def after(self, revision: str | None) -> tuple[Revision, ...]:
        """Revisions newer than ``revision``, oldest first; all of them after None."""
        return self.revisions[self.position(revision) :]

    def position(self, revision: str | None) -> int:
        """How many revisions are applied when the database stands at ``revision``."""
        if revision is None:
            return 0
        for index, known in enumerate(self.revisions):
            if known.revision == revision:
                return index + 1
        raise RevisionNotFound(
            f"There is no revision {revision!r}.", hint=f"There are: {self.names}."
        )

    def resolve(self, name: str) -> str | None:
        """The revision meant by a user's word: a number with or without zeros, head or base."""
        if name == BASE:
            return None
        if name == HEAD:
            return self.head
        wanted = name.zfill(3) if name.isdigit() else name
        self.position(wanted)
        return wanted

    @property
    def names(self) -> str:
        """All names for a hint."""
        return ", ".join([BASE, *(r.revision for r in self.revisions), HEAD])


@lru_cache(maxsize=8)
def read_catalogue(migrations: Path) -> RevisionCatalogue:
    """Read ``migrations/versions``.

    Raises:
        QadbError: the history is not one line, or a revision does more than its autocommit block.
    """
    found = [_read_revision(path) for path in sorted((migrations / "versions").glob("[!_]*.py"))]
    by_parent: dict[str | None, Revision] = {}
    for revision in found:
        if revision.down_revision in by_parent:
            raise QadbError(
                f"Revisions {by_parent[revision.down_revision].revision} and {revision.revision} "
                f"both follow {revision.down_revision or BASE}.",
                hint="The history must be one line: renumber the newer one.",
            )
        by_parent[revision.down_revision] = revision
    ordered: list[Revision] = []
    while (following := by_parent.get(ordered[-1].revision if ordered else None)) is not None:
        ordered.append(following)
    if len(ordered) != len(found):
        raise QadbError("The revisions do not form one line.", hint=f"Look into {migrations}.")
    return RevisionCatalogue(tuple(ordered))


def _read_revision(path: Path) -> Revision:
    source = path.read_bytes()
    tree = _parse_beginning(source) or ast.parse(source, filename=str(path))
    constants = _read_constants(tree)
    revision, down = str(constants["revision"]), constants.get("down_revision")
    if AUTOCOMMIT_BLOCK.encode() in source:
        require_alone(ast.parse(source), revision)
    return Revision(
        revision=revision,
        down_revision=None if down is None else str(down),
        title=(ast.get_docstring(tree) or path.stem).splitlines()[0].rstrip("."),
        checksum=sha256(source + b"".join(_companions(path, revision))).hexdigest(),
        path=path,
    )


def _parse_beginning(source: bytes) -> ast.Module | None:
    """Parse no more than the two numbers need; None where they stand in no usual way."""
    beginning = _BEGINNING.match(source)
    if beginning is None:
        return None
    try:
        tree = ast.parse(beginning[0])
    except SyntaxError:
        return None
    return tree if len(_read_constants(tree)) == len(_NUMBERS) else None


def _read_constants(tree: ast.Module) -> dict[str, object]:
    return {
        target: ast.literal_eval(node.value)  # type: ignore[attr-defined]  # an assignment
        for node in tree.body
        if (target := _assigned_name(node)) in _NUMBERS
    }


def _does_something(tree: ast.Module, name: str) -> bool:
    """Tell whether a function of a revision's file holds more than a docstring and ``pass``."""
    found = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    return any(not is_idle(statement) for function in found for statement in function.body)


def _companions(path: Path, revision: str) -> Iterator[bytes]:
    """Yield what a revision reads, such as ``002_countries.csv``."""
    for other in sorted(path.parent.glob(f"{revision}_*")):
        if other.suffix not in {".py", ".pyc"} and other.is_file():
            yield other.read_bytes()


def _assigned_name(node: ast.stmt) -> str:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""

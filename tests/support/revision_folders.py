"""Alembic folders made for one test, with revisions as small as can be."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

from qadb.revisions.catalogue import read_catalogue
from qadb.schema import Schema

if TYPE_CHECKING:
    from pathlib import Path

_TEMPLATE = '''"""{title}."""

from alembic import op
import sqlalchemy as sa

revision = "{revision}"
down_revision = {down!r}


def upgrade():
{up}


def downgrade():
{back}
'''


def write_revision(
    folder: Path,
    revision: str,
    down: str | None,
    *,
    up: str = "pass",
    back: str = "pass",
    title: str = "",
) -> Path:
    """Write ``versions/<revision>.py``; ``up`` and ``back`` are the functions' bodies."""
    versions = folder / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    path = versions / f"{revision}.py"
    bodies = {"up": _body(up), "back": _body(back)}
    title = title or f"Step {revision}"
    path.write_text(_TEMPLATE.format(title=title, revision=revision, down=down, **bodies))
    read_catalogue.cache_clear()  # a process reads its revisions once, a test writes them
    return path


def schema_of(folder: Path) -> Schema:
    """A schema whose revisions are those of the folder."""
    return Schema(name="small", metadata_name="qadb.models.registry:metadata", migrations=folder)


def _body(code: str) -> str:
    return indent(dedent(code).strip(), "    ")

"""What ``alembic revision`` and ``alembic check`` need to know about models on two engines.

Owns the numbering of new revisions and how our column types are compared and written. A revision
imports nothing from qadb, so it spells a type out in SQLAlchemy's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from alembic.autogenerate import render
from sqlalchemy import Identity
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator

from qadb.settings.url import EngineName

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Column, Connection
    from sqlalchemy.types import TypeEngine

REVISION_DIGITS = 3


def number_revision(
    context: MigrationContext, revision: object, directives: list[MigrationScript]
) -> None:
    """Give a new revision the next number: ``004`` after ``003``."""
    del revision
    script = context.script
    if script is None or not directives:
        return
    numbers = [int(known.revision) for known in script.walk_revisions() if known.revision.isdigit()]
    directives[0].rev_id = str(max(numbers, default=0) + 1).zfill(REVISION_DIGITS)


def compare_defaults(connection: Connection) -> Callable[..., bool | None] | bool:
    """How defaults are compared: an engine without IDENTITY can't show any."""
    return True if connection.dialect.supports_identity_columns else _compare_but_identity


def _compare_but_identity(
    _context: MigrationContext, _found: object, column: Column[object], *_defaults: object
) -> bool | None:
    """False is "no difference", None leaves the comparison to Alembic."""
    return False if isinstance(column.server_default, Identity) else None


def render_plain_type(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Write a type of ours as what it is on each engine; False leaves an item to Alembic."""
    if kind != "type" or not isinstance(item, TypeDecorator):
        return False
    plain = _type_on(item, "default")
    for engine in get_args(EngineName):
        own = _type_on(item, engine)
        if repr(own) != repr(plain):
            plain = plain.with_variant(own, engine)
    return render._repr_type(plain, context)  # noqa: SLF001 - Alembic's renderers are all private


def _type_on(decorator: TypeDecorator[object], engine: str) -> TypeEngine[object]:
    """What a type of ours is on an engine, in generic types and not in that dialect's own."""
    dialect = DefaultDialect()
    dialect.name = engine
    found: TypeEngine[object] = decorator.load_dialect_impl(dialect)
    return found

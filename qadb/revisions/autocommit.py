"""Autocommit blocks: what runs in no transaction has a revision to itself.

Alembic commits what a revision has done before such a block begins. Were the block to fail then,
the database would stand between two revisions, and a retry would meet what is there already.
"""

from __future__ import annotations

import ast

from qadb.errors import QadbError

AUTOCOMMIT_BLOCK = "autocommit_block"


def require_alone(tree: ast.Module, revision: str) -> None:
    """Raise QadbError where a function of a revision does more than its autocommit block."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _does_more(node.body):
            raise QadbError(
                f"Revision {revision} does more in {node.name}() than its autocommit block.",
                hint="Give what runs in no transaction a revision of its own.",
            )


def _does_more(block: list[ast.stmt]) -> bool:
    holders = [statement for statement in block if _holds_block(statement)]
    if not holders:
        return False
    others = [s for s in block if s not in holders and not is_idle(s)]
    branches = [b for s in holders if isinstance(s, ast.If) for b in (s.body, s.orelse)]
    return len(holders) > 1 or bool(others) or any(map(_does_more, branches))


def _holds_block(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == AUTOCOMMIT_BLOCK
        for node in ast.walk(statement)
    )


def is_idle(statement: ast.stmt) -> bool:
    """Tell whether a statement is a docstring, ``pass``, or an ellipsis."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )

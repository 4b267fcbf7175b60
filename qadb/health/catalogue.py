"""The catalogue: every check that there is, the schema's own included."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from qadb.backends.registry import load_backend
from qadb.health.backup_checks import BACKUP_CHECKS
from qadb.health.data_checks import DATA_CHECKS
from qadb.health.postgresql_checks import POSTGRESQL_CHECKS
from qadb.health.schema_checks import SCHEMA_CHECKS
from qadb.health.sqlite_checks import SQLITE_CHECKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.backends.base import Backend
    from qadb.health.context import HealthCheck
    from qadb.schema import Schema


def all_checks(schema: Schema) -> tuple[HealthCheck, ...]:
    """Every check, in the order that people see them in.

    Raises:
        ValueError: two have the same id.
    """
    of_data: tuple[HealthCheck, ...] = (*DATA_CHECKS, *schema.checks)
    checks: tuple[HealthCheck, ...] = (
        *SCHEMA_CHECKS,
        *sorted(of_data, key=lambda check: check.id),
        *POSTGRESQL_CHECKS,
        *SQLITE_CHECKS,
        *BACKUP_CHECKS,
    )
    twice = [name for name, count in Counter(check.id for check in checks).items() if count > 1]
    if twice:
        raise ValueError(f"two checks are called {twice[0]}")
    return checks


def statement_of(check: HealthCheck, backend: Backend) -> str:
    """What a check reads: the engine's own statements, or those of one that has them."""
    own = backend.inspector.statements
    known = own if set(check.facts) <= own.keys() else _statements_of_any(check)
    parts = [textwrap.dedent(known[name]).strip() for name in check.facts]
    return "\n\n".join([*parts, check.reads] if check.reads else parts)


def _statements_of_any(check: HealthCheck) -> Mapping[str, str]:
    for name in sorted(check.engines):
        statements = load_backend(name).inspector.statements
        if set(check.facts) <= statements.keys():
            return statements
    raise ValueError(f"{check.id} names facts that no engine has")

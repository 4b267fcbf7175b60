"""The last check before a statement of a tenant's session goes to the database.

Sessions confine statements by the ORM's own means. Here nothing is changed: what is about to be
sent is read, and refused unless it can be seen to stay with the tenant. A compiled statement is
read once and remembered for as long as SQLAlchemy keeps it; only its parameters are checked anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary, ref

from sqlalchemy.sql.compiler import SQLCompiler

from qadb.errors import TenantViolation
from qadb.sessions.raw_sql import find_raw_sql
from qadb.sessions.sql_scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine.interfaces import ExecutionContext

    from qadb.sessions.sql_blocks import Scan
    from qadb.sessions.tenant_tables import TenantTables

HINT_ALL_TENANTS = (
    "Query the models, or open the session for all tenants: database.session(all_tenants=True)"
)
_SAVEPOINTS = frozenset({"savepoint", "rollback_to_savepoint", "release_savepoint"})


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was found out about a compiled statement; the binds named must hold the tenant."""

    problem: str | None
    binds: tuple[str, ...]
    inserted_binds: tuple[str, ...]


class StatementGuard:
    """Refuses what a tenant's session must not send.

    Args:
        tables: which tables belong to tenants.
        tenant: the one that the session is opened for.
    """

    _verdicts: ClassVar[WeakKeyDictionary[SQLCompiler, _Verdict]] = WeakKeyDictionary()

    def __init__(self, tables: TenantTables, tenant: str) -> None:
        self._tables = tables
        self._tenant = tenant
        self._checked: Callable[[], ExecutionContext | None] = lambda: None

    def check(self, context: ExecutionContext | None) -> None:
        """Raise TenantViolation unless what is about to be executed stays with the tenant."""
        compiled = getattr(context, "compiled", None)
        if not isinstance(compiled, SQLCompiler) or context is None:
            raise refusal("raw SQL")
        verdict = self._verdicts.get(compiled)
        if verdict is None:
            verdict = self._verdicts[compiled] = self._judge(compiled)
        if verdict.problem is not None:
            raise refusal(verdict.problem)
        if self._checked() is not context:  # an INSERT of many rows comes here once a batch
            self._check_values(verdict, getattr(context, "compiled_parameters", None) or ())
            self._checked = ref(context)

    def _check_values(self, verdict: _Verdict, rows: Sequence[Mapping[str, object]]) -> None:
        names = verdict.binds + verdict.inserted_binds
        for row in rows if names else ():
            for name in names:
                if row.get(name) != self._tenant:
                    raise TenantViolation(
                        f"A session of tenant {self._tenant!r} can't use {row.get(name)!r} as the"
                        " tenant of a row.",
                        hint="Leave the tenant out: the session fills it in.",
                    )

    def _judge(self, compiled: SQLCompiler) -> _Verdict:
        statement = compiled.statement
        if statement is None or statement.__visit_name__ in _SAVEPOINTS:
            problem = None if statement is not None else "raw SQL"
            return _Verdict(problem, (), ())
        problem = find_raw_sql(statement, self._tables.tables, self._tables.predicates)
        found = scan(compiled.string, _positional_binds(compiled), self._tables.owned)
        inserted = _inserted_binds(compiled, self._tables.owned.columns.get(found.target or ""))
        problem = problem or found.problem or self._reading(found) or self._writing(found)
        if problem is None and (found.is_upsert or not compiled.isinsert):
            problem = self._changing(found)
        return _Verdict(problem, tuple(found.binds), inserted)

    def _reading(self, found: Scan) -> str | None:
        if not found.unconfined:
            return None
        return f"a query that mentions {', '.join(sorted(found.unconfined))} past the models"

    def _writing(self, found: Scan) -> str | None:
        if found.target is None:
            return None
        if found.target not in self._tables.owned.columns:
            return f"a change of {found.target}, which all tenants share"
        return "a row's way to another tenant" if found.sets_owner else None

    def _changing(self, found: Scan) -> str | None:
        is_free = found.target is not None and not found.target_is_confined
        return "a change by key" if is_free else None


def refusal(what: str) -> TenantViolation:
    """Return the error that says what a tenant's session won't send."""
    return TenantViolation(f"A tenant's session can't confine {what}.", hint=HINT_ALL_TENANTS)


def _positional_binds(compiled: SQLCompiler) -> list[str] | None:
    return list(compiled.positiontup or ()) if compiled.positional else None


def _inserted_binds(compiled: SQLCompiler, owner: str | None) -> tuple[str, ...]:
    """The binds that fill the owner's column of an INSERT, one a row of VALUES."""
    if not compiled.isinsert or owner is None:
        return ()
    of_owner = re.compile(rf"{owner}(_m\d+)?")
    return tuple(name for name in compiled.binds if of_owner.fullmatch(name)) or (owner,)

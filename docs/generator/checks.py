"""The page of the checks: what each looks at, from where on it fails, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.generator.markdown import NOTICE, code, codes, table
from qadb.backends.registry import load_backend
from qadb.cli.views.health import spell_limit
from qadb.health.catalogue import all_checks, statement_of
from qadb.models import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qadb.health.context import HealthCheck

_INTRODUCTION = """\
# Checks

What `qadb health` looks at. A check reports at worst what its table says; a value that reaches a
limit counts. Cheap checks are run first, deep ones only with `--deep` or when they are named.
Limits are changed, and checks left out with a reason, in `qadb.toml` or `pyproject.toml`.
"""
_GROUPS = {
    "schema": "The connection and the schema.",
    "data": "What the tables hold.",
    "engine": "The server, or the file and its surroundings.",
    "backups": "The backups, and the room for the next one.",
}


def checks_page() -> str:
    """Return the page."""
    return "\n".join(_lines(all_checks(schema))).rstrip() + "\n"


def _lines(checks: Sequence[HealthCheck]) -> Iterator[str]:
    yield from (NOTICE, "", _INTRODUCTION)
    rows = [(f"[{c.id}](#{_anchor(c)})", c.group, c.title, c.severity, c.cost) for c in checks]
    yield from table(["check", "group", "looks at", "at worst", "cost"], rows)
    for group, meaning in _GROUPS.items():
        yield from ("", f"## {group}", "", meaning)
        for check in checks:
            if check.group == group:
                yield from _check(check)


def _anchor(check: HealthCheck) -> str:
    return _heading(check).lower().replace(" ", "-")


def _heading(check: HealthCheck) -> str:
    return f"{check.id} {check.title}"


def _check(check: HealthCheck) -> Iterator[str]:
    limits = check.limits
    yield from ("", f"### {_heading(check)}", "", check.why, "")
    rows = [
        ("engines", codes(sorted(check.engines))),
        ("warns at", _limit(limits.warn, limits.unit, lower=limits.lower_is_worse)),
        ("critical at", _limit(limits.crit, limits.unit, lower=limits.lower_is_worse)),
        ("limits from", limits.source),
        ("mend it", check.remedy),
    ]
    yield from table(["", ""], rows)
    for engine, statement in _statements(check).items():
        is_sql = statement.startswith(("SELECT", "WITH", "PRAGMA"))
        told = ["```sql", statement, "```"] if is_sql else [statement]
        yield from ("", f"Reads{engine}:", "", *told)


def _limit(limit: float | None, unit: str, *, lower: bool) -> str:
    if limit is None:
        return ""
    return f"{spell_limit(limit, unit)} or {'less' if lower else 'more'}"


def _statements(check: HealthCheck) -> dict[str, str]:
    """What it reads on each engine; once where that is the same."""
    found = {name: statement_of(check, load_backend(name)).strip() for name in check.engines}
    if len(set(found.values())) == 1:
        return {"": next(iter(found.values()))}
    return {f" on {code(name)}": found[name] for name in sorted(found)}

"""Retention that nobody carries out: rows that a policy lets go and that are there all the same.

Asks in plain SQL, for to load a schema's tables takes longer than all checks together. Where it
can't tell whether something keeps a row it does not count it; a cleanup knows exactly.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from qadb.checks import Finding, count_of
from qadb.cleaning.rules import Wishes, find_rules
from qadb.cleaning.subjects import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from qadb.cleaning.rules import Rule
    from qadb.health.context import Context
    from qadb.retention import Condition, Holds, Policy

GRACE_DAYS = 7  # a cleanup a week is enough
MOST_COUNTED = 1000

# From tenant to tenant along the index, and of each what is too old.
OVERDUE = """
WITH RECURSIVE owners (owner) AS (
  SELECT min({tenant}) FROM {table}
  UNION ALL
  SELECT (SELECT min({tenant}) FROM {table} WHERE {tenant} > owner) FROM owners
  WHERE owner IS NOT NULL
)
SELECT count(*) FROM (
  SELECT 1 FROM owners JOIN {table} AS r ON r.{tenant} = owner
  WHERE r.{age} < :before{conditions} LIMIT {most}
) AS found
"""
EXPLAINED = OVERDUE.format(
    tenant=TENANT,
    table="TABLE",
    age="AGE_COLUMN",
    conditions=" AND (nothing keeps the row)",
    most=MOST_COUNTED,
)


def overdue(context: Context) -> Finding:
    """Rows that cleanup should have taken a week ago."""
    retention = context.database.schema.retention
    day = context.now - timedelta(days=GRACE_DAYS)
    rules = find_rules(retention, context.retention, Wishes(), day)
    held = _held_columns(context.connection, retention.holds, context.now)
    details, total = [], 0
    for rule in rules:
        count = 0 if rule.cutoff is None else _count(context.connection, rule, held)
        if count:
            total += count
            number = f"{MOST_COUNTED:,} or more" if count == MOST_COUNTED else f"{count:,}"
            details.append(f"{rule.policy.table}: {number}, kept for {rule.days} days")
    what = count_of(total, "row is", "rows are")
    if total >= MOST_COUNTED:
        what = f"At least {total:,} rows are"
    message = f"{what} over {GRACE_DAYS} days past the end of their retention."
    return Finding(context.limits.judge(total), message, total, tuple(details))


def _held_columns(connection: Connection, holds: Holds | None, now: datetime) -> frozenset[str]:
    """Columns and tables that holds in force are about."""
    if holds is None:
        return frozenset()
    query = (
        f"SELECT DISTINCT {holds.scope_column} FROM {holds.table} "  # noqa: S608 - the schema's own names
        f"WHERE {holds.released_column} IS NULL OR {holds.released_column} > :now"
    )
    scopes = set(connection.execute(text(query), {"now": _moment(now)}).scalars())
    found = [each for each in holds.scopes if each.scope in scopes]
    return frozenset(name for each in found for name in (each.column, each.table) if name)


def _count(connection: Connection, rule: Rule, held: frozenset[str]) -> int:
    """How many rows are overdue; asks what refers to them only where there are any."""
    policy = rule.policy
    values: dict[str, object] = {"before": _moment(rule.cutoff)}
    conditions = [*_own_conditions(rule, values)]
    count = _ask(connection, policy, conditions, values)
    if not count:
        return 0
    if held and held & {policy.table, *_columns(connection, policy.table)}:
        return 0
    if policy.is_soft or policy.spares_referenced:
        conditions += _referring(connection, policy)
        count = _ask(connection, policy, conditions, values)
    return count


def _ask(
    connection: Connection,
    policy: Policy,
    conditions: Iterable[str],
    values: Mapping[str, object],
) -> int:
    statement = OVERDUE.format(
        tenant=TENANT,
        table=policy.table,
        age=policy.age_column,
        conditions="".join(f" AND {each}" for each in conditions),
        most=MOST_COUNTED,
    )
    count: int = connection.execute(text(statement), values).scalar_one()
    return count


def _own_conditions(rule: Rule, values: dict[str, object]) -> Iterable[str]:
    """What the policy itself says; the values that it names are added."""
    policy = rule.policy
    yield from (_meets("r", each, values) for each in policy.conditions)
    yield from (f"NOT r.{flag.column}" for flag in policy.flags)
    for reference in policy.references:
        met = [f"o.{reference.column} = r.id"]
        met += [_meets("o", each, values) for each in reference.conditions]
        yield f"NOT EXISTS (SELECT 1 FROM {reference.table} AS o WHERE {' AND '.join(met)})"  # noqa: S608 - the schema's own names
    if rule.keep_last:
        same = [f"n.{name} IS NOT DISTINCT FROM r.{name}" for name in policy.groups]
        newer = " AND ".join([f"n.{policy.age_column} > r.{policy.age_column}", *same])
        yield f"(SELECT count(*) FROM {policy.table} AS n WHERE {newer}) >= {rule.keep_last}"  # noqa: S608 - the schema's own names


def _meets(name: str, condition: Condition, values: dict[str, object]) -> str:
    column = f"{name}.{condition.column}"
    parts = [f"{column} IS NULL"] if None in condition.values else []
    for value in condition.values:
        if value is not None:
            key = f"v{len(values)}"
            values[key] = value
            parts.append(f"{column} = :{key}")
    met = f"({' OR '.join(parts)})"
    return f"NOT {met}" if condition.is_negated else met


def _referring(connection: Connection, policy: Policy) -> list[str]:
    """That no row refers to it, but of those that go with it."""
    followers = {each.table for each in policy.followers}
    found = inspect(connection).get_multi_foreign_keys()
    return [
        f"NOT EXISTS (SELECT 1 FROM {table} AS o WHERE o.{column} = r.{referred})"  # noqa: S608 - the schema's own names
        for (_, table), keys in found.items()
        for key in keys
        if key["referred_table"] == policy.table and table not in followers
        for column, referred in zip(
            key["constrained_columns"], key["referred_columns"] or ["id"], strict=True
        )
    ]


def _columns(connection: Connection, table: str) -> Iterable[str]:
    return connection.execute(text(f"SELECT * FROM {table} WHERE 1 = 0")).keys()  # noqa: S608 - the schema's own names


def _moment(moment: datetime | None) -> str | None:
    """As both engines read it."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

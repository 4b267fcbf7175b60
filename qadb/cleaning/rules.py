"""Rules: a schema's policies with what configuration and options say of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qadb.retention import Policy, Retention
    from qadb.settings.retention import RetentionSetting


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy as it holds in one cleanup.

    Attributes:
        days: the age at which a row goes; None: never.
        keep_last: the newest of each group that stay.
        source: who says so, for people.
        cutoff: what is older goes; None: nothing does.
    """

    policy: Policy
    days: int | None
    keep_last: int
    source: str
    cutoff: datetime | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What options say of the policies.

    Attributes:
        days: instead of a policy's own.
        keep_last: the same.
        tables: the only ones meant; none: all.
    """

    days: int | None = None
    keep_last: int | None = None
    tables: tuple[str, ...] = ()


def find_rules(
    retention: Retention,
    settings: Mapping[str, RetentionSetting],
    wishes: Wishes,
    now: datetime,
) -> tuple[Rule, ...]:
    """Return the rules in the order in which they are carried out.

    Raises:
        ConfigurationError: a table named has no policy, or no groups to keep the last of.
    """
    for table, setting in settings.items():
        policy = _policy(retention, table, f"retention.{table} in {setting.source}")
        _require_groups(policy, setting.keep_last, f"retention.{table} in {setting.source}")
    meant = [_policy(retention, table, f"--table {table}") for table in wishes.tables]
    for policy in meant:
        _require_groups(policy, wishes.keep_last, f"--keep-last with --table {policy.table}")
    rules = (
        _rule(policy, settings.get(policy.table), wishes, now)
        for policy in retention.policies
        if not meant or policy in meant
    )
    return tuple(rules)


def _rule(policy: Policy, setting: RetentionSetting | None, wishes: Wishes, now: datetime) -> Rule:
    days, keep_last, sources = policy.days, policy.keep_last, []
    if setting is not None:
        days = None if setting.is_for_ever else setting.days or days
        keep_last = keep_last if setting.keep_last is None else setting.keep_last
        sources = [setting.source]
    is_named = policy.table in wishes.tables
    if wishes.days is not None and (is_named or (policy.obeys_days and not wishes.tables)):
        days = wishes.days
        sources = ["option --days"]
    if wishes.keep_last is not None and policy.groups:
        keep_last = wishes.keep_last
        sources.append("option --keep-last")
    cutoff = None if days is None else now - timedelta(days=days)
    return Rule(policy, days, keep_last, ", ".join(sources) or "default", cutoff)


def _policy(retention: Retention, table: str, label: str) -> Policy:
    policies = {policy.table: policy for policy in retention.policies}
    return policies[table] if table in policies else _refuse(retention, table, label)


def _refuse(retention: Retention, table: str, label: str) -> NoReturn:
    for policy in retention.policies:
        if table in {follower.table for follower in policy.followers}:
            raise ConfigurationError(
                f"{label}: the rows of {table} go with those of {policy.table}.",
                hint=f"Name {policy.table} instead.",
            )
    known: Sequence[str] = [policy.table for policy in retention.policies]
    close = get_close_matches(table, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else "`qadb cleanup --list` names those that do."
    raise ConfigurationError(f"{label}: {table} has no retention policy.", hint=hint)


def _require_groups(policy: Policy, keep_last: int | None, label: str) -> None:
    if keep_last and not policy.groups:
        raise ConfigurationError(
            f"{label}: there is no last to keep of {policy.table}.",
            hint="Give days alone; `qadb cleanup --list` shows where a last is kept.",
        )

"""Which checks are wanted, which are left out and why, and the limits in effect."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError
from qadb.health.runner import Selected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qadb.checks import Limits
    from qadb.health.context import HealthCheck
    from qadb.settings.health import HealthSettings, OwnLimits

PREFIX = "QADB-"
SIMILAR = 0.8  # all ids begin alike, which makes any two rather similar


def select(
    checks: Sequence[HealthCheck],
    *,
    engine: str,
    only: Sequence[str],
    skip: Sequence[str],
    deep: bool,
    settings: HealthSettings,
) -> tuple[Selected, ...]:
    """Choose among the checks.

    Args:
        checks: all there are.
        engine: the database's; what is for others is left out unless it is named.
        only: ids and groups that are wanted; none: all.
        skip: ids and groups that are not.
        deep: the deep ones are wanted, too.
        settings: what the configuration skips, and its limits.

    Raises:
        ConfigurationError: there is no such check or group.
    """
    named = _resolve(checks, only, "--only")
    left_out = _resolve(checks, skip, "--skip")
    reasons = {
        name: reason
        for key, reason in settings.skip.items()
        for name in _resolve(checks, [key], settings.source)
    }
    exactly = {each.id for each in checks if each.id in {_spell(word) for word in only}}
    limited = _with_limits(checks, settings)
    return tuple(
        Selected(check, _reason(check, engine, left_out, reasons, exactly))
        for check in limited
        if _is_wanted(check, engine, named if only else None, exactly, deep=deep)
    )


def find_check(checks: Sequence[HealthCheck], name: str) -> HealthCheck:
    """The check of an id; raises ConfigurationError where there is none."""
    wanted = _spell(name)
    for check in checks:
        if check.id == wanted:
            return check
    raise _unknown(checks, name, "--explain")


def _is_wanted(
    check: HealthCheck, engine: str, named: set[str] | None, exactly: set[str], *, deep: bool
) -> bool:
    if check.id in exactly:
        return True
    is_here = engine in check.engines and (deep or check.cost != "deep")
    return is_here and (named is None or check.id in named)


def _reason(
    check: HealthCheck,
    engine: str,
    left_out: set[str],
    reasons: dict[str, str],
    exactly: set[str],
) -> str | None:
    if engine not in check.engines:
        return f"It is for {' and '.join(sorted(check.engines))}."
    if check.id in left_out:
        return "Left out with --skip."
    return None if check.id in exactly else reasons.get(check.id)


def _resolve(checks: Sequence[HealthCheck], words: Iterable[str], source: str) -> set[str]:
    """The ids that words stand for: ids, short ids, or names of groups; commas part them."""
    found: set[str] = set()
    for word in (part.strip() for each in words for part in each.split(",")):
        ids = {c.id for c in checks if c.id == _spell(word) or c.group == word.lower()}
        if not ids:
            raise _unknown(checks, word, source)
        found |= ids
    return found


def _spell(word: str) -> str:
    upper = word.strip().upper()
    return upper if upper.startswith(PREFIX) else f"{PREFIX}{upper}"


def _unknown(checks: Sequence[HealthCheck], word: str, source: str) -> ConfigurationError:
    groups = sorted({check.group for check in checks})
    ids = [check.id for check in checks]
    close = get_close_matches(word.lower(), groups, n=1) or get_close_matches(
        _spell(word), ids, n=1, cutoff=SIMILAR
    )
    hint = f"Did you mean {close[0]}?" if close else "See which there are with: qadb health --list"
    return ConfigurationError(f"{source} names {word!r}, which is no check.", hint=hint)


def _with_limits(
    checks: Sequence[HealthCheck], settings: HealthSettings
) -> tuple[HealthCheck, ...]:
    wanted = {
        name: limits
        for key, limits in settings.limits.items()
        for name in _resolve(checks, [key], settings.source)
    }
    return tuple(
        replace(check, limits=_own_limits(check.limits, wanted[check.id], settings.source))
        if check.id in wanted
        else check
        for check in checks
    )


def _own_limits(usual: Limits, own: OwnLimits, source: str) -> Limits:
    warn = usual.warn if own.warn is None else own.warn
    crit = usual.crit if own.crit is None else own.crit
    return replace(usual, warn=warn, crit=crit, source=source)

"""Checks of the connection and of the schema."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from qadb.checks import Check, Finding, Limits, some_or_none

if TYPE_CHECKING:
    from qadb.backends.base_health import FoundObject
    from qadb.health.context import Context, HealthCheck

PINGS = 3
MILLISECONDS = 1000


def ping(context: Context) -> Finding:
    """How long an empty question takes: the median of a few."""
    seconds = []
    for _ in range(PINGS):
        started = time.perf_counter()
        context.database.backend.inspector.ping(context.connection)
        seconds.append(time.perf_counter() - started)
    value = round(statistics.median(seconds) * MILLISECONDS, 3)
    status = context.limits.judge(value)
    return Finding(status, f"It answers in {value:g} ms.", value)


def revision(context: Context) -> Finding:
    """Whether the database stands at the newest revision."""
    state = context.state
    if state.state == "current":
        return Finding("ok", f"It is at {state.revision}, the newest revision.", 0)
    message, hint = _STATES[state.state]
    names = {"revision": state.revision, "head": state.head, "pending": len(state.pending)}
    details = tuple(f"{each.revision} {each.title}" for each in state.pending)
    is_behind = state.state == "behind"
    return Finding(
        "warn" if is_behind else "crit",
        message.format(**names),
        len(state.pending) if is_behind else 1,
        details if is_behind else (),
        hint,
    )


_STATES: dict[str, tuple[str, str]] = {
    "behind": (
        "It is behind: at {revision}, {pending} revisions before {head}.",
        "qadb migrate",
    ),
    "ahead": (
        "It is ahead: at {revision}, and this qadb knows up to {head}.",
        "pip install --upgrade qadb",
    ),
    "forked": (
        "It is on another line: at {revision}, which this qadb does not know.",
        "Use the build of qadb that migrated it, or restore a backup: qadb restore latest",
    ),
    "unmanaged": (
        "It holds tables that qadb did not make.",
        "Name another database in QADB_DATABASE_URL, or take it over: qadb init --adopt",
    ),
    "empty": ("It holds nothing yet.", "qadb init"),
    "absent": ("There is no database.", "qadb init"),
}


def invalid_objects(context: Context) -> Finding:
    """Indexes and constraints that are there and not in force."""
    found = context.database.backend.inspector.invalid_objects(context.connection)
    return judge_objects(context, found, "is not in force", "are not in force")


def judge_objects(
    context: Context, found: tuple[FoundObject, ...], one: str, several: str
) -> Finding:
    """Say how many objects are wrong, which, and what mends them."""
    count = len(found)
    what = "1 object " + one if count == 1 else f"{count or 'no'} objects {several}"
    remedies = [each.remedy for each in found if each.remedy]
    return Finding(
        context.limits.judge(count),
        f"{what[0].upper()}{what[1:]}.",
        count,
        tuple(f"{each.name}: {each.detail}" for each in found),
        "; ".join(remedies) or None,
    )


SCHEMA_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-S01",
        title="Latency",
        group="schema",
        severity="crit",
        limits=Limits("ms", 100, 1000, "our judgement: a page of results asks some ten times"),
        cost="cheap",
        why="Whatever works with the database waits this long for each of its questions.",
        remedy="Move closer to the server, or look at what keeps it busy.",
        probe=ping,
        facts=("ping",),
    ),
    Check(
        id="QADB-S03",
        title="Revision",
        group="schema",
        severity="crit",
        limits=some_or_none(),
        cost="cheap",
        why="A program of another revision than the database's fails, or writes what is wrong.",
        remedy="qadb migrate",
        probe=revision,
        reads="SELECT version_num FROM qadb_version",
    ),
    Check(
        id="QADB-S06",
        title="Invalid indexes and constraints",
        group="schema",
        severity="crit",
        limits=Limits(
            "objects", None, 1, "PostgreSQL: CREATE INDEX, Building Indexes Concurrently"
        ),
        cost="cheap",
        why="An invalid index costs every write and serves no query, and a unique one does not "
        "keep duplicates out; a constraint that is not validated vouches for new rows only.",
        remedy="REINDEX INDEX CONCURRENTLY …",
        probe=invalid_objects,
        facts=("invalid_objects",),
        engines=frozenset({"postgresql"}),
    ),
)

"""What the checks of the schema ask, and how they judge the answers."""

from __future__ import annotations

import re
import statistics
import time
from typing import TYPE_CHECKING

from qadb.checks import Finding, count_of
from qadb.revisions.history import read_history
from qadb.revisions.proofs import is_proven, keep, proof_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.backends.base_health import FoundObject
    from qadb.health.context import Context
    from qadb.revisions.drift import Drift

PINGS = 3
MILLISECONDS = 1000
DAY_SECONDS = 86_400
YOUNG_DAYS = 7
SMALL_INDEX_BYTES = 10_000_000


def ping(context: Context) -> Finding:
    """How long an empty question takes: the median of a few."""
    seconds = []
    for _ in range(PINGS):
        started = time.perf_counter()
        context.database.backend.inspector.ping(context.connection)
        seconds.append(time.perf_counter() - started)
    value = round(statistics.median(seconds) * MILLISECONDS, 3)
    return Finding(context.limits.judge(value), f"It answers in {value:g} ms.", value)


def server_version(context: Context) -> Finding:
    """Whether qadb works with the version, and somebody still mends it."""
    inspector = context.database.backend.inspector
    version = context.database.backend.connector.server_version(context.connection)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    if numbers < inspector.oldest_supported:
        oldest = ".".join(map(str, inspector.oldest_supported))
        return Finding("crit", f"It is version {version}, and qadb needs {oldest} or newer.", 0)
    end = inspector.end_of_life.get(numbers[0])
    if end is None:
        return Finding("ok", f"It is version {version}.")
    days = (end - context.now.date()).days
    if days <= 0:
        message = f"It is version {version}, which gets no fixes since {end}."
    else:
        message = f"It is version {version}, which gets fixes until {end}."
    return Finding(context.limits.judge(days), message, days)


def revision(context: Context) -> Finding:
    """Whether the database stands at the newest revision."""
    state = context.state
    if state.state == "current":
        return Finding("ok", f"It is at {state.revision}, the newest revision.", 0)
    if state.state == "behind":
        return Finding(
            "crit",
            f"It is behind: at {state.revision or 'base'}, and the newest is {state.head}.",
            len(state.pending),
            tuple(f"{each.revision} {each.title}" for each in state.pending),
            "qadb migrate",
        )
    message, hint = _STATES[state.state]
    return Finding("crit", message.format(revision=state.revision, head=state.head), 1, hint=hint)


_STATES: dict[str, tuple[str, str]] = {
    "ahead": (
        "It is ahead: at {revision}, and this qadb knows up to {head}.",
        "pip install --upgrade qadb",
    ),
    "forked": (
        "It is on another line: at {revision}, which this qadb does not know.",
        "qadb restore latest, or the build of qadb that migrated it",
    ),
    "unmanaged": (
        "It holds tables that qadb did not make.",
        "qadb init --adopt, or name another database in QADB_DATABASE_URL",
    ),
    "empty": ("It holds nothing yet.", "qadb init"),
    "absent": ("There is no database.", "qadb init"),
}


def drift(context: Context) -> Finding:
    """Whether the catalog is what the revisions make."""
    if context.state.state not in {"current", "behind"}:
        return Finding("unknown", "It stands at no revision that this qadb knows.")
    proof = proof_of(context.database, context.connection, context.state.revision)
    if is_proven(proof):
        return _no_drift("its revisions make")
    from qadb.revisions.drift import find_drift  # noqa: PLC0415 - loads Alembic

    found = find_drift(context.database)
    if found.status == "none":
        with context.database.connect(read_only=True) as connection:  # as it is after comparing
            if proof == proof_of(context.database, connection, context.state.revision):
                keep(proof)
    return _judge_drift(context, found, "its revisions make")


def drift_of_models(context: Context) -> Finding:
    """Whether the revisions make what the models say."""
    from qadb.revisions.drift import find_drift_of_models  # noqa: PLC0415 - loads Alembic

    return _judge_drift(context, find_drift_of_models(context.database), "the models say")


def _judge_drift(context: Context, found: Drift, what: str) -> Finding:
    if found.status == "unknown":
        return Finding("unknown", found.reason or "There was nothing to compare with.")
    count = len(found.differences)
    details = tuple(
        f"{each.object}: {'unexpected' if each.expected is None else _lack(each.found)}"
        for each in found.differences
    )
    if not count:
        return _no_drift(what)
    objects = "1 object differs" if count == 1 else f"{count} objects differ"
    return Finding(context.limits.judge(count), f"{objects} from what {what}.", count, details)


def _no_drift(what: str) -> Finding:
    return Finding("ok", f"The schema is what {what}.", 0)


def _lack(found: str | None) -> str:
    return "missing" if found is None else "different"


def edited_revisions(context: Context) -> Finding:
    """Revisions whose files are not those that ran."""
    newest = {
        entry.revision: entry
        for entry in read_history(context.connection, context.database)
        if entry.direction is not None
    }
    edited = sorted(
        str(name) for name, entry in newest.items() if entry.direction == "up" and entry.is_edited
    )
    count = len(edited)
    if not count:
        return Finding("ok", "The revisions are those that were applied.", 0)
    details = tuple(f"{name} was edited after it was applied" for name in edited)
    what = "1 revision differs" if count == 1 else f"{count} revisions differ"
    return Finding(context.limits.judge(count), f"{what} from what was applied.", count, details)


def invalid_objects(context: Context) -> Finding:
    """Indexes and constraints that are there and not in force."""
    found = context.database.backend.schema.invalid_objects(context.connection)
    return judge_objects(
        context, found, ("index or constraint is", "indexes or constraints are"), "out of force"
    )


def unindexed_keys(context: Context) -> Finding:
    """Foreign keys that no index begins with."""
    found = context.database.backend.schema.unindexed_keys(context.connection)
    return judge_objects(context, found, ("foreign key is", "foreign keys are"), "without an index")


def duplicate_indexes(context: Context) -> Finding:
    """Indexes that another one serves as well."""
    found = context.database.backend.schema.duplicate_indexes(context.connection)
    return judge_objects(context, found, ("index repeats", "indexes repeat"), "another one")


def unused_indexes(context: Context) -> Finding:
    """Large indexes that no query has used, once that was counted for long enough."""
    use = context.database.backend.schema.unused_indexes(context.connection)
    large = [each for each in use.unused if (each.size_bytes or 0) >= SMALL_INDEX_BYTES]
    days = use.counted_seconds / DAY_SECONDS
    if large and days < YOUNG_DAYS:
        return Finding(
            "unknown",
            f"Use of indexes is counted for {_days(days)}, too short to tell of "
            f"{len(large)} that no query has used yet.",
            hint=f"Ask again when it was counted for {YOUNG_DAYS} days.",
        )
    found = judge_objects(context, large, ("large index serves", "large indexes serve"), "nobody")
    size = sum(each.size_bytes or 0 for each in large)
    return Finding(context.limits.judge(size), found.message, size, found.details, found.hint)


def _days(days: float) -> str:
    return "less than a day" if days < 1 else count_of(int(days), "day", "days")


def open_tables(context: Context) -> Finding:
    """Tables whose rows should be confined to a tenant and are not."""
    found = context.database.backend.schema.open_tables(context.connection)
    return judge_objects(context, found, ("table lets", "tables let"), "every tenant's rows out")


def judge_objects(
    context: Context, found: Sequence[FoundObject], verb: tuple[str, str], what: str
) -> Finding:
    """Say how many objects are wrong, which they are, and what mends them.

    Args:
        context: has the limits.
        found: what is wrong.
        verb: what they are and do, of one and of several.
        what: the rest of the sentence.
    """
    count = len(found)
    remedies = [each.remedy for each in found if each.remedy]
    return Finding(
        context.limits.judge(count),
        f"{count_of(count, *verb)} {what}.",
        count,
        tuple(f"{each.name}: {each.detail}" for each in found),
        "; ".join(remedies) or None,
    )

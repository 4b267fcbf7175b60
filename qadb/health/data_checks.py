"""The checks of the data that make sense of any schema."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import TYPE_CHECKING

from qadb.checks import Check, Finding, Limits
from qadb.errors import QadbError
from qadb.health.retention_probe import EXPLAINED, overdue
from qadb.revisions.history import read_history

if TYPE_CHECKING:
    from qadb.backends.base_health import PageInspector
    from qadb.health.context import Context, HealthCheck

SQLITE = frozenset({"sqlite"})
DAY_SECONDS = 86_400
FEWEST_CLEANUPS = 3
_DAMAGE = (
    "Keep a copy of the file, then: qadb restore latest; rows are saved with: sqlite3 FILE .recover"
)


def _pages(context: Context) -> PageInspector:
    found = context.database.backend.pages
    if found is None:
        raise QadbError("Nobody but the server sees this database's pages.")
    return found


def damaged_pages(context: Context) -> Finding:
    """Whether the file's pages are whole."""
    return _judge(context, _pages(context).damaged_pages(context.connection), "the file's pages")


def damage(context: Context) -> Finding:
    """Whether pages are whole and indexes hold what their tables hold."""
    found = _pages(context).damage(context.connection)
    return _judge(context, found, "the file's pages and indexes")


def broken_references(context: Context) -> Finding:
    """Whether every key leads to a row."""
    return _judge(context, _pages(context).broken_references(context.connection), "foreign keys")


def _judge(context: Context, problems: tuple[str, ...], what: str) -> Finding:
    count = len(problems)
    if not count:
        return Finding("ok", f"There is no fault in {what}.", 0)
    faults = "1 fault" if count == 1 else f"{count} faults"
    return Finding(context.limits.judge(count), f"There are {faults} in {what}.", count, problems)


def cleanup_overdue(context: Context) -> Finding:
    """Whether cleanup, where it is a habit, still comes as often as it did."""
    entries = read_history(context.connection, context.database)
    moments = sorted(entry.applied_at for entry in entries if entry.operation == "cleanup")
    if len(moments) < FEWEST_CLEANUPS:
        return Finding("ok", "There is no habit of cleaning up yet.")
    usual = statistics.median((b - a).total_seconds() for a, b in pairwise(moments))
    passed = (context.now - moments[-1]).total_seconds()
    ratio = round(passed / max(usual, DAY_SECONDS), 2)
    message = (
        f"The last cleanup was {passed / DAY_SECONDS:.1f} days ago; usually there are "
        f"{usual / DAY_SECONDS:.1f} between two."
    )
    return Finding(context.limits.judge(ratio), message, ratio)


DATA_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-D01",
        title="Pages of the file",
        group="data",
        severity="crit",
        limits=Limits("faults", None, 1, "https://www.sqlite.org/pragma.html#pragma_quick_check"),
        cost="costly",
        why=(
            "A damaged page loses rows, and each write may spread the damage. The bytes of the "
            "header that SQLite reads over are looked at as well: where one of them is changed, "
            "others may be."
        ),
        remedy=_DAMAGE,
        probe=damaged_pages,
        facts=("damaged_pages",),
        finds_damage=True,
        engines=SQLITE,
    ),
    Check(
        id="QADB-D02",
        title="Foreign keys hold",
        group="data",
        severity="crit",
        limits=Limits(
            "faults", None, 1, "https://www.sqlite.org/pragma.html#pragma_foreign_key_check"
        ),
        cost="costly",
        why="Rows without their parent are counted by some queries and not by others; software "
        "that leaves SQLite's foreign keys off writes such rows.",
        remedy="Look at the rows with: sqlite3 FILE 'PRAGMA foreign_key_check'; then delete them",
        probe=broken_references,
        facts=("broken_references",),
        finds_damage=True,
        engines=SQLITE,
    ),
    Check(
        id="QADB-D03",
        title="Pages and indexes of the file",
        group="data",
        severity="crit",
        limits=Limits(
            "faults", None, 1, "https://www.sqlite.org/pragma.html#pragma_integrity_check"
        ),
        cost="deep",
        why="A query answers from an index: where it is not as its table, rows are not found.",
        remedy=f"REINDEX, where only indexes are named. {_DAMAGE}",
        probe=damage,
        facts=("damage",),
        finds_damage=True,
        engines=SQLITE,
    ),
    Check(
        id="QADB-D04",
        title="Cleanup comes as usual",
        group="data",
        severity="warn",
        limits=Limits("times as long", 3, None, "our judgement: two in a row did not come"),
        cost="cheap",
        why="Retention that nobody carries out fills the disk, and keeps what should be gone.",
        remedy="qadb cleanup --dry-run",
        probe=cleanup_overdue,
        reads="SELECT * FROM qadb_history",
    ),
    Check(
        id="QADB-D16",
        title="Retention",
        group="data",
        severity="warn",
        limits=Limits("rows", 1, None, "our judgement: a cleanup a week is enough"),
        cost="moderate",
        why="How long rows stay is a promise, of what somebody deleted above all.",
        remedy="qadb cleanup --dry-run, then without it",
        probe=overdue,
        reads=EXPLAINED,
        needs_tables=True,
    ),
)

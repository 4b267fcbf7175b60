"""What the checks of a server's settings, cache, replicas and disk ask, and how they judge it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from qadb.checks import Finding
from qadb.health.engine_access import server, unless_hidden
from qadb.humanize import format_size

if TYPE_CHECKING:
    from qadb.health.context import Context

MOST_SHOWN = 10
FEWEST_PAGES = 10_000
_LOST = frozenset({"lost", "unreserved"})


def crash_safety(context: Context) -> Finding:
    """Whether the database is whole after the machine lost its power."""
    settings = server(context).settings(context.connection)
    off = [name for name in ("fsync", "full_page_writes") if settings.get(name) == "off"]
    if not off:
        return Finding("ok", "fsync and full_page_writes are on.", 0)
    names = " and ".join(off)
    verb = "is" if len(off) == 1 else "are"
    changes = "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off)
    return Finding(
        context.limits.judge(len(off)),
        f"{names} {verb} off: a crash of the machine can destroy the database.",
        len(off),
        hint=f"{changes}; SELECT pg_reload_conf()",
    )


def cache_hits(context: Context) -> Finding:
    """The share of pages that were found in the cache, once enough were asked for."""
    found = server(context).cache_use(context.connection)
    asked = found.hits + found.reads
    exactly = 100 * found.hits / max(asked, 1)
    percent = round(exactly, 2)
    if asked < FEWEST_PAGES:
        return Finding(
            "unknown",
            f"Only {asked:,} pages were asked for yet, too few to tell.",
            percent,
            hint=f"Ask again when there were {FEWEST_PAGES:,}.",
        )
    status = context.limits.judge(exactly)
    if status != "ok" and found.reads < found.cache_pages:
        return Finding(
            "unknown",
            f"{percent:g} % of the pages were in the cache, which is still being filled.",
            percent,
            hint=f"Ask again when {found.cache_pages:,} pages were read.",
        )
    message = f"{percent:g} % of {asked:,} pages were found in the server's cache."
    return Finding(status, message, percent)


def replication_lag(context: Context) -> Finding:
    """How far the followers are behind, or this server is if it is one."""
    found = server(context).replication(context.connection)
    if found.replicas:
        worst = found.replicas[0]
        subject = "This server" if found.is_replica else worst.name
        finding = Finding(
            context.limits.judge(worst.lag_bytes),
            f"{subject} is {format_size(worst.lag_bytes)} behind.",
            worst.lag_bytes,
            tuple(
                f"{each.name}: {each.state}, {format_size(each.lag_bytes)} behind"
                + ("" if each.lag_seconds is None else f", {each.lag_seconds:.1f} s")
                for each in found.replicas[:MOST_SHOWN]
            ),
        )
    else:
        finding = Finding("ok", "No replica follows this server.", 0)
    if found.is_cut_off and finding.status == "ok":
        return Finding(
            "unknown",
            "This server is a replica to which nobody sends the log: how far behind is unknown.",
            hint="Look at this server's log, and at: SELECT * FROM pg_stat_wal_receiver",
        )
    return unless_hidden(finding, found.hidden, ("replica's lag is", "replicas' lags are"))


def replication_slots(context: Context) -> Finding:
    """How much of the log is kept for readers that are not there."""
    slots = server(context).slots(context.connection)
    left = [slot for slot in slots if not slot.is_active or slot.wal_status in _LOST]
    if not left:
        return Finding("ok", "Every replication slot is read." if slots else "There are none.", 0)
    retained = max(slot.retained_bytes for slot in left)
    broken = any(slot.wal_status in _LOST for slot in left)
    count = "1 replication slot has" if len(left) == 1 else f"{len(left)} replication slots have"
    return Finding(
        "crit" if broken else context.limits.judge(retained),
        f"{count} no reader; up to {format_size(retained)} of the log are kept.",
        retained,
        tuple(
            f"{slot.name}: {slot.wal_status}, keeps {format_size(slot.retained_bytes)}"
            for slot in left[:MOST_SHOWN]
        ),
        f"Start its reader, or: SELECT pg_drop_replication_slot('{left[0].name}')",
    )


def checksum_failures(context: Context) -> Finding:
    """Whether pages came back from the disk as they were written."""
    found = server(context).checksum_failures(context.connection)
    if not found.are_on:
        return Finding("ok", "Checksums are off: nobody would notice a page that the disk changed.")
    count = sum(found.by_database.values())
    if not count:
        return Finding("ok", "No page had a wrong checksum.", 0)
    pages = "1 page" if count == 1 else f"{count:,} pages"
    return Finding(
        context.limits.judge(count),
        f"{pages} had a wrong checksum.",
        count,
        tuple(f"{name}: {failures:,}" for name, failures in found.by_database.items()),
    )


def disk(context: Context) -> Finding:
    """How full the disks are that the server's data lies on, where they are this machine's."""
    folders = server(context).data_folders(context.connection)
    if folders is None:
        return Finding("skipped", "The server's disks can't be seen from here.")
    used = sorted(((_used_percent(folder), folder) for folder in folders), reverse=True)
    percent, folder = used[0]
    return Finding(
        context.limits.judge(percent),
        f"The disk of {folder} is {percent:g} % full.",
        percent,
        tuple(f"{each}: {share:g} %" for share, each in used[1:]),
    )


def _used_percent(folder: str) -> float:
    """As df tells it: of the room that ordinary users have."""
    found = shutil.disk_usage(folder)
    return round(100 * found.used / max(found.used + found.free, 1), 1)

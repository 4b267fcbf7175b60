"""The checks of the backups, and of the room for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Finding, Limits
from qadb.health.backup_facts import disk_room, open_files
from qadb.humanize import format_size

if TYPE_CHECKING:
    from datetime import datetime

    from qadb.health.backup_facts import BackupFacts
    from qadb.health.context import Context, HealthCheck

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400
SMALL_BYTES = 1_000_000
_FEW_HOURS = 48  # until then they say more than days
_NONE = "There is no backup yet."
_A_DAY = "our judgement: one a day, with two hours to be late; two days without one are critical"


def newest(context: Context) -> Finding:
    """How long ago the newest backup was made; a young database may have none."""
    facts = context.backups
    if facts.backups:
        hours = _since(context, _taken_at(facts, 0), HOUR_SECONDS)
        return Finding(
            context.limits.judge(hours),
            f"The newest backup is {_age(hours)} old.",
            hours,
            (str(facts.backups[0].path),),
        )
    told = facts.last("backup")
    if told is not None and context.limits.judge(_since(context, told, HOUR_SECONDS)) == "ok":
        return Finding(
            "unknown",
            f"A backup was made {_age(_since(context, told, HOUR_SECONDS))} ago, and it is not "
            f"in {facts.folder}.",
            hint="Name the folder where it is in QADB_BACKUP_DIR.",
        )
    hours = _since(context, facts.began_at, HOUR_SECONDS)
    where = f" in {facts.folder}" if facts.folder else ""
    return Finding(
        context.limits.judge(hours),
        f"There is no backup{where}; the database is {_age(hours)} old.",
        hours,
    )


def verified(context: Context) -> Finding:
    """How old the newest backup is that was proven to be whole."""
    facts = context.backups
    if not facts.backups:
        return Finding("ok", _NONE)
    proven = [each for each in facts.backups if each.verified_at is not None]
    place = facts.backups.index(proven[0]) if proven else len(facts.backups) - 1
    days = _since(context, _taken_at(facts, place), DAY_SECONDS)
    if proven:
        message = f"The newest verified backup is {_age(24 * days)} old."
    else:
        message = f"No backup was ever verified, and the oldest is {_age(24 * days)} old."
    return Finding(
        context.limits.judge(days),
        message,
        days,
        hint=f"qadb restore {facts.backups[0].path} --verify-only",
    )


def shrunk(context: Context) -> Finding:
    """How much smaller the newest backup's content is than that of the one before."""
    manifests = [each.manifest for each in context.backups.backups if each.manifest is not None]
    if len(manifests) < 2:  # noqa: PLR2004 - it takes two to compare
        return Finding("ok", "There are no two backups to compare.")
    now, before = manifests[0].content_bytes, manifests[1].content_bytes
    lost = max(0, before - now)
    percent = round(100 * lost / max(before, 1), 1)
    if lost < SMALL_BYTES:
        return Finding("ok", "The newest backup is about as large as the one before.", percent)
    rows = [sum(each.tables.values()) for each in manifests[:2]]
    sizes = (
        f"{format_size(before)} and {rows[1]:,} rows before, {format_size(now)} and {rows[0]:,} now"
    )
    return Finding(
        context.limits.judge(percent),
        f"The newest backup holds {percent:g} % less than the one before.",
        percent,
        (sizes,),
    )


def restored(context: Context) -> Finding:
    """How long ago a backup was last restored, be it to prove that it can be."""
    facts = context.backups
    if not facts.backups:
        return Finding("ok", _NONE)
    moments = [each.verified_at for each in facts.backups if each.verified_at is not None]
    told = facts.last("restore")
    last = max([*moments, *([told] if told else [])], default=None)
    days = _since(context, last or _taken_at(facts, -1), DAY_SECONDS)
    message = f"A backup was last restored {_age(24 * days)} ago."
    if last is None:
        message = f"No backup was ever restored; the first is {_age(24 * days)} old."
    return Finding(context.limits.judge(days), message, days)


def permissions(context: Context) -> Finding:
    """Whether anybody on the machine may read a backup."""
    found = open_files(context.backups)
    count = len(found)
    message = "The backups are open to their owner and group alone."
    if count:
        message = f"{count} backups or folders are open to every user of the machine."
    folder = context.backups.folder
    return Finding(context.limits.judge(count), message, count, found, f"chmod -R o-rwx {folder}")


def room(context: Context) -> Finding:
    """How much of the room is there that the next backup and a VACUUM take."""
    database = context.database
    size = database.backend.sizes.database_size(context.connection)
    rooms = disk_room(context.backups, database.url.path, size)
    if not rooms:
        return Finding("unknown", "Nobody says where backups go.", hint="Set QADB_BACKUP_DIR.")
    tightest = min(rooms, key=lambda each: each.percent)
    return Finding(
        context.limits.judge(tightest.percent),
        f"The disk of {tightest.place} has {format_size(tightest.free_bytes)} free, and the next "
        f"backup or VACUUM takes about {format_size(tightest.needed_bytes)}.",
        tightest.percent,
    )


def _taken_at(facts: BackupFacts, place: int) -> datetime | None:
    manifest = facts.backups[place].manifest
    return None if manifest is None else manifest.taken_at


def _since(context: Context, moment: datetime | None, unit_seconds: int) -> float:
    """How many units have passed; none since a moment that nobody knows, or that is to come."""
    seconds = 0.0 if moment is None else (context.now - moment).total_seconds()
    return round(max(0.0, seconds) / unit_seconds, 1)


def _age(hours: float) -> str:
    """An age as a person says it."""
    if hours < 1:
        return "less than an hour"
    count, unit = (int(hours), "hour") if hours < _FEW_HOURS else (int(hours / 24), "day")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


_READS = "The manifests of the backups in QADB_BACKUP_DIR, and SELECT * FROM qadb_history"

BACKUP_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-B01",
        title="Newest backup",
        group="backups",
        severity="crit",
        limits=Limits("h", 26, 50, _A_DAY),
        cost="moderate",
        why="What was written since then is lost with the disk.",
        remedy="qadb backup --verify",
        probe=newest,
        reads=_READS,
    ),
    Check(
        id="QADB-B02",
        title="Verified backup",
        group="backups",
        severity="crit",
        limits=Limits("d", 8, 32, "our judgement: one a week"),
        cost="moderate",
        why="A backup that nobody proved may turn out to be none on the day it is needed.",
        remedy="qadb restore latest --verify-only",
        probe=verified,
        reads=_READS,
    ),
    Check(
        id="QADB-B03",
        title="Size of the newest backup",
        group="backups",
        severity="crit",
        limits=Limits("%", 50, 90, "our judgement, from 1 MB on"),
        cost="moderate",
        why="A backup that is suddenly small tells that rows went, or were left out.",
        remedy="qadb backup --list --json, and compare the tables' rows; keep the older one",
        probe=shrunk,
        reads=_READS,
    ),
    Check(
        id="QADB-B04",
        title="Restore test",
        group="backups",
        severity="warn",
        limits=Limits("d", 35, None, "our judgement: one a month"),
        cost="moderate",
        why="Only a restore shows that a restore works: programs, rights and room change.",
        remedy="qadb restore latest --verify-only",
        probe=restored,
        reads=_READS,
    ),
    Check(
        id="QADB-B05",
        title="Permissions of the backups",
        group="backups",
        severity="warn",
        limits=Limits("files", 1, None, "CIS: data files are for their owner alone"),
        cost="moderate",
        why="A backup holds all tenants' rows: whoever reads the file reads them.",
        remedy="chmod -R o-rwx FOLDER",
        probe=permissions,
        reads="The modes of the files in QADB_BACKUP_DIR, and of the folder.",
    ),
    Check(
        id="QADB-B06",
        title="Room on disk",
        group="backups",
        severity="crit",
        limits=Limits(
            "%", 200, 100, "https://www.sqlite.org/lang_vacuum.html: twice the file", True
        ),
        cost="moderate",
        why="Below 100 % the next backup fails, or a VACUUM does, half-way.",
        remedy="qadb backup --keep-daily 7 --keep-weekly 4, or a larger disk",
        probe=room,
        reads="Free room on the disks of QADB_BACKUP_DIR and, for SQLite, of the database.",
    ),
)

"""What the checks of a database's file and its surroundings ask, and how they judge the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Finding
from qadb.health.engine_access import IN_MEMORY, file
from qadb.health.schema_probes import judge_objects
from qadb.humanize import format_size

if TYPE_CHECKING:
    from qadb.health.context import Context

SMALL_BYTES = 10_000_000
_SAFE = frozenset({"full", "extra"})


def journal_mode(context: Context) -> Finding:
    """Whether readers and a writer can work at once."""
    mode = file(context).journal_mode(context.connection)
    if context.database.url.is_memory:
        return IN_MEMORY
    is_wal = mode == "wal"
    return Finding("ok" if is_wal else "warn", f"The journal mode is {mode}.", int(not is_wal))


def synchronous(context: Context) -> Finding:
    """Whether a commit on our connections is on disk when it returns."""
    level = file(context).synchronous(context.connection)
    message = f"Our connections have synchronous = {level}."
    if level in _SAFE:
        return Finding("ok", message, 0)
    return Finding("crit" if level == "off" else "warn", message, 1)


def foreign_keys(context: Context) -> Finding:
    """Whether our connections refuse rows without their parent."""
    if file(context).keys_are_checked(context.connection):
        return Finding("ok", "Our connections have foreign keys on.", 0)
    return Finding("crit", "Our connections have foreign keys off.", 1)


def log_size(context: Context) -> Finding:
    """How large the write-ahead log is."""
    size = file(context).log_size(context.database.url)
    if size is None:
        return IN_MEMORY
    return Finding(
        context.limits.judge(size), f"The write-ahead log has {format_size(size)}.", size
    )


def free_pages(context: Context) -> Finding:
    """The share of the file that holds nothing, where that is some room."""
    found = file(context).free_pages(context.connection)
    percent = round(100 * found.free_bytes / max(found.size_bytes, 1), 1)
    free, size = format_size(found.free_bytes), format_size(found.size_bytes)
    message = f"{free} of {size} hold nothing, {percent:g} %."
    if found.free_bytes < SMALL_BYTES:
        return Finding("ok", message, percent)
    hint = "PRAGMA incremental_vacuum" if found.gives_back else "VACUUM"
    return Finding(context.limits.judge(percent), message, percent, hint=hint)


def application_id(context: Context) -> Finding:
    """Whether the file's header says that it is qadb's."""
    found = file(context).application_id(context.connection)
    wanted = context.database.schema.application_id
    if found == wanted:
        return Finding("ok", f"The file's mark is {found:#x}.", 0)
    if context.database.url.is_memory:
        return IN_MEMORY
    hint = f"PRAGMA application_id = {wanted}"
    if not found:
        return Finding("warn", "The file has no mark of whose it is.", 1, hint=hint)
    return Finding("crit", f"The file's mark is {found:#x}, not {wanted:#x}.", 1, hint=hint)


def file_system(context: Context) -> Finding:
    """Whether the file lies on this machine."""
    if context.database.url.is_memory:
        return IN_MEMORY
    kind = file(context).file_system(context.database.url)
    if kind is None:
        return Finding("skipped", "This system does not tell what the file lies on.")
    if file(context).is_shared_over_network(kind):
        return Finding("crit", f"The file lies on another machine: {kind}.", 1)
    return Finding("ok", f"The file lies on this machine: {kind}.", 0)


def permissions(context: Context) -> Finding:
    """Whether anybody on the machine may change the file."""
    found = file(context).open_places(context.database.url)
    if found is None:
        return IN_MEMORY
    return judge_objects(
        context, found, ("file or folder is", "files or folders are"), "open to every user's writes"
    )

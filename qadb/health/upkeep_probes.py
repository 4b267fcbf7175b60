"""What the checks of vacuuming and of running numbers ask, and how they judge the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Finding
from qadb.health.engine_access import server, unless_hidden
from qadb.health.schema_probes import judge_objects
from qadb.humanize import format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.backends.base_server_health import TableUpkeep, TransactionAge
    from qadb.health.context import Context

MOST_SHOWN = 10
SMALL_BYTES = 10_000_000
FEW_ROWS = 10_000
DAY_SECONDS = 86_400
_COUNTED_SHARE = 0.1
_OFF = "Nothing is counted: track_counts is off."
_TURN_ON = "ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"


def transaction_age(context: Context) -> Finding:
    """How much of the room for transaction ids is used."""
    found = server(context).transaction_age(context.connection)
    return _judge_age(context, found, "transaction ids")


def multixact_age(context: Context) -> Finding:
    """How much of the room for ids of shared row locks is used."""
    found = server(context).multixact_age(context.connection)
    return _judge_age(context, found, "ids of shared row locks")


def _judge_age(context: Context, found: TransactionAge, what: str) -> Finding:
    percent = round(100 * found.age / found.wraps_at, 1)
    return Finding(
        context.limits.judge(percent),
        f"{percent:g} % of the {what} are used, in the database {found.database}.",
        percent,
        (f"age {found.age:,}, frozen from {found.freeze_max_age:,} on by autovacuum",),
    )


def dead_rows(context: Context) -> Finding:
    """The share of dead rows, of tables where they take some room."""
    tables = server(context).upkeep(context.connection)
    shares = [(_dead_percent(t), t) for t in tables if _dead_bytes(t) >= SMALL_BYTES]
    worst_first = sorted(shares, key=lambda each: -each[0])
    bad = [each for each in worst_first if context.limits.judge(each[0]) != "ok"]
    if bad:
        count = "1 table is" if len(bad) == 1 else f"{len(bad)} tables are"
        return Finding(
            context.limits.judge(bad[0][0]),
            f"{count} full of dead rows, {bad[0][1].name} to {bad[0][0]:g} %.",
            bad[0][0],
            tuple(
                f"{t.name}: {percent:g} % dead, about {format_size(_dead_bytes(t))} of "
                f"{format_size(t.size_bytes)}"
                for percent, t in bad[:MOST_SHOWN]
            ),
            f"VACUUM (ANALYZE, VERBOSE) {bad[0][1].name}",
        )
    value = worst_first[0][0] if worst_first else 0
    message = f"Dead rows take up {value:g} % of a large table at most."
    if not worst_first:
        message = f"Dead rows take less than {format_size(SMALL_BYTES)} in every table."
    return _unless_uncounted(context, tables, Finding("ok", message, value))


def vacuum_lag(context: Context) -> Finding:
    """How far tables are beyond the dead rows at which autovacuum should have come."""
    tables = server(context).upkeep(context.connection)
    ratios = [(t.dead_rows / max(t.vacuum_from, 1), t) for t in tables if t.dead_rows >= FEW_ROWS]
    worst_first = sorted(ratios, key=lambda each: -each[0])
    late = [each for each in worst_first if context.limits.judge(each[0]) != "ok"]
    if late:
        count = "1 table waits" if len(late) == 1 else f"{len(late)} tables wait"
        return Finding(
            context.limits.judge(late[0][0]),
            f"{count} for autovacuum, {late[0][1].name} with {late[0][0]:.2f} times the dead rows "
            "that call it.",
            round(late[0][0], 2),
            tuple(_describe(table) for _, table in late[:MOST_SHOWN]),
            f"VACUUM (ANALYZE, VERBOSE) {late[0][1].name}",
        )
    value = round(worst_first[0][0], 2) if worst_first else 0
    return _unless_uncounted(
        context, tables, Finding("ok", "No table waits for autovacuum.", value)
    )


def _describe(table: TableUpkeep) -> str:
    seconds = table.last_vacuum_seconds
    last = "never vacuumed" if seconds is None else f"vacuumed {seconds / DAY_SECONDS:.1f} days ago"
    off = "" if table.is_automatic else ", autovacuum is off for it"
    return (
        f"{table.name}: {table.dead_rows:,} dead rows, vacuumed from {table.vacuum_from:,.0f} on, "
        f"{last}{off}"
    )


def _dead_percent(table: TableUpkeep) -> float:
    return round(100 * table.dead_rows / max(table.dead_rows + table.live_rows, 1), 1)


def _dead_bytes(table: TableUpkeep) -> int:
    return round(table.size_bytes * _dead_percent(table) / 100)


def _unless_uncounted(context: Context, tables: Sequence[TableUpkeep], finding: Finding) -> Finding:
    """The finding, or ``unknown`` where rows of large tables are not in the statistics."""
    if server(context).settings(context.connection).get("track_counts") == "off":
        return Finding("unknown", _OFF, hint=_TURN_ON.format(name="track_counts"))
    lost = [t for t in tables if t.size_bytes >= SMALL_BYTES and _is_uncounted(t)]
    if not lost:
        return finding
    count = "1 large table has" if len(lost) == 1 else f"{len(lost)} large tables have"
    return Finding(
        "unknown",
        f"{count} too young statistics: they were reset, or lost in a crash.",
        details=tuple(t.name for t in lost[:MOST_SHOWN]),
        hint=f"ANALYZE {lost[0].name}",
    )


def _is_uncounted(table: TableUpkeep) -> bool:
    counted = table.live_rows + table.dead_rows
    return table.known_rows is not None and counted < table.known_rows * _COUNTED_SHARE


def autovacuum(context: Context) -> Finding:
    """Whether autovacuum is on, for the server and for each table."""
    found = server(context)
    settings = found.settings(context.connection)
    off = [name for name in ("autovacuum", "track_counts") if settings.get(name) == "off"]
    tables = [t.name for t in found.upkeep(context.connection) if not t.is_automatic]
    count = len(off) + len(tables)
    if not count:
        return Finding("ok", "Autovacuum is on, for every table.", 0)
    if off:
        message, hint = f"{off[0]} is off: nothing is vacuumed.", _TURN_ON.format(name=off[0])
    else:
        one = len(tables) == 1
        message = f"Autovacuum is off for {'1 table' if one else f'{len(tables)} tables'}."
        hint = f"ALTER TABLE {tables[0]} RESET (autovacuum_enabled)"
    details = (*(f"{name} = off" for name in off), *(f"{name}: off" for name in tables))
    return Finding(context.limits.judge(count), message, count, details[:MOST_SHOWN], hint)


def unlogged_tables(context: Context) -> Finding:
    """Tables that a crash empties."""
    found = server(context).unlogged_tables(context.connection)
    return judge_objects(context, found, ("table is", "tables are"), "emptied by a crash")


def sequences(context: Context) -> Finding:
    """How much of the fullest sequence is used."""
    found = server(context).sequences(context.connection)
    full = [each for each in found.seen if context.limits.judge(each.percent) != "ok"]
    if not found.seen:
        finding = Finding("ok", "No sequence was used yet.", 0)
    else:
        first = found.seen[0]
        finding = Finding(
            context.limits.judge(first.percent),
            f"The sequence {first.name} is used to {first.percent:g} %.",
            first.percent,
            tuple(
                f"{each.name}: {each.percent:g} % used, {each.left:,} numbers left"
                + (f" for {each.column}" if each.column else "")
                for each in full[:MOST_SHOWN]
            ),
            first.remedy if full else None,
        )
    return unless_hidden(finding, found.hidden, ("sequence is", "sequences are"))

"""How long a run took: derived from its two moments wherever nobody states it.

Owns the triggers of both engines, which fill in what is NULL when a row is written, and the same
for runs that a session writes, where a moment that changes takes the duration along. A duration
that does not fit into its column, some thirty years, is left open. `updated_at` moves as if the
statement had stated the duration itself.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import event, inspect, null

from qadb.models import triggers

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table
    from sqlalchemy.orm import DeclarativeBase

_WATCHED = ("ended_at", "started_at", "duration_seconds")
_MICROSECONDS = Decimal(1_000_000)
_TOO_LONG_SECONDS = Decimal("999999999.9995")  # what rounds to a digit more than the column has

_CREATE_FUNCTION = """\
CREATE OR REPLACE FUNCTION qadb_set_duration_seconds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.duration_seconds := extract(epoch FROM NEW.ended_at - NEW.started_at);
  RETURN NEW;
END
$$"""

_DROP_FUNCTION = "DROP FUNCTION IF EXISTS qadb_set_duration_seconds()"

# Moments out of order, and such as are none, are left to the CHECKs.
_POSTGRESQL_TRIGGER = f"""\
CREATE TRIGGER trg_test_runs_duration_seconds
BEFORE INSERT OR UPDATE OF started_at, ended_at, duration_seconds ON test_runs
FOR EACH ROW WHEN (NEW.duration_seconds IS NULL AND NEW.ended_at >= NEW.started_at
  AND NEW.ended_at < NEW.started_at + interval '{_TOO_LONG_SECONDS} seconds')
EXECUTE FUNCTION qadb_set_duration_seconds()"""

# In microseconds, since arithmetic with days loses some; thousandths are rounded half up.
_ELAPSED = """\
((strftime('%s', substr(ended_at, 1, 19)) - strftime('%s', substr(started_at, 1, 19))) * 1000000
      + substr(ended_at, 21, 6) - substr(started_at, 21, 6) + 500) / 1000"""

# The change of the duration moves `updated_at`, which goes back to what the statement made of it.
_SQLITE_TRIGGER = """\
CREATE TRIGGER trg_test_runs_duration_seconds_{name} AFTER {event} ON test_runs FOR EACH ROW
WHEN NEW.duration_seconds IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
  UPDATE test_runs SET duration_seconds = {elapsed}
    WHERE id = NEW.id AND {elapsed} <= 999999999999;
  UPDATE test_runs SET updated_at = NEW.updated_at
    WHERE id = NEW.id AND updated_at <> NEW.updated_at{stated};
END"""
_SQLITE_TRIGGERS = (
    ("insert", "INSERT", ""),
    (
        "update",
        "UPDATE OF started_at, ended_at, duration_seconds",
        " AND NEW.updated_at <> OLD.updated_at",
    ),
)


def attach_functions(metadata: MetaData) -> None:
    """Create the triggers' function before the first table and drop it after the last."""
    triggers.before_tables(metadata, _CREATE_FUNCTION)
    triggers.after_tables(metadata, _DROP_FUNCTION)


def attach(model: type[DeclarativeBase], table: Table) -> None:
    """Derive the durations of the model's rows, whoever writes them."""
    triggers.with_table(table, "postgresql", _POSTGRESQL_TRIGGER)
    for name, change, stated in _SQLITE_TRIGGERS:
        parts = {"name": name, "event": change, "stated": stated, "elapsed": _ELAPSED}
        triggers.with_table(table, "sqlite", _SQLITE_TRIGGER.format(**parts))
    for moment in ("before_insert", "before_update"):
        event.listen(model, moment, _derive)


def _derive(_mapper: object, _connection: object, run: DeclarativeBase) -> None:
    """Set the duration unless this flush states one; without an end, one stated before stays."""
    state = inspect(run)
    if state.persistent and not any(name in state.committed_state for name in _WATCHED):
        return
    ended_at, started_at, duration = (state.attrs[name] for name in _WATCHED)
    is_moved = ended_at.history.has_changes() or (
        started_at.history.has_changes() and ended_at.value is not None
    )
    is_stated = duration.key in state.committed_state
    if duration.value is None or (is_moved and not is_stated):
        elapsed = _elapsed(ended_at.value, started_at.value)
        if elapsed is not duration.value:
            setattr(run, duration.key, elapsed)


def _elapsed(ended_at: object, started_at: object) -> object:
    """Return the seconds between two moments; NULL, to be filled in, for what is SQL as yet."""
    if ended_at is None or started_at is None:
        return None  # the start is not set yet where the database sets it
    if not (isinstance(ended_at, datetime) and isinstance(started_at, datetime)):
        return null()
    elapsed = ended_at - started_at
    seconds = elapsed.days * 86_400 + elapsed.seconds + elapsed.microseconds / _MICROSECONDS
    return seconds if seconds < _TOO_LONG_SECONDS else None

"""Environments: which are free, and who gets one.

An environment is one caller's at a time. It is taken in a single statement that finds, locks and
marks it, so neither engine hands it out twice, whatever kind of session asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, select, update
from sqlalchemy.orm import aliased

from qadb.errors import RowNotFound
from qadb.models import Environment, HardwareConfig
from qadb.models.catalog import ENVIRONMENT_KINDS
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.periods import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Update

    from qadb.repositories.generic.eager import Eager

AVAILABLE, BUSY = "available", "busy"

# It is asked for twice in one statement: once to be found, once to be changed.
Candidate = aliased(Environment)


class EnvironmentRepository(Repository[Environment]):
    """Places where tests run, given out to one caller at a time."""

    model = Environment

    def available(
        self,
        kind: str | None = None,
        *,
        hardware: HardwareConfig | int | None = None,
        with_: Iterable[Eager] = (),
    ) -> Sequence[Environment]:
        """Return the free ones, in the order in which `acquire` would give them out.

        Args:
            kind: local, ci, dev, staging or production.
            hardware: what it must stand on, itself or its key.
            with_: relationships to load along, as in `list`.

        Raises:
            ValueError: there is no such kind.
        """
        wanted = _wanted(Environment, kind=kind, hardware=hardware)
        query = self.query(*wanted, with_=with_).order_by(*_longest_unused(Environment))
        return self.session.scalars(query).all()

    def acquire(
        self,
        *,
        name: str | None = None,
        kind: str | None = None,
        hardware: HardwareConfig | int | None = None,
        now: datetime | None = None,
    ) -> Environment | None:
        """Take the free environment that was unused for longest; None when none is free.

        It is the caller's once the transaction commits, and free again when that rolls back or its
        process dies before. Until then others pass over it without waiting. Commit soon: on SQLite
        everyone who writes waits for an open transaction.

        Args:
            name: this one and no other.
            kind: local, ci, dev, staging or production.
            hardware: what it must stand on, itself or its key.
            now: the moment to note, aware; the present by default.

        Raises:
            RowNotFound: there is no environment of the name.
            ValueError: there is no such kind.
        """
        wanted = _wanted(Candidate, name=name, kind=kind, hardware=hardware)
        # Without key_share a run that is just being entered for it would hide it.
        found = (
            select(Candidate.id)
            .where(*wanted, Candidate.deleted_at.is_(None))
            .order_by(*_longest_unused(Candidate))
            .limit(1)
            .with_for_update(key_share=True, skip_locked=True)
        )
        taken = self._change(
            update(Environment)
            .where(Environment.id == found.scalar_subquery(), Environment.status == AVAILABLE)
            .values(status=BUSY, last_used_at=moment(now))
        )
        if not taken and name is not None and not self.exists(name=name):
            raise RowNotFound(f"There is no environment called {name!r}.")
        return taken[0] if taken else None

    def release(self, environment: Environment | int) -> Environment:
        """Give an environment back; others can have it once the transaction commits.

        An object knows when it was acquired, as long as its session has not expired it. If somebody
        else has the environment since, because `release_stale` had taken it back, it stays theirs.
        A key knows nothing: whoever has the environment loses it.

        Raises:
            RowNotFound: there is no such environment.
            ValueError: it is not in use, or somebody else's by now.
        """
        self.session.flush()
        key, acquired_at = _claim(environment)
        of_claim = [Environment.id == key, Environment.deleted_at.is_(None)]
        if acquired_at is not None:
            of_claim.append(Environment.last_used_at == acquired_at)
        freed = self._change(
            update(Environment)
            .where(*of_claim, Environment.status == BUSY)
            .values(status=AVAILABLE)
        )
        if freed:
            return freed[0]
        query = select(Environment.status).where(
            Environment.id == key, Environment.deleted_at.is_(None)
        )
        status = self.session.scalars(query).one_or_none()
        if status is None:
            raise RowNotFound(f"There is no row {key!r} in {self._table_name}.")
        problem = "in use by somebody else" if status == BUSY else f"{status}, not {BUSY}"
        raise ValueError(f"environment {key} is {problem}")

    def release_stale(
        self, older_than: timedelta, *, now: datetime | None = None
    ) -> Sequence[Environment]:
        """Free what was acquired longer ago than any use takes, and return it.

        For those whose holder committed and then died. Environments that were marked busy by other
        means, without a moment, are left alone.

        Args:
            older_than: how long ago, at least.
            now: what that is counted back from, aware; the present by default.

        Raises:
            ValueError: the time is not above zero.
        """
        if older_than.total_seconds() <= 0:
            raise ValueError(f"older_than must be above zero, not {older_than}")
        freed = self._change(
            update(Environment)
            .where(
                Environment.status == BUSY,
                Environment.last_used_at <= moment(now) - older_than,
                Environment.deleted_at.is_(None),
            )
            .values(status=AVAILABLE)
        )
        return sorted(freed, key=lambda environment: environment.id)

    def _change(self, statement: Update) -> Sequence[Environment]:
        """Execute it and return the rows it changed, as they are now."""
        rows = self.session.scalars(
            statement.returning(Environment),
            execution_options={"populate_existing": True, "synchronize_session": False},
        ).all()
        for row in rows:
            self.session.expire(row, [Environment.updated_at.key])  # a trigger writes it
        return rows


def _wanted(
    model: type[Environment],
    *,
    name: str | None = None,
    kind: str | None = None,
    hardware: HardwareConfig | int | None = None,
) -> list[ColumnElement[bool]]:
    if kind is not None and kind not in ENVIRONMENT_KINDS:
        known = ", ".join(ENVIRONMENT_KINDS)
        raise ValueError(f"there is no kind {kind!r} of environment; there are {known}")
    wanted = [model.status == AVAILABLE]
    if name is not None:
        wanted.append(model.name == name)
    if kind is not None:
        wanted.append(model.kind == kind)
    if hardware is not None:
        wanted.append(model.hardware_config_id == id_of(hardware))
    return wanted


def _longest_unused(
    model: type[Environment],
) -> tuple[ColumnElement[datetime | None], ColumnElement[int]]:
    return model.last_used_at.asc().nulls_first(), model.id.asc()


def _claim(environment: Environment | int) -> tuple[int, datetime | None]:
    """The key, and the moment of the acquisition where an object still knows it."""
    if not isinstance(environment, Environment):
        return environment, None
    state = inspect(environment)
    key: int = id_of(environment) if state.identity is None else state.identity[0]
    return key, state.dict.get(Environment.last_used_at.key)

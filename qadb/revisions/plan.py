"""What pending revisions would do to a database, by its own figures, before they do it.

The revisions are run in an empty place, and what they say there is read: which tables of the
database they lock, write anew or read whole. How many rows that means is asked of the database
itself. Nothing of it is locked or written.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import event

from qadb.backends.sql_text import one_line, read_rename
from qadb.backends.values import ORIGINAL_STATEMENT
from qadb.errors import NotComparable
from qadb.revisions.losses import Loss, columns_of, count_losses, gone
from qadb.revisions.scratch import migrated_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from qadb.backends.effects import Effect, ForeignKey
    from qadb.backends.values import TableSize
    from qadb.database import Database
    from qadb.revisions.catalogue import Revision


@dataclass(frozen=True, slots=True)
class Impact:
    """One statement on a table that is in use.

    Attributes:
        statement: on one line, cut where it is long.
        table: None where it can't be told.
        lock: the engine's name for it.
        blocks: what others wait with while it lasts.
        rewrites: the table is written anew.
        scans: it is read whole.
        rows: of the table, as the server knows them.
        risks: what may go wrong, a sentence each.
    """

    statement: str
    table: str | None
    lock: str | None
    blocks: tuple[str, ...]
    rewrites: bool
    scans: bool
    rows: int
    size_bytes: int | None
    risks: tuple[str, ...]

    @property
    def is_grave(self) -> bool:
        """Somebody would notice: others wait for as long as the rows take, or it may fail."""
        if self.table is None:
            return bool(self.risks)
        takes_long = self.rewrites or self.scans
        return bool(self.rows and ((self.blocks and takes_long) or self.risks))


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one revision would do.

    Attributes:
        impacts: its statements on tables that were there before the run, in their order.
        losses: tables and columns that go, with what they hold now.
    """

    revision: str
    title: str
    impacts: tuple[Impact, ...]
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would do.

    Attributes:
        steps: one a revision; empty where nobody can tell.
        reason: why nobody can tell, and what it takes; None where somebody can.
    """

    steps: tuple[StepPlan, ...]
    reason: str | None = None


@dataclass(slots=True)
class _Heard:
    """What a revision said in the empty place."""

    statements: list[tuple[str, tuple[Effect, ...]]]
    columns: dict[str, frozenset[str]]


def plan_run(database: Database, revisions: Sequence[Revision], since: str | None) -> RunPlan:
    """Say what pending revisions would do; ``since`` is where the database stands."""
    if not revisions:
        return RunPlan(())
    try:
        heard = _listen(database, revisions[-1].revision)
    except NotComparable as error:
        return RunPlan((), reason=error.explanation)
    with database.connect(read_only=True) as connection:
        present = database.backend.connector.list_tables(connection)
        names = sorted(present - database.schema.own_tables)
        sizes = {
            size.name: size
            for size in database.backend.sizes.table_sizes(connection, names, exact=False)
        }
    before = {} if since is None else heard[since].columns
    steps = []
    names_before: dict[str, str] = {}  # of tables that have another name by now
    for revision in revisions:
        after = heard[revision.revision]
        impacts = tuple(_impacts(after.statements, sizes, names_before))
        columns = _by_former_names(after.columns, names_before)
        lost = count_losses(database, gone(before, columns))
        steps.append(StepPlan(revision.revision, revision.title, impacts, lost))
        before = columns
    return RunPlan(tuple(steps))


def _listen(database: Database, target: str) -> dict[str, _Heard]:
    """Run the revisions in an empty place and keep what each does there."""
    listener = _Listener(database)
    with migrated_place(
        database, target, before_steps=listener.attach, after_step=listener.end_step
    ):
        return listener.heard


class _Listener:
    """Keeps the statements of revisions apart, by revision, and none of its own."""

    def __init__(self, database: Database) -> None:
        self.heard: dict[str, _Heard] = {}
        self._reader = database.backend.statements
        self._schema = database.schema
        self._statements: list[tuple[str, tuple[Effect, ...]]] = []
        self._files: dict[str, int] = {}
        self._keys: tuple[ForeignKey, ...] = ()
        self._tables_of_indexes: tuple[str, ...] = ()
        self._is_asking = False

    def attach(self, place: Connection) -> None:
        """Listen to a connection."""
        event.listen(place, "before_cursor_execute", self._look)
        event.listen(place, "after_cursor_execute", self._hear)

    def end_step(self, revision: str, place: Connection) -> None:
        """Put down what was heard as the revision's."""
        with self._asking():
            columns = columns_of(place, self._schema)
        self.heard[revision] = _Heard(self._statements, columns)
        self._statements = []

    def _look(self, place: Connection, _cursor: object, statement: str, *_: object) -> None:
        """Keep what only the moment before the statement knows."""
        if self._is_asking:
            return
        original = place.info.get(ORIGINAL_STATEMENT, statement)
        with self._asking():
            self._keys = self._reader.foreign_keys(place, statement)
            self._tables_of_indexes = self._reader.tables_of_indexes(place, statement)
        place.info[ORIGINAL_STATEMENT] = original

    def _hear(self, place: Connection, _cursor: object, ran: str, *_: object) -> None:
        if self._is_asking:
            return
        statement: str = place.info.pop(ORIGINAL_STATEMENT, ran)
        with self._asking():
            files = self._reader.file_ids(place)
        effects = _at_tables(
            self._reader.read_effects(statement, self._keys), self._tables_of_indexes
        )
        checked = tuple(_checked(effect, self._files, files) for effect in effects)
        self._statements.append((statement, checked))
        self._files = files

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._is_asking = True
        try:
            yield
        finally:
            self._is_asking = False


def _by_former_names(
    columns: Mapping[str, frozenset[str]], names_before: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    """Call tables as the database does, where nothing else has that name by now."""
    renamed = {names_before[x]: own for x, own in columns.items() if x in names_before}
    return {**renamed, **{x: own for x, own in columns.items() if x not in names_before}}


def _at_tables(effects: Iterable[Effect], tables: Sequence[str]) -> Iterator[Effect]:
    """Name the tables of a statement that names their indexes alone."""
    for effect in effects:
        if effect.table is not None or not tables:
            yield effect
        else:
            yield from (replace(effect, table=table) for table in tables)


def _checked(effect: Effect, before: Mapping[str, int], after: Mapping[str, int]) -> Effect:
    """Believe the engine, where it tells, whether the table was written anew."""
    name = effect.table or ""
    if not effect.rewrites or name not in before or name not in after:
        return effect
    return replace(effect, rewrites=before[name] != after[name])


def _impacts(
    statements: Iterable[tuple[str, tuple[Effect, ...]]],
    sizes: Mapping[str, TableSize],
    names_before: dict[str, str],
) -> Iterator[Impact]:
    """Yield what concerns tables that the database has, or might; follow them to new names."""
    for statement, effects in statements:
        for effect in effects:
            name = effect.table or ""
            size = sizes.get(names_before.get(name, name))
            if size is None and effect.table is not None:
                continue  # made by the run itself, or the tool's own
            yield Impact(
                statement=one_line(statement),
                table=effect.table,
                lock=effect.lock,
                blocks=effect.blocks,
                rewrites=effect.rewrites,
                scans=effect.scans,
                rows=0 if size is None else size.rows,
                size_bytes=None if size is None else size.size_bytes,
                risks=effect.risks,
            )
        renamed = read_rename(statement)
        if renamed is not None:
            old, new = renamed
            origin = names_before.pop(old, old)
            if origin in sizes and new not in sizes:
                names_before[new] = origin

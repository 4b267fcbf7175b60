"""Drift: where a database's catalog is not what its revisions make, or the models say otherwise.

Nothing is written. Grants and owners belong to a site and are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from qadb.backends.catalog import Catalog, diff
from qadb.errors import NotComparable
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.losses import Columns, columns_at, columns_of
from qadb.revisions.scratch import catalog_at, migrated_place, read_catalog
from qadb.revisions.state import read_state_on, require_managed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qadb.backends.catalog import Difference
    from qadb.database import Database

DriftStatus: TypeAlias = Literal["none", "found", "unknown"]


@dataclass(frozen=True, slots=True)
class Drift:
    """What a comparison showed.

    Attributes:
        status: ``unknown`` where there was nothing to compare with.
        differences: ordered by object; of an object that is missing or unexpected as a whole, its
            parts are not listed.
        reason: why not everything could be seen, and what it takes; None where it was.
    """

    status: DriftStatus
    differences: tuple[Difference, ...] = ()
    reason: str | None = None


def find_drift(database: Database) -> Drift:
    """Compare the live catalog with the one that the revisions make up to where it stands.

    Raises:
        EmptyDatabase, UnmanagedDatabase, RevisionMismatch: it stands at no revision that is known.
    """
    with database.connect(read_only=True) as connection:
        state = read_state_on(connection, database)
        require_managed(database, state)
        found = read_catalog(database, connection)
    try:
        expected = catalog_at(database, state.revision)
    except NotComparable as error:
        return _by_names(database, state.revision, error)
    return compare(expected, found)


def _by_names(database: Database, revision: str | None, error: NotComparable) -> Drift:
    """Compare the names of tables and columns, which the revisions tell in memory as well."""
    with database.connect(read_only=True) as connection:
        found = columns_of(connection, database.schema)
    (expected,) = columns_at(database.schema, revision)
    differences = compare(_catalog_of(expected), _catalog_of(found)).differences
    reason = f"{error.explanation} Only the names of tables and columns were compared."
    return Drift("found" if differences else "unknown", differences, reason=reason)


def _catalog_of(columns: Columns) -> Catalog:
    objects = {f"table {name}": "present" for name in columns}
    parts = {f"table {name} column {x}": "present" for name, own in columns.items() for x in own}
    return Catalog({**objects, **parts})


def find_drift_of_models(database: Database) -> Drift:
    """Compare what the models make with what the revisions make up to head.

    Both are made in empty places beside the database, which is not looked at itself.
    """
    metadata = database.schema.metadata
    try:
        expected = catalog_at(database, read_catalogue(database.schema.migrations).head)
        with migrated_place(database, None) as place:
            metadata.create_all(place)
            modelled = read_catalog(database, place)
    except NotComparable as error:
        return Drift("unknown", reason=error.explanation)
    return compare(expected, modelled)


def compare(expected: Catalog, found: Catalog) -> Drift:
    """Compare two catalogs of one engine."""
    differences = tuple(_without_parts(diff(expected, found)))
    return Drift("found" if differences else "none", differences)


def _without_parts(differences: Iterable[Difference]) -> Iterator[Difference]:
    """Leave out the columns and keys of a table that is missing or unexpected as a whole."""
    whole: tuple[str, ...] = ()
    for difference in differences:  # a table comes right before its parts
        if whole and difference.object.startswith(whole):
            continue
        kind, *name = difference.object.split(" ")
        if kind == "table" and len(name) == 1 and None in (difference.expected, difference.found):
            whole = (*whole, f"{difference.object} ")
        yield difference

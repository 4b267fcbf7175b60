"""Which indexes a statement is answered by, in the words of the engine's own EXPLAIN.

An index counts where a condition narrows it down; one that is merely read from end to end does not.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from qadb.database import Database

    Parameters: TypeAlias = tuple[object, ...] | dict[str, object]

_SEARCH = re.compile(r"SEARCH .* USING (?:COVERING )?INDEX (\w+)")
_SEARCH_WORDS = re.compile(r"SCAN (\w+) VIRTUAL TABLE INDEX \d+:M")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a statement would be run.

    Attributes:
        indexes: those that a condition of the statement narrows down.
        text: the engine's own words.
    """

    indexes: frozenset[str]
    text: str


def explain(connection: Connection, statement: str, parameters: Parameters = ()) -> Plan:
    """Ask the engine, which runs nothing."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        lines = [str(row[-1]) for row in rows]
        text = "\n".join(lines)
        return Plan(frozenset([*_SEARCH.findall(text), *_SEARCH_WORDS.findall(text)]), text)
    rows = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).all()
    document = rows[0][0]
    return Plan(frozenset(_narrowed(document[0]["Plan"])), json.dumps(document, indent=1))


def _narrowed(node: dict[str, object]) -> Iterator[str]:
    if "Index Cond" in node:
        yield str(node["Index Name"])
    children = node.get("Plans")
    for child in children if isinstance(children, list) else ():
        yield from _narrowed(child)


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement as it went to the driver."""

    statement: str
    parameters: Parameters


@contextmanager
def collecting(database: Database) -> Iterator[list[Sent]]:
    """Collect the queries that the database's sessions send."""
    sent: list[Sent] = []

    def note(
        _connection: object, _cursor: object, statement: str, parameters: Parameters, *_rest: object
    ) -> None:
        if statement.startswith(("SELECT", "WITH")) and "FROM" in statement:
            sent.append(Sent(statement, parameters))

    engine = database.engine(read_only=True)
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)

"""Which rule a row breaks, from the fields of PostgreSQL's error report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qadb.backends.values import BrokenRule

if TYPE_CHECKING:
    import psycopg2

FOREIGN_KEY_STATES = ("23503", "23001")

# Key (tenant_id, code)=(acme, shop) already exists. The words may be in any language.
_KEY = re.compile(r"\((?P<columns>[^=]+)\)=\((?P<values>.*)\)", re.DOTALL)


def read_conflict(error: BaseException) -> BrokenRule:
    """Return what the report tells; never the failing row as a whole, which may hold secrets."""
    facts: psycopg2.extensions.Diagnostics | None = getattr(error, "diag", None)
    if facts is None:
        return BrokenRule()
    key = _KEY.search(facts.message_detail or "") if facts.constraint_name else None
    columns = tuple(key["columns"].split(", ")) if key else ()
    values = tuple(key["values"].split(", ")) if key else ()
    return BrokenRule(
        table=facts.table_name,
        constraint=facts.constraint_name,
        columns=columns or ((facts.column_name,) if facts.column_name else ()),
        values=values if len(values) == len(columns) else (),
        is_foreign_key=getattr(error, "pgcode", None) in FOREIGN_KEY_STATES,
    )

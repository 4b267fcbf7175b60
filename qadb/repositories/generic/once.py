"""Parts of a query that are worked out once, whatever the planner expects of the tables around.

Where it knows little of a table, such as right after a load, PostgreSQL may take it to hold a row,
and work the other side of a join out again for each that there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import CTE, Select


def once(query: Select[*tuple[object, ...]]) -> CTE:
    """The query as a part of another that it keeps the result of."""
    return query.cte().prefix_with("MATERIALIZED")

"""What a PostgreSQL server tells of itself, for `qadb.health`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qadb.backends.base_health import TransactionAge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

# The limit is 2^31, of which the server keeps three million for itself.
TRANSACTION_AGE_SQL: Final = """
SELECT datname, age(datfrozenxid) AS age,
       current_setting('autovacuum_freeze_max_age')::bigint AS freeze_max_age,
       2147483648 - 3000000 AS wraps_at
FROM pg_catalog.pg_database
WHERE datallowconn
ORDER BY age(datfrozenxid) DESC LIMIT 1
"""

STATEMENTS: Mapping[str, str] = {"transaction_age": TRANSACTION_AGE_SQL}


def transaction_age(connection: Connection) -> TransactionAge:
    """The database whose oldest transaction id is nearest to the limit."""
    row = connection.exec_driver_sql(TRANSACTION_AGE_SQL).one()
    return TransactionAge(row.datname, int(row.age), int(row.freeze_max_age), int(row.wraps_at))

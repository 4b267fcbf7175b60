"""The rows of two tenants on PostgreSQL, and roles to look at them with."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

# One row of each tenant in tables of every kind; {0} is the tenant, {1} a number of its own.
ROWS = """
INSERT INTO tenants (id, name) VALUES ('{0}', '{0}');
INSERT INTO applications (id, tenant_id, code, name) VALUES ({1}, '{0}', 'shop', 'Shop');
INSERT INTO products (id, tenant_id, name) VALUES ({1}, '{0}', 'Product of {0}');
INSERT INTO features (id, tenant_id, product_id, title) VALUES ({1}, '{0}', {1}, 'Pay');
INSERT INTO test_cases (id, tenant_id, case_key, name) VALUES ({1}, '{0}', 'a::b', 'b');
INSERT INTO test_case_features VALUES ('{0}', {1}, {1});
INSERT INTO test_runs (id, tenant_id, run_key, application_id) VALUES ({1}, '{0}', 'r', {1});
INSERT INTO test_results (run_id, test_case_id, tenant_id, status)
  VALUES ({1}, {1}, '{0}', 'failed');
INSERT INTO orders (tenant_id, order_number) VALUES ('{0}', 'o-1');
"""


@contextmanager
def new_role(owner: Engine) -> Iterator[Engine]:
    """A new role that may sign in, and what it made when it goes."""
    name, password = f"qadb_test_{secrets.token_hex(4)}", secrets.token_hex(8)
    with owner.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {name}")
    url = make_url(owner.url).set(username=name, password=password)
    engine = create_engine(url, pool_size=1, max_overflow=0)
    yield engine
    engine.dispose()
    with owner.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name} CASCADE")
        connection.exec_driver_sql(f"DROP ROLE {name}")


def work_for(connection: Connection, tenant: str) -> None:
    connection.execute(text("SELECT set_config('qadb.tenant', :tenant, true)"), {"tenant": tenant})


def column(connection: Connection, query: str) -> list[object]:
    return list(connection.exec_driver_sql(query).scalars())

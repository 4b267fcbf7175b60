from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.migrations.revisions import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

ISO_3166_COUNTRIES = 249


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        upgrade(connection)
        yield connection


def _column(connection: Connection, query: str) -> list[str]:
    return list(connection.exec_driver_sql(query).scalars())


def test_the_default_tenant_is_there(connection: Connection) -> None:
    assert _column(connection, "SELECT id FROM tenants WHERE is_active") == ["default"]


def test_every_role_has_its_permissions(connection: Connection) -> None:
    query = """
    SELECT permissions.code FROM roles
    JOIN role_permissions ON role_id = roles.id
    JOIN permissions ON permissions.id = permission_id WHERE roles.name = '{}'"""
    all_codes = set(_column(connection, "SELECT code FROM permissions"))
    granted = {name: set(_column(connection, query.format(name))) for name in _roles(connection)}
    assert granted["admin"] == all_codes
    assert granted["viewer"] < granted["analyst"] < granted["operator"] < granted["admin"]
    assert {code.rsplit(".", 1)[1] for code in granted["viewer"]} == {"read"}
    assert not granted["operator"] & {"users.manage", "tenants.manage", "audit.read"}


def _roles(connection: Connection) -> list[str]:
    names = _column(connection, "SELECT name FROM roles ORDER BY name")
    assert names == ["admin", "analyst", "operator", "viewer"]
    return names


def test_test_types_name_the_usual_kinds(connection: Connection) -> None:
    usual = {"unit", "integration", "system", "performance", "security", "accessibility"}
    assert usual | {"exploratory"} <= set(_column(connection, "SELECT code FROM test_types"))


def test_countries_are_complete(connection: Connection) -> None:
    rows = {code: name for code, name in connection.exec_driver_sql("SELECT * FROM countries")}  # noqa: C416 - rows are no pairs to mypy
    assert len(rows) == len(set(rows.values())) == ISO_3166_COUNTRIES
    assert (rows["CI"], rows["AX"], rows["TR"]) == ("Côte d'Ivoire", "Åland Islands", "Türkiye")
    assert rows["BQ"] == "Bonaire, Sint Eustatius and Saba"

"""The reader of compiled SQL, on SQL that the ORM would not write."""

from __future__ import annotations

import pytest

from qadb.sessions.sql_blocks import Owned, Scan
from qadb.sessions.sql_scan import scan

OWNED = Owned(
    columns={"users": "tenant_id", "bugs": "tenant_id", "links": "tenant_id", "tenants": "id"},
    links=frozenset({"links"}),
    bind="own",
)


def read(sql: str) -> Scan:
    return scan(sql.replace(":own", "%(own)s").replace(":other", "%(other)s"), None, OWNED)


CONFINED = [
    "SELECT 1",
    "SELECT a.x FROM a",
    "SELECT users.id FROM users WHERE users.tenant_id = :own",
    "SELECT tenants.id FROM tenants WHERE tenants.id = :own",
    "SELECT u.id FROM users AS u WHERE u.tenant_id = :own",
    'SELECT "users".id FROM "users" WHERE "users".tenant_id = :own',
    "SELECT users.id FROM users JOIN bugs ON bugs.tenant_id = :own WHERE users.tenant_id = :own",
    "SELECT 'FROM bugs' FROM users WHERE users.tenant_id = :own",
    (
        "SELECT users.id FROM users, links WHERE users.tenant_id = :own"
        " AND users.tenant_id = links.tenant_id"
    ),
    "SELECT links.x FROM links WHERE :other = links.tenant_id AND links.x = 1",
    "SELECT users.x FROM users WHERE false",
    "SELECT users.x FROM users WHERE 0 = 1 ORDER BY users.x",
    (
        "SELECT users.x FROM users WHERE CASE WHEN users.y = 1 OR users.y = 2 THEN 1 END = 1"
        " AND users.tenant_id = :own"
    ),
    "SELECT users.x FROM users WHERE (users.y = 1 OR users.y = 2) AND users.tenant_id = :own",
    "SELECT a.x, users.x FROM a LEFT OUTER JOIN users ON a.x = 1 AND users.tenant_id = :own",
    (
        "SELECT a.x FROM a LEFT OUTER JOIN b ON a.x = b.x"
        " UNION SELECT users.x FROM users WHERE users.tenant_id = :own"
    ),
    "SELECT v.key FROM users, json_each(users.x) AS v WHERE users.tenant_id = :own",
    "SELECT users.x FROM users WHERE users.y IS DISTINCT FROM 1 AND users.tenant_id = :own",
]
NOT_CONFINED = [
    "SELECT users.id FROM users",
    "SELECT users.id FROM USERS",
    'SELECT x FROM main."Users"',
    "SELECT x FROM a, users",
    "SELECT x FROM users WHERE false OR users.x = 1",
    "SELECT x FROM users WHERE 0 = 1 AND 1 = 1 OR users.x = 1",
    "SELECT x FROM users WHERE 0 = 10",
    "SELECT x FROM users JOIN a ON 0 = 1",
    "SELECT users.id FROM users WHERE users.tenant_id = :other",
    "SELECT users.id FROM users WHERE users.id = :own",
    "SELECT users.id FROM users WHERE users.x = 1 OR users.y = 1 AND users.tenant_id = :own",
    "SELECT users.id FROM users WHERE users.tenant_id = :own OR 1 = 1",
    "SELECT users.id FROM users WHERE (users.tenant_id = :own OR 1 = 1)",
    "SELECT users.id FROM users GROUP BY users.id HAVING users.tenant_id = :own",
    "SELECT users.tenant_id = :own FROM users",
    "SELECT users.id FROM users WHERE bugs.tenant_id = :own",
    "SELECT u.id FROM users AS u WHERE users.tenant_id = :own",
    "SELECT users.id FROM users WHERE users.tenant_id = :own UNION SELECT users.id FROM users",
    (
        "SELECT users.id FROM users WHERE users.tenant_id = :own"
        " AND EXISTS (SELECT 1 FROM bugs WHERE users.tenant_id = :own)"
    ),
    (
        "SELECT users.id FROM users WHERE users.id IN (SELECT users.id FROM users"
        " WHERE users.tenant_id = :own)"
    ),
    "SELECT links.x FROM links WHERE :other = links.tenant_id OR 1 = 1",
    "SELECT links.x FROM links WHERE (links.tenant_id = :other OR 1 = 1)",
    "SELECT links.x FROM links WHERE NOT (links.tenant_id = :other)",
    "SELECT links.x FROM links WHERE NOT links.tenant_id = :other",
    "SELECT links.x FROM links WHERE links.tenant_id = :other || 'x'",
    "SELECT links.tenant_id = :other FROM links",
    "SELECT links.x FROM links GROUP BY links.x HAVING links.tenant_id = :other",
    "SELECT links.x FROM links WHERE CASE WHEN 1 = 1 AND links.tenant_id = :other AND 1 = 1 THEN 1",
    (
        "SELECT links.x FROM links LEFT OUTER JOIN users ON links.tenant_id = :other"
        " WHERE users.tenant_id = :own"
    ),
    "SELECT links.x FROM links, users WHERE links.tenant_id = users.tenant_id",
    (
        "SELECT links.x FROM links JOIN (SELECT 'r' AS tenant_id FROM users"
        " WHERE users.tenant_id = :own) AS s ON s.tenant_id = links.tenant_id"
    ),
]


@pytest.mark.parametrize("sql", CONFINED)
def test_confined_sql_is_recognised(sql: str) -> None:
    found = read(sql)
    assert (found.unconfined, found.problem) == (set(), None)


@pytest.mark.parametrize("sql", NOT_CONFINED)
def test_anything_else_counts_as_unconfined(sql: str) -> None:
    assert read(sql).unconfined


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT users.id FROM users /* users.tenant_id = :own",
        "SELECT users.id FROM users WHERE users.tenant_id = :own -- ",
        "SELECT users.id FROM users) WHERE (users.tenant_id = :own",
        "WITH x AS (UPDATE users SET x=1 WHERE users.tenant_id = :own) DELETE FROM users",
        "WITH x AS (INSERT INTO users (tenant_id) VALUES (:other)) SELECT 1",
        "SELECT bugs.x FROM users FULL OUTER JOIN bugs ON bugs.tenant_id = :own",
        "SELECT a.x FROM a LEFT OUTER JOIN users ON a.x = users.x WHERE users.tenant_id = :own",
        "SELECT n.title FROM notes_search(:other) AS n",
        "SELECT n.title FROM a JOIN notes_search(:other) AS n ON 1 = 1",
    ],
)
def test_sql_that_could_mean_anything_is_a_problem(sql: str) -> None:
    assert read(sql).problem


def test_binds_that_links_rest_on_are_named() -> None:
    found = read("SELECT links.x FROM links WHERE links.tenant_id = :other")
    assert (found.unconfined, found.binds) == (set(), {"other"})


def test_positional_binds_are_told_apart() -> None:
    sql = "SELECT users.id FROM users WHERE users.x IN (__[POSTCOMPILE_x]) AND users.tenant_id = ?"
    assert not scan(sql, ["x", "own"], OWNED).unconfined
    assert scan(sql, ["x", "other"], OWNED).unconfined
    assert scan(sql, ["own", "x"], OWNED).unconfined


@pytest.mark.parametrize(
    ("sql", "target", "is_confined", "sets_owner"),
    [
        ("UPDATE users SET x=1 WHERE users.tenant_id = :own", "users", True, False),
        ("UPDATE users SET x=1 WHERE users.id = :other", "users", False, False),
        ("UPDATE users SET x=1, tenant_id=:own WHERE users.id = 1", "users", False, True),
        ("DELETE FROM users WHERE users.tenant_id = :own", "users", True, False),
        ("DELETE FROM users", "users", False, False),
        ("DELETE FROM roles", "roles", False, False),
        ("INSERT INTO users (tenant_id, x) VALUES (:other, 1)", "users", False, False),
    ],
)
def test_changes_name_their_target(
    sql: str, target: str, is_confined: bool, sets_owner: bool
) -> None:
    found = read(sql)
    assert (found.target, found.target_is_confined) == (target, is_confined)
    assert found.sets_owner is sets_owner
    assert not found.unconfined


def test_a_second_table_of_an_update_must_be_confined_too() -> None:
    sql = "UPDATE users SET x=bugs.x FROM bugs WHERE users.tenant_id = :own"
    assert read(sql).unconfined == {"bugs"}


def test_a_query_inside_an_insert_must_be_confined() -> None:
    assert read("INSERT INTO users (x) SELECT bugs.x FROM bugs").unconfined == {"bugs"}
    assert read("INSERT INTO users (x) SELECT users.x FROM users").unconfined == {"users"}


UPSERT = "INSERT INTO users (x) VALUES (1) ON CONFLICT (id) DO UPDATE SET x = excluded.x"


def test_an_upsert_must_confine_the_row_that_it_finds() -> None:
    assert not read(UPSERT).target_is_confined
    assert read(f"{UPSERT} WHERE users.tenant_id = :own").target_is_confined
    twice = f"{UPSERT} ON CONFLICT (y) DO UPDATE SET x = 1 WHERE users.tenant_id = :own"
    assert read(twice).problem

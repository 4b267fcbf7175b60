"""Every change that a catalog can show is a difference; what is no change is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.backends.catalog import Catalog, Difference, diff
from tests.migrations.catalogs import read_catalog
from tests.migrations.revisions import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

BASE = """
CREATE TABLE parents (id bigint NOT NULL PRIMARY KEY, a varchar(10) DEFAULT 'x', b numeric(10, 2),
  CONSTRAINT ck_a CHECK (a <> 'y'));
CREATE TABLE children (id bigint NOT NULL PRIMARY KEY, parent_id bigint, note text,
  CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES parents (id) ON DELETE CASCADE);
CREATE INDEX idx_note ON children (note) WHERE note IS NOT NULL;
CREATE VIEW notes AS SELECT note FROM children;
"""

ON_BOTH = {
    "DROP VIEW notes": "view notes",
    "DROP INDEX idx_note": "index idx_note",
    "CREATE INDEX idx_a ON parents (a)": "index idx_a",
    "CREATE UNIQUE INDEX idx_a ON parents (a)": "index idx_a",
    "ALTER TABLE parents ADD COLUMN c text": "table parents column c",
    "ALTER TABLE parents DROP COLUMN b": "table parents column b",
    "ALTER TABLE children RENAME COLUMN parent_id TO mother_id": "table children column mother_id",
    "CREATE TABLE more (id bigint)": "table more",
}

ON_POSTGRESQL = {
    "ALTER TABLE parents ALTER a TYPE varchar(20)": "table parents column a",
    "ALTER TABLE parents ALTER a SET DEFAULT 'z'": "table parents column a",
    "ALTER TABLE parents ALTER a SET NOT NULL": "table parents column a",
    'ALTER TABLE parents ALTER a TYPE varchar(10) COLLATE "C"': "table parents column a",
    "ALTER TABLE parents ALTER id ADD GENERATED ALWAYS AS IDENTITY": "sequence parents_id_seq",
    "ALTER TABLE parents ADD d int GENERATED ALWAYS AS (1) STORED": "table parents column d",
    "ALTER TABLE parents DROP CONSTRAINT ck_a": "table parents constraint ck_a",
    "ALTER TABLE parents DROP CONSTRAINT ck_a, ADD CONSTRAINT ck_a CHECK (a <> 'y') NOT VALID": (
        "table parents constraint ck_a"
    ),
    "ALTER TABLE children ALTER CONSTRAINT fk_parent DEFERRABLE": (
        "table children constraint fk_parent"
    ),
    "ALTER TABLE children DISABLE TRIGGER ALL": (
        'table children trigger fk_parent "RI_FKey_check_ins"'
    ),
    "DROP INDEX idx_note; CREATE INDEX idx_note ON children (note)": "index idx_note",
    "DROP INDEX idx_note; CREATE INDEX idx_note ON children USING hash (note)"
    " WHERE note IS NOT NULL": "index idx_note",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_note'::regclass": (
        "index idx_note"
    ),
    "ALTER TABLE parents ENABLE ROW LEVEL SECURITY": "table parents",
    "ALTER TABLE parents FORCE ROW LEVEL SECURITY": "table parents",
    "ALTER TABLE parents SET (fillfactor = 70)": "table parents",
    "ALTER TABLE children SET UNLOGGED": "table children",
    "CREATE POLICY own ON parents USING (a = 'x')": "table parents policy own",
    "CREATE RULE quiet AS ON DELETE TO parents DO INSTEAD NOTHING": "table parents rule quiet",
    "CREATE STATISTICS more ON a, b FROM parents": "statistics more",
    "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x'": "function f(x integer)",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER t BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION f()": (
        "table parents trigger t"
    ),
    "CREATE SEQUENCE numbers": "sequence numbers",
    "CREATE TYPE mood AS ENUM ('sad', 'happy')": "type mood",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9)": "type short",
    "CREATE TYPE pair AS (x int, y int)": "type pair",
    "ALTER TABLE parents ALTER a SET STORAGE EXTERNAL": "table parents column a",
    "ALTER TABLE parents ALTER a SET COMPRESSION pglz": "table parents column a",
    "ALTER TABLE parents ALTER a SET STATISTICS 500": "table parents column a",
    'CREATE COLLATION plain FROM "C"': "collation plain",
    "CREATE TEXT SEARCH CONFIGURATION words (COPY = simple)": ("text search configuration words"),
    "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one": "view kept",
    "CREATE OR REPLACE VIEW notes AS SELECT upper(note) AS note FROM children": "view notes",
    "COMMENT ON COLUMN parents.a IS 'a letter'": "comment on column a of table parents",
    "COMMENT ON CONSTRAINT ck_a ON parents IS 'why'": (
        "comment on constraint ck_a on table parents"
    ),
}

# Each pair is one table written in two ways that mean the same to SQLite.
SAME_ON_SQLITE = {
    "CREATE TABLE t (a text, b int)": 'create table "t"  (\n[a] TEXT /* one */, `b` INT -- two\n)',
    "CREATE TABLE t (a text, b int, CHECK (a<>'X'))": (
        "CREATE TABLE t (b int, a text, CHECK(a <> 'X'))"
    ),
    "CREATE TABLE t (a text DEFAULT 'x', b int, CONSTRAINT k CHECK (length(a) < (2)))": (
        "CREATE TABLE t (a text CONSTRAINT k CHECK (length(a) < (2)) DEFAULT 'x', b int)"
    ),
}

OTHER_ON_SQLITE = {
    "CREATE TABLE t (a text, CHECK (a <> 'X'))": "CREATE TABLE t (a text, CHECK (a <> 'x'))",
    "CREATE TABLE t (a text, CONSTRAINT k CHECK (a <> 'X'))": (
        "CREATE TABLE t (a text CONSTRAINT k CHECK (a <> 'x'))"
    ),
    "CREATE TABLE t (a text, b int)": "CREATE TABLE t (a text, b integer)",
    "CREATE TABLE t (a text PRIMARY KEY)": "CREATE TABLE t (a text PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE t (a integer PRIMARY KEY)": (
        "CREATE TABLE t (a integer PRIMARY KEY AUTOINCREMENT)"
    ),
    "CREATE TABLE t (a text COLLATE nocase)": "CREATE TABLE t (a text)",
    "CREATE TABLE t (a int, b int AS (a + 1))": "CREATE TABLE t (a int, b int AS (a + 2))",
    "CREATE TABLE t (a int DEFAULT 1)": "CREATE TABLE t (a int DEFAULT 2)",
    "CREATE TABLE t (a int NOT NULL)": "CREATE TABLE t (a int)",
    "CREATE TABLE t (a int, b int, UNIQUE (a, b))": "CREATE TABLE t (a int, b int, UNIQUE (b, a))",
    "CREATE TABLE t (a int REFERENCES t (a))": (
        "CREATE TABLE t (a int REFERENCES t (a) ON DELETE CASCADE)"
    ),
    "CREATE TABLE t (a int, CONSTRAINT one UNIQUE (a))": (
        "CREATE TABLE t (a int, CONSTRAINT two UNIQUE (a))"
    ),
    "CREATE TABLE t (a); CREATE INDEX i ON t (a)": (
        "CREATE TABLE t (a); CREATE INDEX i ON t (a DESC)"
    ),
    "CREATE TABLE t (a); CREATE INDEX i ON t (lower(a))": (
        "CREATE TABLE t (a); CREATE INDEX i ON t (upper(a))"
    ),
    "CREATE VIRTUAL TABLE t USING fts5(a)": (
        "CREATE VIRTUAL TABLE t USING fts5(a, tokenize = 'porter')"
    ),
    "CREATE TABLE t (a); CREATE TRIGGER g AFTER UPDATE ON t BEGIN DELETE FROM t; END": (
        "CREATE TABLE t (a); CREATE TRIGGER g BEFORE UPDATE ON t BEGIN DELETE FROM t; END"
    ),
}


def _run(engine: Engine, script: str) -> Catalog:
    with engine.begin() as connection:
        for statement in _statements(script):
            connection.exec_driver_sql(statement)
        return read_catalog(connection)


def _statements(script: str) -> Iterator[str]:
    if "BEGIN" not in script:
        yield from (part for part in script.split(";") if part.strip())
    else:  # the last statement holds semicolons of its own
        yield from script.split("; ", 1) if script.startswith("CREATE TABLE") else [script]


@pytest.mark.parametrize("change", ON_BOTH)
def test_a_change_is_a_difference_on_both_engines(database_url: str, change: str) -> None:
    engine = open_engine(database_url)
    before = _run(engine, BASE)
    after = _run(engine, change)
    engine.dispose()
    assert ON_BOTH[change] in [difference.object for difference in diff(before, after)]


@pytest.mark.parametrize("change", ON_POSTGRESQL)
def test_a_change_is_a_difference_on_postgresql(postgresql_url: str, change: str) -> None:
    engine = open_engine(postgresql_url)
    before = _run(engine, BASE)
    after = _run(engine, change)
    engine.dispose()
    assert ON_POSTGRESQL[change] in [difference.object for difference in diff(before, after)]


@pytest.mark.parametrize("first", OTHER_ON_SQLITE)
def test_a_change_is_a_difference_on_sqlite(first: str) -> None:
    one, other = open_engine("sqlite://"), open_engine("sqlite://")
    differences = diff(_run(one, first), _run(other, OTHER_ON_SQLITE[first]))
    one.dispose()
    other.dispose()
    assert differences


@pytest.mark.parametrize("first", SAME_ON_SQLITE)
def test_another_spelling_is_no_difference_on_sqlite(first: str) -> None:
    one, other = open_engine("sqlite://"), open_engine("sqlite://")
    differences = diff(_run(one, first), _run(other, SAME_ON_SQLITE[first]))
    one.dispose()
    other.dispose()
    assert differences == ()


def test_check_that_was_dumped_and_restored_is_no_difference(postgresql_url: str) -> None:
    """The server reads its own words for IN on a varchar otherwise than ours."""
    engine = open_engine(postgresql_url)
    before = _run(
        engine, "CREATE TABLE t (a varchar CONSTRAINT k CHECK (a IN ('x', 'it''s', 'z')))"
    )
    with engine.begin() as connection:
        query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'k'"
        words = connection.exec_driver_sql(query).scalar_one()
    again = _run(engine, f"ALTER TABLE t DROP CONSTRAINT k, ADD CONSTRAINT k {words}")
    other = "ALTER TABLE t DROP CONSTRAINT k, ADD CONSTRAINT k CHECK (a IN ('x', 'it''s', 'y'))"
    changed = _run(engine, other)
    engine.dispose()

    assert diff(before, again) == ()
    assert [each.object for each in diff(before, changed)] == ["table t constraint k"]


def test_the_order_of_columns_is_no_difference(two_engines: tuple[Engine, Engine]) -> None:
    first, second = two_engines
    one = _run(first, "CREATE TABLE t (a text, b bigint); CREATE INDEX i ON t (b)")
    other = _run(second, "CREATE TABLE t (b bigint, a text); CREATE INDEX i ON t (b)")
    assert diff(one, other) == ()


def test_catalogs_of_two_namespaces_compare(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    script = BASE + "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x'"
    here = _run(engine, script)
    there = _run(engine, 'CREATE SCHEMA "Other"; SET LOCAL search_path TO "Other";' + script)
    engine.dispose()
    assert "table parents" in there.objects
    assert diff(here, there) == ()


def test_objects_of_extensions_are_left_out(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    before = _run(engine, BASE)
    script = """
    CREATE TABLE theirs (id bigint PRIMARY KEY, m text); CREATE SEQUENCE their_numbers;
    CREATE VIEW their_view AS SELECT 1 AS one; CREATE TYPE their_type AS ENUM ('a');
    CREATE FUNCTION their_function() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER EXTENSION plpgsql ADD TABLE theirs; ALTER EXTENSION plpgsql ADD VIEW their_view;
    ALTER EXTENSION plpgsql ADD SEQUENCE their_numbers; ALTER EXTENSION plpgsql ADD TYPE their_type;
    ALTER EXTENSION plpgsql ADD FUNCTION their_function()"""
    after = _run(engine, script)
    engine.dispose()
    assert diff(before, after) == ()


def test_ignored_tables_are_left_out_with_all_that_is_theirs(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE qadb_version (id bigint PRIMARY KEY, n text)")
        connection.exec_driver_sql("CREATE INDEX i ON qadb_version (n)")
        assert read_catalog(connection).objects == {}


def test_what_a_virtual_table_keeps_its_data_in_is_left_out() -> None:
    engine = open_engine("sqlite://")
    found = _run(engine, "CREATE VIRTUAL TABLE t USING fts5(a)")
    engine.dispose()
    assert {name.split()[1] for name in found.objects} == {"t"}


def test_opening_a_function_with_its_owners_rights_is_a_difference(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    function = "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"
    before = _run(engine, f"{function} REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC")
    after = _run(engine, "GRANT EXECUTE ON FUNCTION f() TO PUBLIC")
    engine.dispose()
    assert [difference.object for difference in diff(before, after)] == ["function f()"]


def test_differences_name_both_definitions_in_order() -> None:
    expected = Catalog({"table b": "1", "table a": "1", "table same": "1"})
    found = Catalog({"table b": "2", "table c": "1", "table same": "1"})
    assert diff(expected, found) == (
        Difference("table a", "1", None),
        Difference("table b", "1", "2"),
        Difference("table c", None, "1"),
    )

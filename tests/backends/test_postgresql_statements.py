"""What is read from a statement is what the server does with it: its locks and its files."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.effects import NO_DEFAULT, RUNS_CODE, Effect, ForeignKey
from qadb.backends.postgresql.foreign_keys import FOREIGN_KEYS
from qadb.backends.postgresql.statements import NOT_CONCURRENTLY, UNKNOWN, read_effects
from tests.support.postgres_client import execute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import cursor

TABLES = """
CREATE TABLE parent (id bigint PRIMARY KEY, name varchar(20), "Odd, name" int, note text);
CREATE TABLE other (id bigint PRIMARY KEY, parent_id bigint);
CREATE TABLE elder (id bigint PRIMARY KEY, code text UNIQUE);
CREATE TABLE younger (id bigint PRIMARY KEY, elder_id bigint CONSTRAINT fk_elder REFERENCES elder,
  code text REFERENCES elder (code), twin_id bigint CONSTRAINT fk_twin REFERENCES younger);
CREATE TABLE grandchild (id bigint, younger_id bigint REFERENCES younger);
CREATE UNIQUE INDEX by_name ON parent (name);
ALTER TABLE parent ADD CONSTRAINT ck_late CHECK (id > 0) NOT VALID;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION f();
CREATE POLICY p ON parent USING (true);
INSERT INTO parent SELECT n, 'n' || n, n, 'x' FROM generate_series(1, 50) n;
"""

STATEMENTS = (
    "ALTER TABLE parent ADD COLUMN more text",
    "ALTER TABLE parent ADD COLUMN more int DEFAULT 7 NOT NULL",
    "ALTER TABLE parent ADD COLUMN more timestamptz DEFAULT now()",
    "ALTER TABLE parent ADD COLUMN more timestamptz DEFAULT clock_timestamp()",
    "ALTER TABLE parent ADD COLUMN more uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE parent ADD COLUMN more bigint GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE parent ADD COLUMN more bigint GENERATED ALWAYS AS (id * 2) STORED",
    "ALTER TABLE parent ADD COLUMN more bigint REFERENCES other (id)",
    "ALTER TABLE parent DROP COLUMN note",
    "ALTER TABLE parent ALTER COLUMN name TYPE int USING id",
    "ALTER TABLE parent ALTER COLUMN name SET NOT NULL",
    "ALTER TABLE parent ALTER name DROP NOT NULL",
    "ALTER TABLE parent ALTER name SET DEFAULT 'a, b'",
    'ALTER TABLE parent ALTER "Odd, name" SET STATISTICS 7',
    "ALTER TABLE parent ALTER note SET (n_distinct = 5)",
    "ALTER TABLE parent ADD CONSTRAINT ck CHECK (name <> 'FOREIGN KEY, x')",
    "ALTER TABLE parent ADD CONSTRAINT ck CHECK (id > 0) NOT VALID",
    "ALTER TABLE parent VALIDATE CONSTRAINT ck_late",
    "ALTER TABLE parent ADD CONSTRAINT uq UNIQUE (name)",
    "ALTER TABLE parent ADD CONSTRAINT uq UNIQUE USING INDEX by_name",
    "ALTER TABLE other ADD CONSTRAINT fk FOREIGN KEY (parent_id) REFERENCES parent (id)",
    "ALTER TABLE other ADD FOREIGN KEY (parent_id) REFERENCES parent (id) NOT VALID",
    "ALTER TABLE parent DROP CONSTRAINT ck_late",
    "ALTER TABLE parent RENAME TO renamed",
    "ALTER TABLE parent RENAME COLUMN note TO notes",
    "ALTER TABLE parent ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE parent DISABLE TRIGGER t",
    "ALTER TABLE parent SET (fillfactor = 70)",
    "ALTER TABLE parent SET UNLOGGED",
    "ALTER TABLE parent REPLICA IDENTITY FULL",
    "ALTER TABLE public.parent ADD COLUMN one int, ALTER note SET STATISTICS 5",
    "CREATE INDEX by_note ON parent (note)",
    "CREATE UNIQUE INDEX IF NOT EXISTS by_id ON public.parent USING btree (id) WHERE id > 1",
    "DROP TABLE parent",
    "TRUNCATE parent",
    "TRUNCATE TABLE parent, other",
    "CREATE RULE r AS ON UPDATE TO parent DO INSTEAD NOTHING",
    "CREATE TABLE child () INHERITS (parent)",
    "ANALYZE parent",
    "ALTER TABLE parent ADD COLUMN more int CHECK (more > 0)",
    "ALTER TABLE parent ADD COLUMN more int UNIQUE",
    "CREATE TRIGGER u AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE CONSTRAINT TRIGGER u AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION f()",
    "DROP TRIGGER t ON parent",
    "CREATE POLICY q ON parent USING (true)",
    "DROP POLICY p ON parent",
    "COMMENT ON TABLE parent IS 'it'",
    "COMMENT ON COLUMN parent.note IS 'ON parent'",
    "CREATE STATISTICS s ON id, name FROM parent",
    "LOCK TABLE parent",
    "LOCK TABLE parent, ONLY other IN SHARE ROW EXCLUSIVE MODE NOWAIT",
    "LOCK parent *, other IN share MODE",
    "LOCK parent IN EXCLUSIVE MODE",
    "LOCK parent IN SHARE UPDATE EXCLUSIVE MODE",
    "LOCK TABLE public.parent IN ROW EXCLUSIVE MODE",
    "LOCK TABLE parent IN ROW SHARE MODE",
    "LOCK TABLE parent IN ACCESS SHARE MODE",
    "MERGE INTO parent p USING other o ON p.id = o.id WHEN MATCHED THEN UPDATE SET note = 'x'",
    "WITH gone AS (DELETE FROM other RETURNING id) INSERT INTO parent (id) SELECT id FROM gone",
    "WITH a AS MATERIALIZED (SELECT 1), b AS (UPDATE other SET id = 2 RETURNING 1) SELECT FROM b",
    "WITH x (id) AS (SELECT 1) UPDATE ONLY parent SET note = '(DELETE FROM other)' FROM x",
    "WITH x AS (SELECT 9 AS y) MERGE INTO parent p USING x ON id = y WHEN MATCHED THEN DELETE",
    "WITH x AS (SELECT 1) SELECT * FROM parent FOR UPDATE",
    "WITH x AS (SELECT 9) INSERT INTO other TABLE x ON CONFLICT (id) DO UPDATE SET id = 4",
    "INSERT INTO parent (id) VALUES (99)",
    "UPDATE parent SET note = 'ALTER TABLE other'",
    "DELETE FROM parent WHERE id = 1",
    "CREATE TABLE child (id int, parent_id bigint REFERENCES parent (id))",
    "ALTER TABLE younger DROP CONSTRAINT fk_elder",
    "ALTER TABLE younger DROP CONSTRAINT IF EXISTS fk_twin",
    "ALTER TABLE younger DROP COLUMN elder_id, ADD COLUMN more int",
    "ALTER TABLE younger DROP twin_id",
    "ALTER TABLE younger ALTER COLUMN elder_id TYPE int",
    "ALTER TABLE younger ALTER code SET DATA TYPE varchar(20)",
    "ALTER TABLE younger ALTER id TYPE int",
    "ALTER TABLE younger ALTER CONSTRAINT fk_elder DEFERRABLE",
    "ALTER TABLE younger VALIDATE CONSTRAINT fk_elder",
    "ALTER TABLE younger RENAME CONSTRAINT fk_elder TO fk_older",
    "ALTER TABLE elder ALTER code TYPE varchar(30)",
    "ALTER TABLE elder DROP CONSTRAINT elder_pkey CASCADE",
    "ALTER TABLE elder DROP COLUMN code CASCADE",
    "DROP TABLE grandchild",
    "DROP TABLE IF EXISTS younger CASCADE",
    "DROP TABLE elder, younger, grandchild",
    "TRUNCATE elder CASCADE",
    "TRUNCATE ONLY grandchild, younger RESTART IDENTITY",
)

OWN_TABLES = "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
OWN_TABLES += " AND relkind = 'r'"
# The strongest lock that this process holds on each table that was there before.
LOCKS = """
SELECT l.relation, l.mode FROM pg_locks l
WHERE l.pid = pg_backend_pid() AND l.granted AND l.relation = ANY (%s::oid[])
"""
MODES = ("AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
         "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")  # fmt: skip
NOTICED = MODES[2:]
FILES = "SELECT oid, relfilenode FROM pg_class WHERE oid = ANY (%s)"


@pytest.fixture
def in_transaction(postgresql_url: str) -> Iterator[cursor]:
    """Tables that are there, and a transaction that is rolled back."""
    execute(postgresql_url, TABLES.replace("{", "{{").replace("}", "}}"))
    with closing(psycopg2.connect(postgresql_url)) as connection:
        yield connection.cursor()


def in_words(mode: str) -> str:
    """``AccessExclusiveLock`` as people write it."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in mode)
    return spaced.removesuffix(" Lock").strip().upper()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_effects_are_what_the_server_does(in_transaction: cursor, statement: str) -> None:
    in_transaction.execute(OWN_TABLES)
    names = dict(in_transaction.fetchall())
    in_transaction.execute(FOREIGN_KEYS)
    keys = [ForeignKey(*row) for row in in_transaction.fetchall()]
    in_transaction.execute(FILES, (list(names),))
    files = dict(in_transaction.fetchall())
    in_transaction.connection.rollback()

    in_transaction.execute(statement)

    in_transaction.execute(LOCKS, (list(names),))
    held: dict[str, str] = {}
    for oid, mode in in_transaction.fetchall():
        name = names[oid]
        held[name] = max(held.get(name, MODES[0]), mode, key=MODES.index)
    noticed = {name: in_words(mode) for name, mode in held.items() if mode in NOTICED}
    effects = read_effects(statement, keys)
    assert {effect.table: effect.lock for effect in effects} == noticed
    assert len(effects) == len(noticed)

    in_transaction.execute(FILES, (list(names),))
    rewritten = {names[oid] for oid, file in in_transaction.fetchall() if files[oid] != file}
    if "TRUNCATE" not in statement:  # an empty file is no work
        assert {effect.table for effect in effects if effect.rewrites} >= rewritten


def test_building_an_index_warns_unless_it_holds_nobody_up() -> None:
    (plain,) = read_effects("CREATE INDEX i ON parent (name)")
    (concurrent,) = read_effects("CREATE UNIQUE INDEX CONCURRENTLY i ON parent (name)")

    assert plain.risks == (NOT_CONCURRENTLY,)
    assert (concurrent.lock, concurrent.blocks, concurrent.scans) == (
        "SHARE UPDATE EXCLUSIVE",
        (),
        True,
    )


@pytest.mark.parametrize(
    ("action", "risks"),
    [
        ("ADD COLUMN c int NOT NULL", (NO_DEFAULT,)),
        ("ADD c int NOT NULL DEFAULT 1", ()),
        ("ADD COLUMN c int", ()),
        ("ADD CONSTRAINT c CHECK (a IS NOT NULL)", ()),
    ],
)
def test_column_without_a_value_is_a_risk(action: str, risks: tuple[str, ...]) -> None:
    (effect,) = read_effects(f"ALTER TABLE t {action}")

    assert effect.risks == risks


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1", "", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ DROP TABLE t $$",
     "CREATE OR REPLACE VIEW v AS SELECT 1", "GRANT SELECT ON t TO r", "SET LOCAL x = 1",
     "CREATE TABLE t (id int)", "DROP FUNCTION f()", "-- DROP TABLE t"],
)  # fmt: skip
def test_nobody_notices(statement: str) -> None:
    assert read_effects(statement) == ()


@pytest.mark.parametrize(
    "statement",
    ["DO $$ BEGIN LOCK TABLE t; END $$", "do language plpgsql 'BEGIN NULL; END'", "CALL p(1)"],
)
def test_code_is_not_foreseen(statement: str) -> None:
    assert read_effects(statement) == (Effect(None, risks=(RUNS_CODE,)),)


def test_key_that_is_checked_again_reads_its_table() -> None:
    key = ForeignKey("fk", "child", ["parent_id"], "parent", ["id"], "pk_parent")

    effects = read_effects("ALTER TABLE parent ALTER id TYPE bigint", [key])

    assert {effect.table: effect.scans for effect in effects}["child"]


def test_what_is_not_known_is_taken_for_the_worst() -> None:
    (effect,) = read_effects("SOMETHING NEW t")

    assert (effect.table, effect.lock, effect.risks) == (None, "ACCESS EXCLUSIVE", (UNKNOWN,))

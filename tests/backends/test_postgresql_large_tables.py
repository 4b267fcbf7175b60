"""Large tables in a backup: whatever they hold comes back, as others do."""

from __future__ import annotations

import io
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import dumper, restorer
from qadb.backends.postgresql.restoring.analyzing import Analyzer
from qadb.backends.postgresql.restoring.archive_restoring import ArchiveRestoring
from qadb.errors import (
    InsufficientPrivilege,
    LockNotAvailable,
)
from tests.backends.postgresql_rich import (
    as_text,
    backed_up,
    frozen,
    make_rich,
    parsed,
    rebuilt,
    write_out,
)
from tests.support.databases import dump
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer

# Names and values that a statement, a pattern or COPY's text may take for something else.
ODD = r"""
CREATE SCHEMA "a.b";
CREATE TABLE "a.b"."t""*?%$|x" ("c ""d%%" text, "e'" text, gone integer, n numeric, at timestamptz,
    many text[], j jsonb, twice text GENERATED ALWAYS AS ("e'" || "e'") STORED);
ALTER TABLE "a.b"."t""*?%$|x" DROP COLUMN gone;
INSERT INTO "a.b"."t""*?%$|x" ("c ""d%%", "e'", n, at, many, j) VALUES
    (E'\\.', E'a\nb\tc\\d', 1e-20, '2026-03-01 12:00:00.123456+05', '{"a,b",NULL}', '{"a": null}'),
    (E'\x01\\.', E'\x01', NULL, '0044-03-15 BC', '{}', NULL),
    ('', NULL, 'NaN', 'infinity', NULL, '[]'),
    (E'\\N', '\N', '-0', NULL, ARRAY[E'\\'], '"x"');
INSERT INTO "a.b"."t""*?%$|x" ("c ""d%%")
    SELECT repeat(n::text, 300) FROM generate_series(1, 400) AS n;
CREATE TABLE parent (id integer PRIMARY KEY, word text);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent SELECT n, 'parent' FROM generate_series(1, 3000) AS n;
INSERT INTO child SELECT n, 'child' FROM generate_series(1, 3000) AS n;
CREATE TABLE referring (id integer REFERENCES parent);
INSERT INTO referring SELECT n FROM generate_series(1, 3000) AS n;
CREATE TABLE hashed (id integer) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT generate_series(1, 100);
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE moods (m mood, n integer) PARTITION BY HASH (m);
CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 1, REMAINDER 0)
    PARTITION BY LIST (n);
CREATE TABLE moods_0_1 PARTITION OF moods_0 FOR VALUES IN (1);
INSERT INTO moods VALUES ('sad', 1), ('glad', 1);
CREATE TABLE "é" AS SELECT generate_series(1, 100) AS n;
CREATE TABLE accented AS SELECT generate_series(1, 100) AS "é";
CREATE TABLE wide (); INSERT INTO wide DEFAULT VALUES;
CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 100) AS n;
CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM parent;
CREATE TABLE sealed AS SELECT generate_series(1, 100) AS n;
REVOKE INSERT ON sealed FROM CURRENT_USER;
"""
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
NOT_IN_RANGES = {"hashed_0", "hashed_1", "moods_0_1", "é", "accented", "wide", "sealed"}

pytestmark = pytest.mark.usefixtures("every_table_is_large")


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    with ordinary_role(postgresql_url) as ordinary:
        yield ordinary


@pytest.mark.parametrize("jobs", [1, 3])
def test_rebuilt_database_equals_the_one_that_was_backed_up(
    postgresql_server: PostgresServer,
    url: DatabaseUrl,
    role: Role,
    tmp_path: Path,
    jobs: int,
) -> None:
    make_rich(as_text(url), role.name)
    execute(as_text(url), ODD)
    with frozen(url, tmp_path) as moment:
        in_ranges = {table.name for table in moment.tables}
        sink = io.BytesIO()
        moment.write(sink, lambda _: None, jobs=jobs)
    assert set(fetch_column(as_text(url), TABLES)) - in_ranges == NOT_IN_RANGES

    with rebuilt(sink, url, moment.details, jobs=jobs) as made:
        restorer.check(made)
        dumps = [sorted(dump(as_text(each), postgresql_server)) for each in (made, url)]
        assert dumps[0] == dumps[1]
        for table in ("parent", "summed", "measured_2026", '"a.b"."t""*?%$|x"'):
            query = f"SELECT reltuples::int FROM pg_class WHERE oid = '{table}'::regclass"
            counted = f"SELECT count(*) FROM ONLY {table}"
            assert fetch_column(as_text(made), query) == fetch_column(as_text(made), counted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_any_encoding_comes_back_byte_by_byte(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path, encoding: str
) -> None:
    other = url.with_database(f"{postgresql_server.prefix}{encoding.lower()}")
    options = f"TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    execute(as_text(url), f"CREATE DATABASE {{}} {options}", str(other.database))
    try:
        word = "E'\\344\\n'" if encoding == "SQL_ASCII" else "chr(228)"
        execute(
            as_text(other),
            f"CREATE TABLE t AS SELECT {word} || n AS w, '\\xff00'::bytea AS b"
            " FROM generate_series(1, 1000) AS n",
        )
        name = '"é"' if encoding == "LATIN1" else "e"
        execute(as_text(other), f"CREATE TABLE {name} AS SELECT * FROM t")
        content, details = backed_up(other, tmp_path)
        with rebuilt(content, other, details) as made:
            assert fetch_column(as_text(made), f"SELECT count(*) FROM {name}") == ["1000"]
            query = "SELECT md5(string_agg(encode(w::bytea || b, 'hex'), ',' ORDER BY w)) FROM t"
            assert fetch_column(as_text(made), query) == fetch_column(as_text(other), query)
    finally:
        execute(as_text(url), "DROP DATABASE {} WITH (FORCE)", str(other.database))


def test_settings_of_a_role_change_no_value(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    execute(
        as_text(url),
        "CREATE TABLE t AS SELECT now() + n * interval '1 hour' AS at, n / 3.0::float8 AS f,"
        " make_interval(mins => n) AS i FROM generate_series(1, 2000) AS n",
    )
    for setting in (
        "DateStyle = 'SQL, DMY'",
        "extra_float_digits = -5",
        "IntervalStyle = 'sql_standard'",
        "enable_tidscan = off",
        "client_encoding = 'LATIN1'",
    ):
        execute(as_text(url), f"ALTER DATABASE {{}} SET {setting}", str(url.database))
    content, details = backed_up(url, tmp_path)
    with rebuilt(content, url, details) as made:
        for each in (made, url):
            execute(as_text(each), "ALTER DATABASE {} RESET ALL", str(each.database))
        dumps = [sorted(dump(as_text(each), postgresql_server)) for each in (made, url)]
        assert dumps[0] == dumps[1]


def test_table_that_somebody_keeps_is_left_to_pg_dump(
    url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(as_text(url), "CREATE TABLE t AS SELECT 1 AS n")
    monkeypatch.setattr(dumper, "LOCK_WAIT", "100ms")
    with closing(psycopg2.connect(as_text(url))) as other:
        other.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with frozen(url, tmp_path) as moment:
            assert moment.tables == ()
            with pytest.raises(LockNotAvailable):
                write_out(moment)
        other.rollback()

    with frozen(url, tmp_path) as moment:
        assert [table.name for table in moment.tables] == ["t"]


def test_without_psql_pg_dump_does_it_all(
    url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(as_text(url), "CREATE TABLE t AS SELECT 1 AS n")
    monkeypatch.setattr(dumper, "PSQL", "no-such-program")
    with frozen(url, tmp_path) as moment:
        assert (moment.tables, moment.content_name) == ((), "database.pgdump")
        assert write_out(moment).getvalue().startswith(b"PGDMP")


def test_rows_that_row_security_hides_are_an_error(
    url: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    make_rich(as_text(url), role.name)
    execute(as_text(url), "GRANT pg_read_all_data TO {}", role.name)
    with frozen(parsed(role.url(as_text(url))), tmp_path) as moment:
        assert "guarded" in {table.name for table in moment.tables}
        with pytest.raises(InsufficientPrivilege, match="Row security hides rows"):
            write_out(moment)


# What takes a right that is gone by the end, or one that is only given there.
RIGHTS = """
CREATE FUNCTION doubled(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE TABLE indexed AS SELECT generate_series(1, 100) AS n;
ALTER TABLE indexed OWNER TO {role};
CREATE INDEX ON indexed (doubled(n));
REVOKE EXECUTE ON FUNCTION doubled(integer) FROM PUBLIC;
CREATE TABLE ours AS SELECT generate_series(1, 100) AS n;
GRANT SELECT ON ours TO {role};
CREATE MATERIALIZED VIEW theirs AS SELECT * FROM ours;
ALTER MATERIALIZED VIEW theirs OWNER TO {role};
CREATE TABLE referred (id integer PRIMARY KEY);
CREATE TABLE referring (id integer REFERENCES referred);
INSERT INTO referred VALUES (1); INSERT INTO referring VALUES (1);
ALTER TABLE referred OWNER TO {role};
REVOKE ALL ON referred FROM {role};
GRANT SELECT, INSERT ON referred TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};
"""


def test_rights_are_given_when_nothing_needs_those_of_before(
    postgresql_server: PostgresServer,
    url: DatabaseUrl,
    role: Role,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one whose index is of a function that is closed in the end is analyzed only then."""
    monkeypatch.setattr(Analyzer, "analyze_beside", lambda _, work: work())
    execute(as_text(url), RIGHTS.format(role=role.name))
    with frozen(url, tmp_path) as moment:
        assert len(moment.tables) == 4
        content = write_out(moment)

    with rebuilt(content, url, moment.details) as made:
        assert [each.partition(":")[0] for each in caplog.messages] == [
            "The planner learnt nothing of public.indexed"
        ]
        dumps = [sorted(dump(as_text(each), postgresql_server)) for each in (made, url)]
        assert dumps[0] == dumps[1]


def test_rights_come_after_what_needs_those_of_before(
    url: DatabaseUrl, role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever restores may be an owner that has taken a right from themselves."""
    execute(as_text(url), RIGHTS.format(role=role.name))
    content, details = backed_up(url, tmp_path)
    seen: list[bytes] = []
    genuine = ArchiveRestoring.restore_entries

    def note(self: ArchiveRestoring, archive: Path, entries: Path) -> None:
        seen.append(entries.read_bytes())
        genuine(self, archive, entries)

    monkeypatch.setattr(ArchiveRestoring, "restore_entries", note)
    with rebuilt(content, url, details):
        first, last = seen

    assert b" INDEX " in first
    assert b" INDEX " not in last
    for later in (b" ACL ", b" DEFAULT ACL ", b" FK CONSTRAINT ", b" MATERIALIZED VIEW DATA "):
        assert later in last
        assert later not in first

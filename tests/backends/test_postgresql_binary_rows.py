"""Which rows are copied in their binary form, and that they come back as they were."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql.dumping.large_tables import PLAIN_TYPES
from tests.backends.pieces_content import pieces_of
from tests.backends.postgresql_rich import as_text, backed_up, rebuilt
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from qadb.settings import DatabaseUrl

pytestmark = pytest.mark.usefixtures("every_table_is_large")

# Of each type: its ends, what is not a number or a time, what is empty, what has to be quoted.
VALUES = {
    "bool": ["true", "false"],
    "int2": ["-32768", "32767"],
    "int4": ["-2147483648", "2147483647"],
    "int8": ["-9223372036854775808", "9223372036854775807"],
    "float4": ["1.1754944e-38", "NaN", "-Infinity", "-0", "0.1"],
    "float8": ["4.9e-324", "1.7976931348623157e308", "NaN", "Infinity", "-0", "0.1"],
    "numeric": ["0.10", "-1e-200", "1e300", "NaN", "Infinity", "123456789012345678901234567890.12"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-8fff-ffffffffffff"],
    "text": ["", "\\N", "\\.", "a\tb\nc\r", "é€😀", "x" * 20000, "NULL", '"{,}"'],
    "varchar": ["", " a "],
    "bpchar": ["a ", ""],
    "bytea": ["\\x", "\\x00ff5c2e0a"],
    "json": ['{"a" : 1, "a":2}', "null"],
    "jsonb": ['{"a": [1, "é", null]}', "1e400"],
    "date": ["4713-01-01 BC", "5874897-12-31", "infinity", "2024-02-29"],
    "time": ["00:00:00", "24:00:00", "12:34:56.789012"],
    "timetz": ["00:00:00+15:59", "23:59:59.999999-15:59"],
    "timestamp": ["4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "-infinity"],
    "timestamptz": ["2024-03-31 01:59:59.999999+01", "infinity"],
    "interval": ["-1 year 2 mons -3 days 04:05:06.7", "178000000 years", "00:00:00"],
}


def statements_of(content: io.BytesIO) -> list[str]:
    return [data.decode() for name, data in pieces_of(content) if name.endswith("copy.sql")]


def test_every_plain_type_comes_back_as_it_was(url: DatabaseUrl, tmp_path: Path) -> None:
    assert set(VALUES) == set(PLAIN_TYPES)
    columns = ", ".join(f"c_{name} {name}, a_{name} {name}[]" for name in PLAIN_TYPES)
    execute(as_text(url), f"CREATE TABLE t (n integer, {columns}, v varchar(3), d numeric(9, 2))")
    with closing(psycopg2.connect(as_text(url))) as connection, connection:
        cursor = connection.cursor()
        for name, values in VALUES.items():
            row = f"%(value)s, ARRAY[%(value)s, NULL, %(value)s]::{name}[], 'äb', 1.5"
            for value in values:
                insert = f"INSERT INTO t (c_{name}, a_{name}, v, d) VALUES ({row})"
                cursor.execute(insert, {"value": value})
            empty = "('{}'), ('[2:3]={NULL,NULL}'), (NULL)"
            cursor.execute(f"INSERT INTO t (a_{name}) VALUES {empty}")
    everything = 'SELECT t::text FROM t ORDER BY t::text COLLATE "C"'
    before = fetch_column(as_text(url), everything)
    content, details = backed_up(url, tmp_path)

    assert [s.rpartition("(")[2] for s in statements_of(content)] == ["FORMAT binary);\n"]
    with rebuilt(content, url, details) as made:
        assert fetch_column(as_text(made), everything) == before
    assert len(before) == sum(map(len, VALUES.values())) + 3 * len(VALUES)


@pytest.mark.parametrize(
    "column",
    ["c mood", "c mood[]", "c posint", "c pair", "c xml", "c money", "c regclass", "c public.int4"],
)
def test_other_types_are_copied_as_text(url: DatabaseUrl, tmp_path: Path, column: str) -> None:
    """Their binary form is somebody's to change, or names what another database has not."""
    for made in (
        "TYPE mood AS ENUM ('low', 'high')",
        "DOMAIN posint AS integer CHECK (VALUE > 0)",
        "TYPE pair AS (a integer, b text)",
        "TYPE public.int4 AS ENUM ('low', 'high')",
    ):
        execute(as_text(url), f"CREATE {made}")
    execute(as_text(url), f"CREATE TABLE t (n integer, {column})")
    execute(as_text(url), "INSERT INTO t SELECT generate_series(1, 500), NULL")
    content, details = backed_up(url, tmp_path)

    assert [s.rpartition("(")[2] for s in statements_of(content)] == ["ENCODING 'UTF8');\n"]
    with rebuilt(content, url, details) as made_url:
        assert fetch_column(as_text(made_url), "SELECT count(*) FROM t") == ["500"]


def test_columns_that_are_not_copied_do_not_count(url: DatabaseUrl, tmp_path: Path) -> None:
    execute(as_text(url), "CREATE TYPE mood AS ENUM ('low', 'high')")
    execute(
        as_text(url),
        "CREATE TABLE t (n integer, gone mood, made mood GENERATED ALWAYS AS ('low') STORED)",
    )
    execute(as_text(url), "ALTER TABLE t DROP COLUMN gone")
    execute(as_text(url), "INSERT INTO t SELECT generate_series(1, 500)")
    content, details = backed_up(url, tmp_path)

    assert [re.sub(r".*STDIN ", "", s) for s in statements_of(content)] == ["(FORMAT binary);\n"]
    with rebuilt(content, url, details) as made:
        found = fetch_column(as_text(made), "SELECT count(*) FROM t WHERE made = 'low'")
        assert found == ["500"]


def test_encodings_other_than_utf8_are_copied_as_text(url: DatabaseUrl, tmp_path: Path) -> None:
    """Text in its binary form would be converted for some who read it, and for some not."""
    name = f"{as_text(url).rpartition('/')[2]}_latin"
    latin = url.with_database(name)
    execute(
        as_text(url),
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    try:
        execute(as_text(latin), "CREATE TABLE t AS SELECT chr(233) AS c")
        content, details = backed_up(latin, tmp_path)
        assert "ENCODING" in statements_of(content)[0]
        with rebuilt(content, latin, details) as made:
            assert fetch_column(as_text(made), "SELECT ascii(c) FROM t") == ["233"]
    finally:
        execute(as_text(url), f"DROP DATABASE {name}")

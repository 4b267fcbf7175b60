"""Large tables in a backup: read and loaded on several sessions, and nothing else than before."""

from __future__ import annotations

import io
import signal
import tarfile
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import dumper, large_tables, restorer, row_copying, row_loading
from qadb.backends.postgresql.pieces import PieceReader, PieceWriter
from qadb.backends.postgresql.row_copying import TABLE_END, split_rows
from qadb.errors import BackupDamaged, ConnectionLost, DatabaseFailure, LockNotAvailable
from tests.backends.postgresql_rich import (
    as_text,
    backed_up,
    frozen,
    make_rich,
    names_on,
    on_path,
    parsed,
    processes_of,
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
CREATE TABLE "a.b"."t""*?%$|x" ("c ""d%%" text, "é" text, gone integer, n numeric, at timestamptz,
    many text[], j jsonb, twice text GENERATED ALWAYS AS ("é" || "é") STORED);
ALTER TABLE "a.b"."t""*?%$|x" DROP COLUMN gone;
INSERT INTO "a.b"."t""*?%$|x" ("c ""d%%", "é", n, at, many, j) VALUES
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
CREATE TABLE wide (); INSERT INTO wide DEFAULT VALUES;
CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 100) AS n;
CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM parent;
CREATE TABLE sealed AS SELECT generate_series(1, 100) AS n;
REVOKE INSERT ON sealed FROM CURRENT_USER;
"""
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
NOT_IN_RANGES = {"hashed_0", "hashed_1", "wide", "sealed"}


@pytest.fixture(autouse=True)
def programs_on_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "postgresql_server" in request.fixturenames:
        on_path(monkeypatch, request.getfixturevalue("postgresql_server"))


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of one page, so that even small tables have several."""
    monkeypatch.setattr(large_tables, "LARGE_BYTES", 1)
    monkeypatch.setattr(large_tables, "RANGE_BYTES", 1)
    monkeypatch.setattr(row_copying, "PIECE_BYTES", 1 << 14)
    monkeypatch.setattr(row_copying, "READ_BYTES", 1 << 12)


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    with ordinary_role(postgresql_url) as ordinary:
        yield ordinary


@pytest.fixture
def url(postgresql_url: str) -> DatabaseUrl:
    return parsed(postgresql_url)


@pytest.fixture
def large(url: DatabaseUrl) -> DatabaseUrl:
    """A table of some 35 MB."""
    execute(as_text(url), "CREATE TABLE t AS SELECT generate_series(1, 1000000) AS n")
    return url


def pieces_of(content: io.BytesIO) -> list[tuple[str, bytes]]:
    content.seek(0)
    return list(PieceReader(content, lambda _: None))


def numbers_in(content: io.BytesIO) -> list[int]:
    """What the rows of the one table are."""
    rows = b"".join(data for name, data in pieces_of(content) if name.endswith(".rows"))
    return sorted(int(line) for line in rows.splitlines())


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
        for table in ("parent", "summed", '"a.b"."t""*?%$|x"'):
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
        content, details = backed_up(other, tmp_path)
        with rebuilt(content, other, details) as made:
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


def test_moment_is_one_for_every_session(url: DatabaseUrl, tmp_path: Path) -> None:
    """A writer changes two tables at a time, and moves rows about in them."""
    execute(as_text(url), "CREATE TABLE a AS SELECT generate_series(1, 20000) AS n")
    execute(as_text(url), "CREATE TABLE b AS SELECT n FROM a")
    ended = threading.Event()

    def write_pairs() -> None:
        with closing(psycopg2.connect(as_text(url))) as connection:
            cursor = connection.cursor()
            while not ended.is_set():
                cursor.execute("INSERT INTO a VALUES (0); INSERT INTO b VALUES (0)")
                for table in "ab":
                    cursor.execute(f"UPDATE {table} SET n = n WHERE n % 100 = 1")
                connection.commit()

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        with frozen(url, tmp_path) as moment:
            time.sleep(0.2)
            content = write_out(moment)
            query = "SELECT count(*), sum(n) FROM {}"
            counted = [moment.connection.exec_driver_sql(query.format(t)).one() for t in "ab"]
    finally:
        ended.set()
        writer.join()

    assert len(moment.tables) == 2
    rows: dict[str, list[int]] = {}
    for name, data in pieces_of(content):
        if name.endswith(".rows"):
            rows.setdefault(name.split("/")[1], []).extend(int(n) for n in data.splitlines())
    assert [(len(each), sum(each)) for each in rows.values()] == counted
    assert counted[0] == counted[1]


def test_whoever_wants_to_alter_a_table_waits_for_the_backup(
    large: DatabaseUrl, tmp_path: Path
) -> None:
    """And not the backup for them, whose sessions have their locks from the beginning."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"

    def alter() -> None:
        execute(as_text(large), "ALTER TABLE t ADD COLUMN more integer")

    altering = threading.Thread(target=alter)

    def on_bytes(_: int) -> None:
        copying = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY %'"
        if not altering.ident and len(fetch_column(as_text(large), copying)) == 2:
            altering.start()
            while not fetch_column(as_text(large), waiting):
                assert altering.is_alive()

    with frozen(large, tmp_path) as moment:
        content = write_out(moment, on_bytes)
        assert altering.is_alive()
    altering.join(30)

    assert numbers_in(content) == list(range(1, 1_000_001))


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


def test_sessions_that_find_no_room_leave_it_to_the_others(
    large: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    execute(as_text(large), "GRANT SELECT ON t TO {}", role.name)
    execute(as_text(large), "ALTER ROLE {} CONNECTION LIMIT 3", role.name)
    with frozen(parsed(role.url(as_text(large))), tmp_path) as moment:
        sink = io.BytesIO()
        moment.write(sink, lambda _: None, jobs=4)

    assert numbers_in(sink) == list(range(1, 1_000_001))


def test_killed_session_is_an_error_and_leaves_nothing(large: DatabaseUrl, tmp_path: Path) -> None:
    def kill(_: int) -> None:
        for process in processes_of("psql")[:1]:
            process.send_signal(signal.SIGKILL)

    with (
        frozen(large, tmp_path) as moment,
        pytest.raises(DatabaseFailure, match="ended by SIGKILL"),
    ):
        write_out(moment, kill)

    assert processes_of("psql") == []
    assert list(tmp_path.iterdir()) == []


def test_session_that_the_server_ends_is_a_lost_connection(
    large: DatabaseUrl, tmp_path: Path
) -> None:
    end_one = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY %' LIMIT 1"""

    def end(_: int) -> None:
        fetch_column(as_text(large), end_one)

    with frozen(large, tmp_path) as moment, pytest.raises(ConnectionLost):
        write_out(moment, end)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_sessions_end_when_their_rows_are_not_wanted_any_more(
    large: DatabaseUrl, tmp_path: Path, error: BaseException
) -> None:
    done = 0

    def fail(_: int) -> None:
        nonlocal done
        done += 1
        if done > 20:
            assert processes_of("psql")
            raise error

    with frozen(large, tmp_path) as moment:
        with pytest.raises(type(error)):
            write_out(moment, fail)
        assert processes_of("psql") == []

    assert list(tmp_path.iterdir()) == []


@contextmanager
def nothing_is_left(url: DatabaseUrl, server: PostgresServer) -> Iterator[None]:
    before = names_on(server)
    yield
    assert names_on(server) == before
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    assert len(fetch_column(as_text(url), query)) == 1


def with_rows(content: io.BytesIO, change: bytes) -> io.BytesIO:
    """The content with other rows at its end."""
    sink = io.BytesIO()
    writer = PieceWriter(sink, lambda _: None)
    for name, data in pieces_of(content):
        writer._write(name, data)
    writer.write_rows(1, change)
    writer.finish()
    return sink


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (b"x\n", "invalid input syntax"),
        (b"-1\n", "check constraint"),
        (b"5\t6\n", "extra data"),
        (b"5\n", "could not create unique index"),
    ],
)
def test_rows_that_are_not_the_tables_are_damage(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path, rows: bytes, reason: str
) -> None:
    execute(as_text(url), "CREATE TABLE t (n integer PRIMARY KEY CHECK (n > 0))")
    execute(as_text(url), "INSERT INTO t SELECT generate_series(1, 20000)")
    content, details = backed_up(url, tmp_path)
    damaged = with_rows(content, rows)
    with (
        nothing_is_left(url, postgresql_server),
        pytest.raises(BackupDamaged, match=reason),
        rebuilt(damaged, url, details),
    ):
        pass


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_content_that_was_cut_off_is_damage(
    postgresql_server: PostgresServer, large: DatabaseUrl, tmp_path: Path, share: float
) -> None:
    content, details = backed_up(large, tmp_path)
    short = io.BytesIO(content.getvalue()[: int(len(content.getvalue()) * share)])
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(BackupDamaged),
        rebuilt(short, large, details),
    ):
        pass


def test_rows_of_a_table_without_a_statement_are_damage(url: DatabaseUrl, tmp_path: Path) -> None:
    execute(as_text(url), "CREATE TABLE t AS SELECT 1 AS n")
    content, details = backed_up(url, tmp_path)
    sink = io.BytesIO()
    writer = PieceWriter(sink, lambda _: None)
    for name, data in pieces_of(content):
        if not name.endswith(".sql"):
            writer._write(name, data)
    writer.finish()
    with pytest.raises(BackupDamaged, match="rows of no table"), rebuilt(sink, url, details):
        pass


@pytest.mark.parametrize("when", ["while loading", "before"])
def test_interrupted_loading_ends_its_sessions(
    postgresql_server: PostgresServer,
    large: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    content, details = backed_up(large, tmp_path)
    calls = 0
    genuine = row_loading._Pieces.give

    def give(self: row_loading._Pieces, piece: row_loading.Rows | None) -> None:
        nonlocal calls
        calls += 1
        if calls == (1 if when == "before" else 10):
            raise KeyboardInterrupt
        genuine(self, piece)

    monkeypatch.setattr(row_loading._Pieces, "give", give)
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(KeyboardInterrupt),
        rebuilt(content, large, details),
    ):
        pass


def test_loading_session_that_the_server_ends_is_a_lost_connection(
    postgresql_server: PostgresServer,
    large: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, details = backed_up(large, tmp_path)
    genuine = row_loading._Pieces.give
    end_one = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'COPY %' AND datname LIKE current_database() || '_qadb_%' LIMIT 1"""

    def give(self: row_loading._Pieces, piece: row_loading.Rows | None) -> None:
        genuine(self, piece)
        fetch_column(as_text(large), end_one)

    monkeypatch.setattr(row_loading._Pieces, "give", give)
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(ConnectionLost),
        rebuilt(content, large, details),
    ):
        pass


def test_the_stream_unpacks_by_hand(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    """As it says: the archive's pieces in a row, and a statement before its rows."""
    execute(as_text(url), "CREATE TABLE t AS SELECT generate_series(1, 5000) AS n")
    content, _ = backed_up(url, tmp_path)
    with tarfile.open(fileobj=content) as tar:
        tar.extractall(tmp_path, filter="data")
    archive = b"".join(path.read_bytes() for path in sorted((tmp_path / "archive").iterdir()))
    statement = (tmp_path / "rows" / "1" / "copy.sql").read_text()
    rows = b"".join(path.read_bytes() for path in (tmp_path / "rows" / "1").glob("*.rows"))

    assert archive.startswith(b"PGDMP")
    assert statement == """COPY "public"."t" ("n") FROM STDIN (ENCODING 'UTF8');\n"""
    assert sorted(map(int, rows.split())) == list(range(1, 5001))


class Pipe:
    """What a session writes, in parts of some size whatever is asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = io.BytesIO(data), size

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, self._size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_rows_are_cut_at_their_ends_and_told_by_table(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    tables = [b"one\ntwo\n" * 5, b"", b"x" * 50 + b"\n" + b"\x01\\\\.\n\x01\n", b"\n\n\n", b"end\n"]
    for piece in (1, 4, 30):
        monkeypatch.setattr(row_copying, "PIECE_BYTES", piece)
        found = [b""] * (len(tables) + 1)
        pipe = Pipe(b"".join(each + TABLE_END for each in tables), size)

        def splitting(pipe: Pipe) -> Iterator[row_copying.Rows]:
            assert (yield from split_rows(pipe)) == len(tables)

        for number, data in splitting(pipe):
            assert data.endswith(b"\n")
            found[number - 1] += data
        assert found == [*tables, b""]


def test_pieces_are_read_as_they_were_written(tmp_path: Path) -> None:
    sink, told = io.BytesIO(), list[int]()
    writer = PieceWriter(sink, told.append)
    writer.write_archive(b"PGDMP" * 300)
    writer.write_archive(b"x" * 512)
    writer.write_statement(1, "COPY t FROM STDIN")
    writer.write_rows(1, b"")
    writer.finish()

    found = pieces_of(sink)
    assert [(name, len(data)) for name, data in found] == [
        ("archive/000001", 1500),
        ("archive/000002", 512),
        ("rows/1/copy.sql", 19),
        ("rows/1/000003.rows", 0),
    ]
    assert told[-1] == len(sink.getvalue()) - 1024
    for content in (b"", b"PK" * 600, sink.getvalue()[:-1024]):
        with pytest.raises(BackupDamaged, match="taken apart"):
            pieces_of(io.BytesIO(content))

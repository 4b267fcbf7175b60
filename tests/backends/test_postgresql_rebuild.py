"""Making a PostgreSQL database of a backup's content: equal to the one it was taken of, or none."""

from __future__ import annotations

import io
import resource
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql import restorer
from qadb.backends.postgresql.programs import finding as programs
from qadb.backends.postgresql.programs import runs as program_runs
from qadb.backends.postgresql.restoring import archive_restoring
from qadb.errors import (
    BackupDamaged,
    DatabaseFailure,
    InsufficientPrivilege,
    StorageFull,
)
from qadb.operations.init import init_database
from tests.backends.postgresql_rich import (
    OPTIONS,
    as_text,
    backed_up,
    comparable,
    make_rich,
    names_on,
    on_path,
    parsed,
    rebuilt,
)
from tests.support.databases import dump, live_catalog, open_database
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer

SETTINGS = """
SELECT coalesce(r.rolname, '') || array_to_string(s.setconfig, '|')
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database() ORDER BY 1
"""
FACTS = """
SELECT concat_ws('|', pg_encoding_to_char(encoding), datcollate, datctype, pg_get_userbyid(datdba),
    (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(datacl) AS a),
    shobj_description(oid, 'pg_database'))
FROM pg_database WHERE datname = current_database()
"""


@pytest.fixture(autouse=True)
def programs_on_path(postgresql_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(monkeypatch, postgresql_server)


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    with ordinary_role(postgresql_url) as ordinary:
        yield ordinary


@pytest.mark.parametrize("jobs", [1, 3])
def test_rebuilt_database_equals_the_one_that_was_backed_up(
    postgresql_server: PostgresServer,
    postgresql_url: str,
    role: Role,
    tmp_path: Path,
    jobs: int,
) -> None:
    with open_database(postgresql_url) as original:
        init_database(original)
        make_rich(postgresql_url, role.name)
        original.close()  # what is connected already has not the database's new settings
        url = original.url
        content, details = backed_up(url, tmp_path)
        with rebuilt(content, url, details, jobs=jobs) as made:
            made_url = as_text(made)
            restorer.check(made)
            with open_database(made_url) as other:
                assert live_catalog(other) == live_catalog(original)
            dumps = [dump(each, postgresql_server) for each in (made_url, postgresql_url)]
            assert comparable(dumps[0]) == comparable(dumps[1])
            for query in (SETTINGS, FACTS):
                assert fetch_column(made_url, query) == fetch_column(postgresql_url, query)
            analyzed = "SELECT reltuples::int FROM pg_class WHERE relname = 'numbers'"
            assert fetch_column(made_url, analyzed) == ["500"]

    assert made.database not in names_on(postgresql_server)


def test_namespace_that_was_dropped_does_not_come_back(url: DatabaseUrl, tmp_path: Path) -> None:
    execute(as_text(url), "DROP SCHEMA public")
    content, details = backed_up(url, tmp_path)
    namespaces = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"
    with rebuilt(content, url, details) as made:
        assert fetch_column(as_text(made), namespaces) == ["information_schema"]


def test_extensions_come_back(url: DatabaseUrl, tmp_path: Path) -> None:
    there = fetch_column(as_text(url), "SELECT name FROM pg_available_extensions ORDER BY 1")
    extension = next(each for each in ("citext", "hstore", "plpgsql") if each in there)
    execute(as_text(url), "CREATE EXTENSION IF NOT EXISTS {}", extension)
    content, details = backed_up(url, tmp_path)
    with rebuilt(content, url, details) as made:
        names = fetch_column(as_text(made), "SELECT extname FROM pg_extension")

    assert extension in names
    assert extension == "plpgsql" or list(details["extensions"]) == [extension]  # type: ignore[call-overload]  # a dict


def test_database_of_any_name_is_rebuilt(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    name = f"{url.database} \"q\" 'é'" + "x" * 20
    target = url.with_database(name)
    content, details = backed_up(url, tmp_path)
    with rebuilt(content, target, details) as made:
        assert len(str(made.database).encode()) <= 63
        assert made.database in names_on(postgresql_server)


def test_limits_of_the_database_itself_hinder_no_restore(url: DatabaseUrl, tmp_path: Path) -> None:
    text = as_text(url)
    execute(text, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    content, details = backed_up(url, tmp_path)
    limits = ["default_transaction_read_only=on", "statement_timeout=1ms"]
    hard = {**details, "settings": [{"role": None, "settings": limits}]}
    with rebuilt(content, url, hard) as made:
        query = (
            "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON "
            f"d.oid = setdatabase WHERE datname = '{made.database}'"
        )
        assert sorted(fetch_column(text, query)) == limits


@pytest.mark.parametrize("damage", ["cut", "head", "rows", "empty"])
def test_damaged_content_is_told_and_leaves_nothing(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path, damage: str
) -> None:
    execute(as_text(url), "CREATE TABLE parent AS SELECT generate_series(1, 100000) AS id")
    execute(as_text(url), "ALTER TABLE parent ADD PRIMARY KEY (id)")
    content, details = backed_up(url, tmp_path)
    data = content.getvalue()
    spoilt = {
        "cut": data[: len(data) // 2],
        "head": b"nothing" + data[7:],
        "rows": data.replace(b"4711\n", b"4712\n"),  # twice the same key
        "empty": b"",
    }[damage]
    before = names_on(postgresql_server)

    with (
        pytest.raises(BackupDamaged) as caught,
        rebuilt(io.BytesIO(spoilt), url, details, tmp_path),
    ):
        pass

    assert caught.value.hint
    assert names_on(postgresql_server) == before
    assert list(tmp_path.iterdir()) == []


def test_killed_program_is_an_error_and_leaves_nothing(
    postgresql_server: PostgresServer,
    url: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, details = backed_up(url, tmp_path)
    before = names_on(postgresql_server)
    genuine = program_runs.ProgramRun.__init__

    def kill(
        run: program_runs.ProgramRun,
        process: subprocess.Popen[bytes],
        name: str,
        url: DatabaseUrl,
    ) -> None:
        genuine(run, process, name, url)
        process.kill()

    monkeypatch.setattr(program_runs.ProgramRun, "__init__", kill)
    with pytest.raises(DatabaseFailure, match="SIGKILL"), rebuilt(content, url, details, tmp_path):
        pass

    assert names_on(postgresql_server) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LookupError("the caller's")])
def test_nothing_is_left_of_an_interrupted_restore(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path, error: BaseException
) -> None:
    content, details = backed_up(url, tmp_path)
    before = names_on(postgresql_server)
    with pytest.raises(type(error)), rebuilt(content, url, details, tmp_path):
        raise error

    assert names_on(postgresql_server) == before
    assert list(tmp_path.iterdir()) == []


def test_full_disk_here_is_told(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    _, details = backed_up(url, tmp_path)

    class Full(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(28, "No space left on device")
            return super().read(5)

    full = Full(b"PGDMP and more")
    with pytest.raises(StorageFull, match="no room"), rebuilt(full, url, details, tmp_path):
        pass


def test_full_disk_is_told_for_lists_of_entries_as_well(tmp_path: Path) -> None:
    lines = [b"1; 0 0 INDEX public one owner\n"] * 1_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(StorageFull, match="no room"):
            archive_restoring.write_file(tmp_path / "indexes", lines)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_ordinary_owner_restores_what_is_its_own(
    postgresql_server: PostgresServer, postgresql_url: str, role: Role, tmp_path: Path
) -> None:
    admin = parsed(postgresql_url)
    execute(postgresql_url, "ALTER ROLE {} CREATEDB", role.name)
    execute(postgresql_url, f'ALTER DATABASE "{admin.database}" OWNER TO {role.name}')
    mine = parsed(role.url(postgresql_url))
    try:
        with open_database(as_text(mine)) as original:
            init_database(original)
            content, details = backed_up(mine, tmp_path)
            restorer.check_requirements(mine, OPTIONS, details)
            with rebuilt(content, mine, details) as made, open_database(as_text(made)) as other:
                assert live_catalog(other) == live_catalog(original)
                for query in (FACTS, "SELECT name FROM countries ORDER BY 1"):
                    assert fetch_column(as_text(made), query) == fetch_column(as_text(mine), query)
    finally:
        execute(postgresql_url, f'ALTER DATABASE "{admin.database}" OWNER TO {admin.user}')


def test_programs_newer_than_the_server_serve_as_well(
    postgresql_server: PostgresServer,
    url: DatabaseUrl,
    role: Role,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of 17 and newer set what older servers do not know."""
    newest = max(programs._find_all(), key=lambda each: each.major)
    monkeypatch.setattr(archive_restoring, "find_programs", lambda *_, **__: newest)
    monkeypatch.setattr("qadb.backends.postgresql.dumper.find_programs", lambda _: newest)
    make_rich(as_text(url), role.name)
    content, details = backed_up(url, tmp_path)
    with rebuilt(content, url, details) as made:
        query = 'SELECT count(*) FROM "Other place".numbers'
        assert fetch_column(as_text(made), query) == ["500"]


def test_role_that_may_make_no_database_is_told_so_and_no_more(
    url: DatabaseUrl, role: Role, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content, details = backed_up(url, tmp_path)
    theirs = parsed(role.url(as_text(url)))
    with pytest.raises(InsufficientPrivilege), rebuilt(content, theirs, details):
        pass

    assert caplog.messages == []

"""A password with every unlucky character: it signs in, and is never seen again."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import text

from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import QadbError
from qadb.redaction import redact
from qadb.settings import DatabaseUrl, parse_database_url
from tests.backends.sample import PARENT, ignore_holder
from tests.support.databases import open_database
from tests.support.postgres_client import execute
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "c@n:a/r%y "


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    """A real role with that password."""
    with ordinary_role(postgresql_url, password=CANARY) as ordinary:
        yield ordinary


def url_in_parts(url: str, role: Role) -> DatabaseUrl:
    plain = open_database(url).url
    return DatabaseUrl(
        engine="postgresql",
        user=role.name,
        password=CANARY,
        hosts=plain.hosts,
        database=plain.database,
    )


def url_encoded(url: str, role: Role) -> DatabaseUrl:
    return parse_database_url(role.url(url), source="the test", base_dir=Path.cwd())


def url_raw(url: str, role: Role) -> DatabaseUrl:
    """As people write it who know nothing of percent-encoding."""
    host = url.rpartition("@")[2]
    raw = f"postgresql://{role.name}:{CANARY}@{host}"
    return parse_database_url(raw, source="the test", base_dir=Path.cwd())


def url_with_query(url: str, role: Role) -> DatabaseUrl:
    host = url.rpartition("@")[2]
    raw = f"postgresql://{host}?user={role.name}&password={quote(CANARY, safe='')}"
    return parse_database_url(raw, source="the test", base_dir=Path.cwd())


every_spelling = pytest.mark.parametrize(
    "spell", [url_in_parts, url_encoded, url_raw, url_with_query]
)


def shows_canary(shown: str) -> bool:
    """Look for the password, encoded or not, and for the better part of it."""
    spellings = (CANARY, CANARY.strip(), quote(CANARY, safe=""), quote(CANARY), "n:a/r", "n%3Aa")
    return any(each in shown for each in spellings) or redact(shown, {CANARY}) != redact(shown)


@every_spelling
def test_password_signs_in(
    postgresql_url: str, role: Role, spell: Callable[[str, Role], DatabaseUrl]
) -> None:
    with Database(spell(postgresql_url, role), connect_retries=0) as database:
        assert database.exists()
        with database.connect() as connection:
            assert connection.scalar(text("SELECT current_user")) == role.name


def fail_in_every_way(database: Database) -> Iterator[BaseException]:
    """Use the database in ways that it refuses, and yield what comes out."""
    uses: list[Callable[[], object]] = [
        database.create,
        database.exists,
        lambda: database.wait_until_reachable(0),
        lambda: write(database, "SELECT * FROM nowhere"),
        lambda: write(database, "CREATE TABLE t (id integer)"),
        lambda: write(database, "SELECT pg_terminate_backend(pg_backend_pid())"),
        lambda: copy(database),
        lambda: lock(database),
        lambda: migrate(database),
    ]
    for use in uses:
        try:
            use()
        except QadbError as error:
            yield error


def write(database: Database, statement: str) -> None:
    with database.connect() as connection:
        connection.execute(text(statement))


def copy(database: Database) -> None:
    with database.connect() as connection:
        database.backend.bulk.insert(connection, PARENT, ("id",), [(1,)])


def lock(database: Database) -> None:
    with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
        write(database, "SELECT 1")


def migrate(database: Database) -> None:
    with database.migrating(lock_timeout_seconds=1) as connection:
        connection.execute(text("CREATE TABLE t (id integer)"))


def everything_about(error: BaseException) -> str:
    """Message, hint, repr, and the traceback with all that it is chained to."""
    seen = [str(error), repr(error), repr(getattr(error, "hint", ""))]
    chained: BaseException | None = error
    while chained is not None:
        seen += [str(chained), repr(chained), repr(chained.args)]
        chained = chained.__cause__ or chained.__context__
    return "\n".join([*seen, *traceback.format_exception(error)])


@every_spelling
@pytest.mark.parametrize("trouble", ["rights", "password", "database", "port", "old password"])
def test_password_is_in_no_error_and_no_log(
    postgresql_url: str,
    role: Role,
    spell: Callable[[str, Role], DatabaseUrl],
    trouble: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qadb.retries.FIRST_DELAY_SECONDS", 0.0)
    execute(postgresql_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    if trouble == "password":
        execute(postgresql_url, "ALTER ROLE {} PASSWORD 'another'", role.name)
    url = spell(postgresql_url, role)
    if trouble == "database":
        url = url.with_database("no such database")
    elif trouble == "port":
        url = spell(postgresql_url.replace(f":{url.hosts[0][1]}/", ":1/"), role)
    elif trouble == "old password":
        execute(postgresql_url, "ALTER ROLE {} VALID UNTIL '2001-01-01'", role.name)
    options = ConnectionOptions(echo=True)
    handler = logging.NullHandler()  # or SQLAlchemy would write to stdout
    logging.getLogger("sqlalchemy.engine.Engine").addHandler(handler)
    with (
        caplog.at_level(logging.DEBUG),
        caplog.at_level(logging.DEBUG, "qadb"),
        caplog.at_level(logging.DEBUG, "sqlalchemy"),
        Database(url, options=options, connect_retries=1) as database,
    ):
        errors = list(fail_in_every_way(database))
        shown = [repr(database.url), str(database.url), repr(database.engine())]
    logging.getLogger("sqlalchemy.engine.Engine").removeHandler(handler)

    assert errors
    for error in errors:
        assert not shows_canary(everything_about(error))
    assert caplog.records
    for record in caplog.records:
        logged = f"{record.getMessage()} {record.args} {record.exc_text} {record.exc_info}"
        assert not shows_canary(logged)
    assert not shows_canary(" ".join([*shown, *capfd.readouterr()]))

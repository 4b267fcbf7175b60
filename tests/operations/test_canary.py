"""A password that begs to be mangled is shown nowhere, whatever is asked for and whatever fails."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit

import psutil
import pytest

from tests.support.postgres_client import execute
from tests.support.program import Program
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_server import PostgresServer

CANARY = "c@n:a/r%y "
SPELLINGS = {
    CANARY,
    CANARY.strip(),
    quote(CANARY, safe=""),
    quote(CANARY, safe="").lower(),
    quote(CANARY, safe="/"),
    quote_plus(CANARY),
    CANARY.replace("%", "%%"),
    "n:a/r%y",
    "n%3Aa%2Fr%25y",
}
LOUD = ("--debug", "-vv")


FORMS = ["parts", "url", "option"]


def variables(form: str, role: Role, url: str) -> dict[str, str]:
    """The same sign-in, written in each way that settings know."""
    parts = urlsplit(url)
    host, port, name = parts.hostname or "", str(parts.port), parts.path.removeprefix("/")
    secret = quote(CANARY, safe="")
    if form == "url":
        return {"DATABASE_URL": f"postgresql://{role.name}:{secret}@{host}:{port}/{name}"}
    if form == "option":
        options = f"user={role.name}&password={secret}"
        return {"QADB_DATABASE_URL": f"postgresql://{host}:{port}/{name}?{options}"}
    return {
        "DATABASE__TYPE": "postgresql",
        "DATABASE__HOST": host,
        "DATABASE__PORT": port,
        "DATABASE__NAME": name,
        "DATABASE__USER": role.name,
        "DATABASE__PASSWORD": CANARY,
    }


@pytest.fixture(params=FORMS)
def quiet_place(
    request: pytest.FixtureRequest, postgresql_server: PostgresServer, tmp_path: Path
) -> Iterator[Program]:
    """The program as a role that may create the database which its variables name."""
    url = postgresql_server.create_database()
    postgresql_server.drop_database(url)
    with ordinary_role(postgresql_server.admin_url, password=CANARY) as role:
        execute(postgresql_server.admin_url, "ALTER ROLE {} CREATEDB", role.name)
        loud = {"DATABASE_ECHO": "1", "QADB_LOG_LEVEL": "debug", "DATABASE_CONNECT_RETRIES": "0"}
        yield Program(tmp_path, variables(request.param, role, url) | loud)
        postgresql_server.drop_database(url)


def run_watched(program: Program, *words: str, **more: str) -> tuple[int, str]:
    """Run; return the exit code and everything that anybody could see of it."""
    process = program.start(*words, **more)
    seen: list[str] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid)
        while process.poll() is None and len(seen) < 3:
            members = (family, *family.children(recursive=True))
            seen.extend(" ".join(member.cmdline()) for member in members)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, "\n".join([*seen, stdout, stderr])


def assert_hidden(seen: str) -> None:
    shown = {spelling for spelling in SPELLINGS if spelling in seen}
    assert not shown, seen


def test_password_is_shown_by_no_command_that_works(quiet_place: Program) -> None:
    more = (["rollback", "--yes"], ["migrate"], ["stats", "--json"])
    is_first = "DATABASE__PASSWORD" in quiet_place.variables  # what follows the settings is alike
    for words in (["init"], ["config"], ["status", "--json"], *(more if is_first else ())):
        exit_code, seen = run_watched(quiet_place, *words, *LOUD)

        assert exit_code == 0, seen
        assert_hidden(seen)


def test_password_is_shown_by_no_command_that_fails(quiet_place: Program) -> None:
    foreign = "postgresql://a@127.0.0.1:1/x"
    for words, more, exit_code in (
        (["migrate"], {}, 1),
        (["init"], {"PGSSLMODE": "verify-full"}, 3),
        (["status"], {"DATABASE_SSL_MODE": "nonsense"}, 2),
        (["status", "--database-url", foreign, "--json"], {}, 3),
        (["rollback", "--nonsense"], {}, 2),
    ):
        found, seen = run_watched(quiet_place, *words, *LOUD, **more)

        assert found == exit_code, seen
        assert_hidden(seen)


def test_wrong_password_is_not_shown_either(
    postgresql_server: PostgresServer, tmp_path: Path
) -> None:
    with ordinary_role(postgresql_server.admin_url) as role:
        for form in FORMS:
            program = Program(tmp_path, variables(form, role, postgresql_server.admin_url))
            exit_code, seen = run_watched(program, "init", "--json", *LOUD)

            assert exit_code == 3
            assert "authentication_failed" in seen
            assert_hidden(seen)


def test_password_is_not_shown_when_a_revision_fails(
    postgresql_server: PostgresServer, tmp_path: Path
) -> None:
    url = postgresql_server.create_database()
    with ordinary_role(postgresql_server.admin_url, password=CANARY) as role:
        execute(url, "CREATE TABLE qadb_version (version_num VARCHAR(32))")
        execute(url, "CREATE TABLE tenants (id INTEGER)")
        execute(url, "GRANT ALL ON SCHEMA public TO {}", role.name)
        execute(url, "ALTER TABLE qadb_version OWNER TO {}", role.name)
        program = Program(tmp_path, variables("parts", role, url))

        exit_code, seen = run_watched(program, "migrate", *LOUD, DATABASE_ECHO="1")

        assert exit_code == 1
        assert "Revision 001 failed" in seen
        assert "Traceback" in seen
        assert_hidden(seen)
        postgresql_server.drop_database(url)

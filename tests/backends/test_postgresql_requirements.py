"""What a PostgreSQL server must have for a restore: told before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql import restorer
from qadb.errors import BackupDamaged, InsufficientPrivilege, MissingProgram, RestoreRefused
from tests.backends.postgresql_rich import OPTIONS, backed_up, names_on, on_path, parsed, rebuilt
from tests.support.postgres_client import execute
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def programs_on_path(postgresql_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(monkeypatch, postgresql_server)


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    with ordinary_role(postgresql_url) as ordinary:
        yield ordinary


def test_all_that_is_missing_is_named_at_once(url: DatabaseUrl, tmp_path: Path) -> None:
    _, details = backed_up(url, tmp_path)
    restorer.check_requirements(url, OPTIONS, details)
    wanting = {
        **details,
        "roles": ["nobody_here", "Some One"],
        "extensions": {"no_such_extension": "1.0"},
        "tablespaces": ["fast_disk"],
    }
    with pytest.raises(RestoreRefused) as caught:
        restorer.check_requirements(url, OPTIONS, wanting)

    for name in ("nobody_here", "Some One", "no_such_extension", "fast_disk"):
        assert name in caught.value.message
    assert 'CREATE ROLE nobody_here; CREATE ROLE "Some One";' in (caught.value.hint or "")


def test_backup_of_a_newer_server_is_refused_with_both_versions(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    _, details = backed_up(url, tmp_path)
    newer = {**details, "server_version": "99.1", "server_version_num": 990001}
    with pytest.raises(RestoreRefused) as caught:
        restorer.check_requirements(url, OPTIONS, newer)

    assert "99.1" in caught.value.message
    assert str(postgresql_server.major) in caught.value.message


def test_archive_of_a_newer_program_needs_one_as_new(url: DatabaseUrl, tmp_path: Path) -> None:
    _, details = backed_up(url, tmp_path)
    with pytest.raises(MissingProgram, match=r"the backup of 99"):
        restorer.check_requirements(url, OPTIONS, {**details, "pg_dump": "99.1"})


def test_role_that_may_not_is_told_what_to_grant(
    postgresql_url: str, url: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    _, details = backed_up(url, tmp_path)
    mine = parsed(role.url(postgresql_url))
    hints = []
    for grant in (
        "ALTER ROLE {} CREATEDB",
        "ALTER DATABASE {database} OWNER TO {}",
        None,
    ):
        with pytest.raises(InsufficientPrivilege) as caught:
            restorer.check_requirements(mine, OPTIONS, details)
        hints.append(caught.value.hint or "")
        if grant:
            statement = grant.replace("{database}", f'"{url.database}"')
            execute(postgresql_url, statement, role.name)

    assert f"ALTER ROLE {role.name} CREATEDB" in hints[0]
    assert f"GRANT {url.user} TO {role.name}" in hints[1]
    assert f"GRANT {url.user} TO {role.name}" in hints[2]
    execute(postgresql_url, f'ALTER DATABASE "{url.database}" OWNER TO {url.user}')


def test_unreadable_notes_are_damage(url: DatabaseUrl) -> None:
    for details in ({}, {"pg_dump": 5}, {"pg_dump": "16.1", "server_version_num": "x"}):
        with pytest.raises(BackupDamaged, match="notes"):
            restorer.check_requirements(url, OPTIONS, details)


def test_locale_that_the_server_has_not_is_refused(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    content, details = backed_up(url, tmp_path)
    before = names_on(postgresql_server)
    strange = {**details, "collate": "xx_XX.UTF-8", "ctype": "xx_XX.UTF-8"}
    with pytest.raises(RestoreRefused, match="xx_XX") as caught, rebuilt(content, url, strange):
        pass

    assert "Install the locale" in (caught.value.hint or "")
    assert names_on(postgresql_server) == before


def test_what_the_role_may_not_set_is_refused_before_the_content_is_read(
    postgresql_server: PostgresServer,
    postgresql_url: str,
    url: DatabaseUrl,
    role: Role,
    tmp_path: Path,
) -> None:
    content, details = backed_up(url, tmp_path)
    execute(postgresql_url, "ALTER ROLE {} CREATEDB", role.name)
    before = names_on(postgresql_server)
    setting = {"role": str(url.user), "settings": ["work_mem=7MB"]}
    foreign = {**details, "owner": role.name, "settings": [setting]}
    mine = parsed(role.url(postgresql_url))

    with pytest.raises(InsufficientPrivilege), rebuilt(content, mine, foreign):
        pass

    assert content.tell() == 0
    assert names_on(postgresql_server) == before

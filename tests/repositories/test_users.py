"""Users by address and Telegram id, failed logins, permissions."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.errors import ReadOnlySession, RowNotFound, SeveralRowsFound
from qadb.models import Permission, Role, User
from qadb.repositories.users import UserRepository

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def users(acme: UnitOfWork) -> UserRepository:
    return UserRepository(acme)


def at_once(database: Database, work: Callable[[UnitOfWork], object], times: int = 5) -> None:
    threads = [
        threading.Thread(target=lambda: database.run(work, tenant="acme")) for _ in range(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# By address


@pytest.mark.parametrize("spelling", ["acme@example.org", "Acme@Example.ORG"])
def test_an_address_is_found_in_any_case(users: UserRepository, spelling: str) -> None:
    found = users.get_by_email(spelling)
    assert found is not None
    assert found.username == "acme-user"


@pytest.mark.parametrize("spelling", ["rival@example.org", "", "acme%", "acme_example.org"])
def test_other_addresses_are_not_found(users: UserRepository, spelling: str) -> None:
    assert users.get_by_email(spelling) is None


def test_the_exact_spelling_comes_first(users: UserRepository) -> None:
    other = users.create(username="other", email="ACME@example.org")
    assert users.get_by_email("ACME@example.org") is other
    with pytest.raises(SeveralRowsFound):
        users.get_by_email("Acme@example.org")


def test_letters_beyond_ascii_are_compared_as_they_are(users: UserRepository) -> None:
    user = users.create(username="zoe", email="zoë@example.org")
    assert users.get_by_email("Zoë@example.org") is user
    assert users.get_by_email("ZOË@example.org") is None


def test_a_deleted_users_address_is_not_found(users: UserRepository) -> None:
    user = users.get_by_email("acme@example.org")
    assert user is not None
    users.delete(user)
    assert users.get_by_email("acme@example.org") is None
    assert users.get_by_email("Acme@example.org") is None


# By Telegram id


def test_a_user_comes_from_telegram_once(users: UserRepository) -> None:
    user = users.get_or_create_from_telegram(77, "ada", "Ada", "Lovelace")
    assert (user.username, user.first_name, user.last_name) == ("ada", "Ada", "Lovelace")
    assert (user.telegram_id, user.tenant_id, user.role.name) == (77, "acme", "viewer")
    assert users.get_or_create_from_telegram(77) is user
    assert users.get_by_telegram_id(77) is user
    assert users.count(telegram_id=77) == 1


def test_names_follow_telegram_and_the_user_name_stays(users: UserRepository) -> None:
    user = users.get_or_create_from_telegram(77, "ada", "Ada", "Byron")
    users.get_or_create_from_telegram(77, "countess", None, " Lovelace ")
    assert (user.username, user.first_name, user.last_name) == ("ada", "Ada", "Lovelace")
    users.get_or_create_from_telegram(77, "ada", "", "L" * 101)
    assert (user.first_name, user.last_name) == ("Ada", "L" * 100)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (None, "telegram_77"),
        ("", "telegram_77"),
        ("@al", "telegram_77"),
        ("@ada", "ada"),
        ("a" * 50, "a" * 50),
        ("a" * 51, "telegram_77"),
        ("acme-user", "telegram_77"),
        ("rival-user", "rival-user"),
    ],
)
def test_every_user_gets_a_valid_name(users: UserRepository, given: str | None, made: str) -> None:
    assert users.get_or_create_from_telegram(77, given).username == made


def test_a_name_is_found_when_the_usual_ones_are_taken(users: UserRepository) -> None:
    for name in ("telegram_77", "telegram_77_2"):
        users.create(username=name)
    assert users.get_or_create_from_telegram(77, "acme-user").username == "telegram_77_3"
    users.create(username="goes-on")


def test_a_deleted_user_comes_back_with_the_default_role(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        session.add(Role(name="admin"))
    with database.session(tenant="acme") as session:
        users = UserRepository(session)
        role = session.scalars(select(Role.id).where(Role.name == "admin")).one()
        user = users.create(
            username="ada", telegram_id=77, role_id=role, preferences={"theme": "dark"}
        )
        assert user.role.name == "admin"
        users.delete(user)
        assert users.get_by_telegram_id(77) is None
        assert users.get_or_create_from_telegram(77, "other", "Ada") is user
        assert (user.deleted_at, user.username, user.first_name) == (None, "ada", "Ada")
        assert (user.role.name, user.preferences) == ("viewer", {"theme": "dark"})


def test_a_deleted_user_comes_back_without_what_others_have_now(users: UserRepository) -> None:
    user = users.create(username="ada", email="ada@example.org", telegram_id=77)
    users.delete(user)
    users.create(username="ada", email="ada@example.org")
    assert users.get_or_create_from_telegram(77) is user
    assert (user.username, user.email) == ("telegram_77", None)


def test_a_deleted_user_keeps_a_name_that_is_free(users: UserRepository) -> None:
    user = users.create(username="ada", email="ada@example.org", telegram_id=77)
    users.delete(user)
    users.create(username="eve", email="ada@example.org")
    users.get_or_create_from_telegram(77, "countess")
    assert (user.username, user.email) == ("ada", None)


def test_the_one_deleted_last_comes_back(users: UserRepository) -> None:
    first = users.create(username="one", telegram_id=77)
    users.delete(first)
    second = users.create(username="two", telegram_id=77)
    users.delete(second)
    assert users.get_or_create_from_telegram(77) is second
    assert users.count(telegram_id=77, include_deleted=True) == 2


@pytest.mark.parametrize("telegram_id", [0, -1, True, "77", 2**63, None])
def test_what_is_no_telegram_id_is_refused(users: UserRepository, telegram_id: int) -> None:
    with pytest.raises(ValueError, match="Telegram"):
        users.get_or_create_from_telegram(telegram_id)


def test_many_at_once_make_one_user(database: Database) -> None:
    ids: set[int] = set()

    def work(session: UnitOfWork) -> None:
        ids.add(UserRepository(session).get_or_create_from_telegram(77, "ada", "Ada").id)

    at_once(database, work)
    assert len(ids) == 1
    with database.session(tenant="acme") as session:
        assert UserRepository(session).count(telegram_id=77, include_deleted=True) == 1


def test_many_at_once_revive_one_user(database: Database) -> None:
    with database.session(tenant="acme") as session:
        users = UserRepository(session)
        for name in ("one", "two"):
            users.delete(users.create(username=name, telegram_id=77))
    ids: set[int] = set()

    def work(session: UnitOfWork) -> None:
        ids.add(UserRepository(session).get_or_create_from_telegram(77).id)

    at_once(database, work)
    with database.session(tenant="acme") as session:
        assert [user.id for user in UserRepository(session).list(telegram_id=77)] == list(ids)


def test_two_tenants_have_a_user_each(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            user = UserRepository(session).get_or_create_from_telegram(77, "ada")
            assert (user.tenant_id, user.username) == (tenant, "ada")
    with database.session(all_tenants=True) as session:
        users = UserRepository(session)
        with pytest.raises(SeveralRowsFound):
            users.get_by_telegram_id(77)
        assert users.get_or_create_from_telegram(77, "ada").tenant_id == "default"
    with Session(database.engine()) as plain, plain.begin():
        assert UserRepository(plain).get_or_create_from_telegram(77).tenant_id == "default"
        assert UserRepository(plain).count(telegram_id=77) == 3


# Logins


def test_failures_lock_a_user_out_at_the_limit(users: UserRepository) -> None:
    user = users.create(username="ada")
    for number in (1, 2):
        assert users.register_failed_login(user, limit=3, now=NOON) is user
        assert (user.failed_login_attempts, user.is_locked) == (number, False)
    assert user.last_login_attempt == NOON
    users.register_failed_login(user.id, limit=3)
    assert (user.failed_login_attempts, user.is_locked) == (3, True)
    assert user.last_login_attempt not in (None, NOON)


def test_five_failures_are_the_limit_unless_told(users: UserRepository) -> None:
    user = users.create(username="ada")
    locks = [users.register_failed_login(user).is_locked for _ in range(6)]
    assert locks == [False] * 4 + [True] * 2


def test_a_login_starts_the_count_anew(users: UserRepository) -> None:
    user = users.create(username="ada", failed_login_attempts=4, is_locked=True)
    users.register_login(user, now=NOON)
    assert (user.failed_login_attempts, user.last_login_attempt) == (0, NOON)
    assert user.is_locked


def test_a_user_is_unlocked(users: UserRepository) -> None:
    user = users.create(username="ada", failed_login_attempts=9, is_locked=True)
    users.unlock(user)
    assert (user.failed_login_attempts, user.is_locked) == (0, False)


def test_failures_at_once_are_all_counted(database: Database) -> None:
    with database.session(tenant="acme") as session:
        key = UserRepository(session).list()[0].id

    def work(session: UnitOfWork) -> None:
        users = UserRepository(session)
        user = users.get(key)
        assert user is not None
        users.register_failed_login(user)

    at_once(database, work)
    with database.session(tenant="acme") as session:
        user = UserRepository(session).list()[0]
        assert (user.failed_login_attempts, user.is_locked) == (5, True)


def test_logins_of_others_and_of_nobody_are_refused(users: UserRepository) -> None:
    stranger = users.session.scalars(select(User.id).order_by(User.id.desc())).first()
    gone = users.create(username="gone")
    users.delete(gone)
    for user in (0, (stranger or 0) + 1, gone):
        with pytest.raises(RowNotFound):
            users.register_failed_login(user)
    with pytest.raises(ValueError, match="at least 1"):
        users.register_failed_login(gone, limit=0)


def test_another_tenants_user_is_not_locked(database: Database) -> None:
    with database.session(tenant="rival") as session:
        key = UserRepository(session).list()[0].id
    with database.session(tenant="acme") as session, pytest.raises(RowNotFound):
        UserRepository(session).register_failed_login(key, limit=1)
    with database.session(tenant="rival") as session:
        assert not UserRepository(session).list()[0].is_locked


def test_nothing_is_registered_in_a_session_for_reading(database: Database) -> None:
    with database.session(tenant="acme", read_only=True) as session:
        users = UserRepository(session)
        with pytest.raises(ReadOnlySession):
            users.unlock(users.list()[0])


# Permissions


def test_users_are_found_by_what_they_may_do(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        read, write = Permission(code="runs.read"), Permission(code="runs.write")
        viewer = session.scalars(select(Role).where(Role.name == "viewer")).one()
        viewer.permissions = [read]
        session.add(Role(name="admin", permissions=[read, write]))
    with database.session(tenant="acme") as session:
        users = UserRepository(session)
        admin = session.scalars(select(Role.id).where(Role.name == "admin")).one()
        users.create(username="boss", role_id=admin)
        users.create(username="inactive", role_id=admin, is_active=False)
        users.delete(users.create(username="deleted", role_id=admin))
    with database.session(tenant="acme", read_only=True) as session:
        users = UserRepository(session)
        readers = [user.username for user in users.with_permission("runs.read")]
        writers = [user.username for user in users.with_permission("runs.write")]
        assert (readers, writers) == (["acme-user", "boss"], ["boss"])
        assert users.with_permission("runs") == []

"""Users: found by what they are known by, made when Telegram brings them, locked out and let in."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, update

from qadb.errors import ConflictError, RowNotFound, SeveralRowsFound
from qadb.models import Permission, Role, User
from qadb.models.identity import DEFAULT_ROLE
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.owners import owner_of
from qadb.repositories.generic.periods import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

FAILED_LOGINS = 5
SHORTEST_USERNAME = 3
LONGEST_USERNAME = 50
LONGEST_NAME = 100
LARGEST_ID = 2**63 - 1


class UserRepository(Repository[User]):
    """People and machines that work with the data."""

    model = User

    def get_by_email(self, email: str) -> User | None:
        """Return the user with this address, whatever the case of its letters.

        Addresses are unique as they are written: where two differ in case alone, only the exact
        spelling finds one.

        Raises:
            SeveralRowsFound: more than one matches and none exactly.
        """
        exact = self.list(email=email, limit=2)
        same = exact or self.list(func.lower(User.email) == func.lower(email))
        # The engines' lower() disagree on letters beyond ASCII, which addresses hardly have.
        found = [user for user in same if _folded(user.email or "") == _folded(email)]
        if len(found) > 1:
            raise SeveralRowsFound(f"More than one user has the address {email}.")
        return found[0] if found else None

    def get_by_telegram_id(self, telegram_id: int) -> User | None:
        """Return the user with this id in Telegram.

        Raises:
            SeveralRowsFound: the session sees several tenants, and more than one has it.
        """
        return self.get_by(telegram_id=telegram_id)

    def get_or_create_from_telegram(
        self,
        telegram_id: int,
        username: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> User:
        """Return the one user with this id in Telegram, made or revived where it is missing.

        Safe among many callers. First and last name follow Telegram; a user name, once given,
        stays. One that is missing, taken, or too short or long becomes ``telegram_<id>``. A user
        who was deleted comes back with the default role: their rights ended with the deletion.
        A session for all tenants looks among the users of ``default``.

        Raises:
            ValueError: the id is no positive whole number.
        """
        _check_id(telegram_id)
        self._flush(None)
        names = _stated_names(first_name, last_name)
        found = self.get_by(User.tenant_id == owner_of(self.session), telegram_id=telegram_id)
        if found is None:
            revived = self._revive(telegram_id, username)
            found = revived or self._insert(telegram_id, username, names)
        for name, value in names.items():
            if getattr(found, name) != value:
                setattr(found, name, value)
        self._flush(found)
        return found

    def register_failed_login(
        self, user: User | int, limit: int = FAILED_LOGINS, *, now: datetime | None = None
    ) -> User:
        """Count a failed login, given the user or their key, and lock them out at the limit.

        The database counts, so that two at once count two. Commit it before the login is refused.

        Args:
            user: themselves or their key.
            limit: how many failures in a row lock them out.
            now: when it was, aware; the present by default.

        Returns:
            The user as the database has it now.

        Raises:
            ValueError: the limit is below 1, or the moment has no time zone.
            RowNotFound: there is no such user.
        """
        if limit < 1:
            raise ValueError(f"the limit must be at least 1, not {limit}")
        failures = User.failed_login_attempts + 1
        return self._change(
            user,
            {
                "failed_login_attempts": failures,
                "is_locked": or_(User.is_locked, failures >= limit),
                "last_login_attempt": moment(now),
            },
        )

    def register_login(self, user: User | int, *, now: datetime | None = None) -> User:
        """Note a login that succeeded: failures are counted from 0 again; a lock stays.

        Raises:
            RowNotFound: there is no such user.
            ValueError: the moment has no time zone.
        """
        return self._change(user, {"failed_login_attempts": 0, "last_login_attempt": moment(now)})

    def unlock(self, user: User | int) -> User:
        """Let a user in again, with failures counted from 0.

        Raises:
            RowNotFound: there is no such user.
        """
        return self._change(user, {"failed_login_attempts": 0, "is_locked": False})

    def with_permission(self, code: str) -> Sequence[User]:
        """Return the active users whose role has the permission, by their ids."""
        return self.list(
            User.role.has(Role.permissions.any(Permission.code == code)), is_active=True
        )

    def _change(self, user: User | int, values: Mapping[str, object]) -> User:
        """Change a live user by SQL and read them anew."""
        self._flush(None)
        key = id_of(user)
        is_it = (User.id == key, User.deleted_at.is_(None))
        change = update(User).where(*is_it).values(**values)
        self.session.execute(change.execution_options(synchronize_session=False))
        query = select(User).where(*is_it).execution_options(populate_existing=True)
        found = self.session.scalars(query).one_or_none()
        if found is None:
            raise RowNotFound(f"There is no row {key!r} in {self._table_name}.")
        return found

    def _revive(self, telegram_id: int, username: str | None) -> User | None:
        """Bring back whom was deleted last; None when nobody was, or another was faster."""
        query = (
            select(User)
            .where(
                User.tenant_id == owner_of(self.session),
                User.telegram_id == telegram_id,
                User.deleted_at.is_not(None),
            )
            .order_by(User.deleted_at.desc(), User.id.desc())
            .limit(1)
            .with_for_update(of=User)
            .execution_options(populate_existing=True)
        )
        gone = self.session.scalars(query).one_or_none()
        if gone is None:
            return None
        default_role = self.session.scalars(select(Role).where(Role.name == DEFAULT_ROLE)).one()
        changes: dict[str, object] = {"deleted_at": None, "role": default_role}
        names = chain([gone.username], _usernames(telegram_id, username))
        name = next(names)
        while True:
            try:
                with self.session.begin_nested():
                    return self.update(gone, **changes, username=name)
            except ConflictError as error:
                if "telegram_id" in error.values:
                    return None
                if "email" in error.values:
                    changes["email"] = None  # somebody else's by now
                elif "username" in error.values:
                    name = next(names)
                else:
                    raise

    def _insert(self, telegram_id: int, username: str | None, names: Mapping[str, str]) -> User:
        key = {"tenant_id": owner_of(self.session), "telegram_id": telegram_id}
        candidates = _usernames(telegram_id, username)
        while True:
            row = {**key, **names, "username": next(candidates)}
            try:
                with self.session.begin_nested():
                    return self.upsert(row, key=[*key], changes=[*names])
            except ConflictError as error:
                if "username" not in error.values:
                    raise


def _usernames(telegram_id: int, username: str | None) -> Iterator[str]:
    """Yield names to try, the user's own first where it can be one."""
    own = (username or "").strip().removeprefix("@")
    if SHORTEST_USERNAME <= len(own) <= LONGEST_USERNAME:
        yield own
    yield f"telegram_{telegram_id}"
    yield from (f"telegram_{telegram_id}_{number}" for number in count(2))


def _stated_names(first_name: str | None, last_name: str | None) -> dict[str, str]:
    """The names that are given, cut to what fits."""
    given = {"first_name": (first_name or "").strip(), "last_name": (last_name or "").strip()}
    return {name: value[:LONGEST_NAME] for name, value in given.items() if value}


def _check_id(telegram_id: int) -> None:
    if type(telegram_id) is not int or not 1 <= telegram_id <= LARGEST_ID:
        raise ValueError(f"an id in Telegram is a positive number, not {telegram_id!r}")


def _folded(address: str) -> bytes:
    return address.encode().lower()

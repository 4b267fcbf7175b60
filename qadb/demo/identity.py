"""Identity: the company's tenant and its people. Nobody of the demo can sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.demo.plan import Batch, Row, Scene, batch
from qadb.models import Tenant, User
from qadb.models.mixins import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.demo.companies import Person

JOINED_DAYS_AGO = 240
FIRST_TELEGRAM_ID = 5_000_000_001


def identity(scene: Scene) -> Iterator[Batch]:
    """The tenant, unless it is there from the start, and the users."""
    joined = scene.plan.ago(JOINED_DAYS_AGO)
    company = scene.company
    if company.tenant_id != DEFAULT_TENANT:
        tenant = {"id": company.tenant_id, "name": company.name, "is_active": True}
        yield batch(Tenant, [{**tenant, "created_at": joined, "updated_at": joined}])
    users = [_user(scene, place, person) for place, person in enumerate(company.people)]
    yield batch(User, users)


def _user(scene: Scene, place: int, person: Person) -> Row:
    joined = scene.plan.ago(JOINED_DAYS_AGO - 17 * place)
    is_bot = person.last_name == "Bot"
    is_locked = person.role == "viewer"
    row = scene.row(
        User,
        joined,
        username=person.username,
        email=None if is_bot else f"{person.username}@{scene.company.tenant_id}.example.org",
        first_name=person.first_name,
        last_name=person.last_name,
        full_name=f"{person.first_name} {person.last_name}",
        role_id=scene.reference.roles[person.role],
        is_active=True,
        is_verified=not is_locked,
        is_locked=is_locked,
        failed_login_attempts=5 if is_locked else 0,
        last_login_attempt=None if is_bot else scene.plan.ago(0.2 + place),
        telegram_id=None if is_bot else FIRST_TELEGRAM_ID + place,
        preferences={"theme": "dark" if place % 2 else "light", "language": "en"},
    )
    scene.users[person.username] = scene.counted[User.__tablename__]
    return row

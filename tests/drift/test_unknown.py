"""Where the revisions can't be run for comparison nobody can tell, and the answer says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.operations.status import read_status
from qadb.revisions.drift import find_drift, find_drift_of_models
from tests.support.databases import execute, open_database
from tests.support.postgres_client import execute as execute_as_admin
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database


@pytest.fixture
def as_reader(migrated_postgresql: Database) -> Iterator[Database]:
    """The database for a role that may read and no more."""
    options = migrated_postgresql.url
    url = f"postgresql://{options.user}:{options.password}@{options.hosts[0][0]}"
    url += f":{options.hosts[0][1]}/{options.database}"
    with ordinary_role(url) as role:
        execute_as_admin(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.name)
        with open_database(role.url(url)) as database:
            yield database


def test_role_that_may_make_no_namespace_is_told_which_right_it_takes(
    as_reader: Database,
) -> None:
    for look in (find_drift, find_drift_of_models):
        drift = look(as_reader)

        assert (drift.status, drift.differences) == ("unknown", ())
        assert "may make no namespace" in (drift.reason or "")
        assert f"GRANT CREATE ON DATABASE {as_reader.url.database} TO" in (drift.reason or "")


def test_database_without_a_known_revision_has_no_drift_to_tell(empty: Database) -> None:
    absent = read_status(empty, with_drift=True)
    empty.create()
    execute(empty, "CREATE TABLE other (id INTEGER)")
    unmanaged = read_status(empty, with_drift=True)

    for status in (absent, unmanaged):
        assert status.drift is not None
        assert status.drift.status == "unknown"
        assert not status.is_well

"""Down and up again leaves an equal database, by the engines' own tools and by our reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.backends.catalog import diff
from qadb.operations.migrate import migrate
from qadb.operations.rollback import plan_rollback, rollback
from tests.support.databases import dump_schema, live_catalog
from tests.support.revisions import REVISIONS

if TYPE_CHECKING:
    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer


def test_down_and_up_again_leaves_an_equal_catalog(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    own = migrated.schema.own_tables
    text = dump_schema(migrated_url, database_server, leave_out=own)
    catalog = live_catalog(migrated)

    rollback(migrated, plan_rollback(migrated, "base"))
    assert diff(catalog, live_catalog(migrated)) != ()
    migrate(migrated)

    assert dump_schema(migrated_url, database_server, leave_out=own) == text
    assert diff(catalog, live_catalog(migrated)) == ()


def test_every_stop_on_the_way_down_equals_the_one_on_the_way_up(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    own = migrated.schema.own_tables
    down = {}
    for stop in reversed(REVISIONS):
        rollback(migrated, plan_rollback(migrated, stop))
        down[stop] = dump_schema(migrated_url, database_server, leave_out=own)
    rollback(migrated, plan_rollback(migrated, "base"))
    for stop in REVISIONS:
        migrate(migrated, stop)
        assert dump_schema(migrated_url, database_server, leave_out=own) == down[stop]

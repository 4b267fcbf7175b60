"""The parts of each engine: modules that meet their protocols, loaded when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

import pytest

from qadb.backends.base import Backend
from qadb.backends.postgresql import bulk as postgresql_bulk
from qadb.backends.postgresql import catalog as postgresql_catalog
from qadb.backends.postgresql import cleaner as postgresql_cleaner
from qadb.backends.postgresql import conflicts as postgresql_conflicts
from qadb.backends.postgresql import connector as postgresql_connector
from qadb.backends.postgresql import context as postgresql_context
from qadb.backends.postgresql import dumper as postgresql_dumper
from qadb.backends.postgresql import errors as postgresql_errors
from qadb.backends.postgresql import inspecting as postgresql_inspecting
from qadb.backends.postgresql import keys as postgresql_keys
from qadb.backends.postgresql import locks as postgresql_locks
from qadb.backends.postgresql import migrations as postgresql_migrations
from qadb.backends.postgresql import restorer as postgresql_restorer
from qadb.backends.postgresql import schema_facts as postgresql_schema_facts
from qadb.backends.postgresql import scratch as postgresql_scratch
from qadb.backends.postgresql import seeding as postgresql_seeding
from qadb.backends.postgresql import server_facts as postgresql_server_facts
from qadb.backends.postgresql import sizes as postgresql_sizes
from qadb.backends.postgresql import statements as postgresql_statements
from qadb.backends.postgresql import taking_over as postgresql_taking_over
from qadb.backends.postgresql import text_search as postgresql_text_search
from qadb.backends.postgresql import upserts as postgresql_upserts
from qadb.backends.registry import ENGINES, load_backend
from qadb.backends.sqlite import bulk as sqlite_bulk
from qadb.backends.sqlite import catalog as sqlite_catalog
from qadb.backends.sqlite import cleaner as sqlite_cleaner
from qadb.backends.sqlite import conflicts as sqlite_conflicts
from qadb.backends.sqlite import connector as sqlite_connector
from qadb.backends.sqlite import context as sqlite_context
from qadb.backends.sqlite import dumper as sqlite_dumper
from qadb.backends.sqlite import errors as sqlite_errors
from qadb.backends.sqlite import file_facts as sqlite_file_facts
from qadb.backends.sqlite import inspecting as sqlite_inspecting
from qadb.backends.sqlite import keys as sqlite_keys
from qadb.backends.sqlite import locks as sqlite_locks
from qadb.backends.sqlite import migrations as sqlite_migrations
from qadb.backends.sqlite import page_facts as sqlite_page_facts
from qadb.backends.sqlite import restorer as sqlite_restorer
from qadb.backends.sqlite import schema_facts as sqlite_schema_facts
from qadb.backends.sqlite import scratch as sqlite_scratch
from qadb.backends.sqlite import seeding as sqlite_seeding
from qadb.backends.sqlite import sizes as sqlite_sizes
from qadb.backends.sqlite import statements as sqlite_statements
from qadb.backends.sqlite import text_search as sqlite_text_search
from qadb.backends.sqlite import upserts as sqlite_upserts

if TYPE_CHECKING:
    from qadb.backends.parts import Part

P = TypeVar("P")


def met_by(part: Part[P], *, postgresql: P, sqlite: P) -> tuple[str, dict[str, object]]:
    """A part with the modules that are it; mypy sees here that they meet its protocol."""
    return part.name, {"postgresql": postgresql, "sqlite": sqlite}


PARTS = dict(
    [
        met_by(Backend.connector, postgresql=postgresql_connector, sqlite=sqlite_connector),
        met_by(Backend.translator, postgresql=postgresql_errors, sqlite=sqlite_errors),
        met_by(Backend.locks, postgresql=postgresql_locks, sqlite=sqlite_locks),
        met_by(Backend.migrations, postgresql=postgresql_migrations, sqlite=sqlite_migrations),
        met_by(Backend.bulk, postgresql=postgresql_bulk, sqlite=sqlite_bulk),
        met_by(Backend.keys, postgresql=postgresql_keys, sqlite=sqlite_keys),
        met_by(Backend.catalog, postgresql=postgresql_catalog, sqlite=sqlite_catalog),
        met_by(Backend.sizes, postgresql=postgresql_sizes, sqlite=sqlite_sizes),
        met_by(Backend.context, postgresql=postgresql_context, sqlite=sqlite_context),
        met_by(Backend.upserts, postgresql=postgresql_upserts, sqlite=sqlite_upserts),
        met_by(Backend.conflicts, postgresql=postgresql_conflicts, sqlite=sqlite_conflicts),
        met_by(Backend.scratch, postgresql=postgresql_scratch, sqlite=sqlite_scratch),
        met_by(Backend.seeding, postgresql=postgresql_seeding, sqlite=sqlite_seeding),
        met_by(Backend.statements, postgresql=postgresql_statements, sqlite=sqlite_statements),
        met_by(Backend.dumper, postgresql=postgresql_dumper, sqlite=sqlite_dumper),
        met_by(Backend.restorer, postgresql=postgresql_restorer, sqlite=sqlite_restorer),
        met_by(Backend.text_search, postgresql=postgresql_text_search, sqlite=sqlite_text_search),
        met_by(Backend.inspector, postgresql=postgresql_inspecting, sqlite=sqlite_inspecting),
        met_by(Backend.schema, postgresql=postgresql_schema_facts, sqlite=sqlite_schema_facts),
        met_by(Backend.cleaner, postgresql=postgresql_cleaner, sqlite=sqlite_cleaner),
        met_by(Backend.row_taker, postgresql=postgresql_taking_over, sqlite=None),
        met_by(Backend.server, postgresql=postgresql_server_facts, sqlite=None),
        met_by(Backend.file, postgresql=None, sqlite=sqlite_file_facts),
        met_by(Backend.pages, postgresql=None, sqlite=sqlite_page_facts),
    ]
)


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_parts_are_the_engines_modules(engine: str) -> None:
    backend = load_backend(engine)

    assert {name: getattr(backend, name) for name in PARTS} == {
        name: modules[engine] for name, modules in PARTS.items()
    }


def test_no_part_is_left_out() -> None:
    assert set(PARTS) == set(Backend.__annotations__)


def test_parts_are_loaded_when_they_are_asked_for(engine: str) -> None:
    """A command that fills nothing in, for one, waits for nothing that does."""
    code = f"""
import sys
from qadb.backends.registry import load_backend
backend = load_backend({engine!r})
loaded = lambda: {{name for name in sys.modules if name.startswith("qadb.backends.{engine}.")}}
assert not loaded(), loaded()
assert backend.text_search is backend.text_search
assert "qadb.backends.{engine}.text_search" in loaded()
assert "qadb.backends.{engine}.restorer" not in loaded()
"""

    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)

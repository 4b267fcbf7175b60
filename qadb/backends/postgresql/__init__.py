"""PostgreSQL 14 and newer, through psycopg2."""

from __future__ import annotations

from qadb.backends.base import Backend
from qadb.backends.postgresql import (
    bulk,
    catalog,
    cleaner,
    conflicts,
    connector,
    context,
    errors,
    inspecting,
    keys,
    locks,
    migrations,
    schema_facts,
    scratch,
    seeding,
    server_facts,
    sizes,
    statements,
    taking_over,
    text_search,
    upserts,
)
from qadb.backends.postgresql.dumping import dumper
from qadb.backends.postgresql.restoring import restorer

backend = Backend(
    name="postgresql",
    connector=connector,
    translator=errors,
    locks=locks,
    migrations=migrations,
    bulk=bulk,
    keys=keys,
    catalog=catalog,
    sizes=sizes,
    context=context,
    upserts=upserts,
    conflicts=conflicts,
    scratch=scratch,
    seeding=seeding,
    statements=statements,
    dumper=dumper,
    restorer=restorer,
    text_search=text_search,
    inspector=inspecting,
    schema=schema_facts,
    cleaner=cleaner,
    row_taker=taking_over,
    server=server_facts,
)

"""SQLite: one file, WAL, foreign keys on."""

from __future__ import annotations

from qadb.backends.base import Backend
from qadb.backends.sqlite import (
    bulk,
    catalog,
    cleaner,
    conflicts,
    connector,
    context,
    dumper,
    errors,
    keys,
    locks,
    migrations,
    restorer,
    scratch,
    seeding,
    sizes,
    statements,
    text_search,
    upserts,
)

backend = Backend(
    name="sqlite",
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
    cleaner=cleaner,
)

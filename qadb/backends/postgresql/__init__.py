"""PostgreSQL 14 and newer, through psycopg2."""

from __future__ import annotations

from qadb.backends.base import Backend

backend = Backend("postgresql", missing=frozenset({"file", "pages"}))

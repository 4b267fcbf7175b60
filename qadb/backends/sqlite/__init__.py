"""SQLite: one file, WAL, foreign keys on."""

from __future__ import annotations

from qadb.backends.base import Backend

backend = Backend("sqlite", missing=frozenset({"row_taker", "server"}))

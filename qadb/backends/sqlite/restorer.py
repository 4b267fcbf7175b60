"""SQLite's half of restoring: what `qadb.backends.base_backups.Restorer` asks for, joined."""

from __future__ import annotations

from qadb.backends.sqlite.claiming import claim
from qadb.backends.sqlite.rebuilding import (
    check,
    check_requirements,
    place_in,
    rebuild,
    remove_leftovers,
)

__all__ = [
    "check",
    "check_requirements",
    "claim",
    "keeps_previous",
    "place_in",
    "rebuild",
    "remove_leftovers",
]

keeps_previous = False

"""What databases are called beside the one that a restore is for.

PostgreSQL cuts a name at 63 bytes: two that differ only behind would be one.
"""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b

LONGEST_NAME = 63
REBUILT_END = "_qadb_{:08x}"  # HASH_LETTERS of them
FORMER_END = "_before_{}"
HASH_LETTERS = 8


def rebuilt_name(name: str) -> str:
    """A fresh name for a database that is being rebuilt."""
    end = REBUILT_END.format(secrets.randbits(32))
    return _shorten(name, len(end)) + end


def is_rebuilt_name(found: str, name: str) -> bool:
    """Tell whether a database's name is one that `rebuilt_name` makes for this one."""
    stem = _shorten(name, len(REBUILT_END.format(0)))
    return re.fullmatch(rf"{re.escape(stem)}_qadb_[0-9a-f]{{8}}", found) is not None


def former_name(name: str, moment: str, taken: frozenset[str]) -> str:
    """What the former database is called from now on; none of the names that are taken."""
    number = 1
    while True:
        end = FORMER_END.format(moment) + ("" if number == 1 else f"_{number}")
        found = _shorten(name, len(end)) + end
        if found not in taken:
            return found
        number += 1


def _shorten(name: str, room: int) -> str:
    """Cut a name that is too long, with letters of its own so that no other is cut to the same."""
    encoded = name.encode()
    if len(encoded) + room <= LONGEST_NAME:
        return name
    own = blake2b(encoded, digest_size=HASH_LETTERS // 2).hexdigest()
    kept = encoded[: LONGEST_NAME - room - HASH_LETTERS - 1].decode(errors="ignore")
    return f"{kept}_{own}"

"""Other sessions' statements as people may see them.

They are short, and have none of the values: one may be a secret.
"""

from __future__ import annotations

import re

LONGEST_QUERY = 200

_LITERAL = re.compile(r"'(?:[^']|'')*'?|\$(\w*)\$.*?(?:\$\1\$|\Z)", re.DOTALL)


def spell_query(query: str | None) -> str:
    """Return the statement on one line, its values left out; empty where there is none."""
    text = " ".join(_LITERAL.sub("'…'", query or "").split())
    return text if len(text) <= LONGEST_QUERY else f"{text[:LONGEST_QUERY]}…"

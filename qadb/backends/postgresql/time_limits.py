"""Limits of role and server on how long something may last, lifted for one transaction."""

from __future__ import annotations

FIRST_WITH_TRANSACTION_TIMEOUT = 17  # major version


def no_limits(server_major: int) -> str:
    """The statements that lift every limit but how long to wait for a lock; they print nothing."""
    names = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if server_major >= FIRST_WITH_TRANSACTION_TIMEOUT:
        names.append("transaction_timeout")
    return "".join(f"SET LOCAL {name} = 0;\n" for name in names)

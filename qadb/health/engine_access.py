"""How the engines' checks come to their facts, and what they say where a role may not see all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Finding
from qadb.errors import QadbError

if TYPE_CHECKING:
    from qadb.backends.base_file_health import FileInspector
    from qadb.backends.base_server_health import Hidden, ServerInspector
    from qadb.health.context import Context

IN_MEMORY = Finding("skipped", "The database is in memory.")


def server(context: Context) -> ServerInspector:
    """What asks the server of itself."""
    found = context.database.backend.server
    if found is None:
        raise QadbError("This engine is no server.")
    return found


def file(context: Context) -> FileInspector:
    """What asks about the file."""
    found = context.database.backend.file
    if found is None:
        raise QadbError("This database is no file.")
    return found


def unless_hidden(finding: Finding, hidden: Hidden, what: tuple[str, str]) -> Finding:
    """The finding, or ``unknown`` where all that is seen is well and something is not seen.

    Args:
        finding: what is told by what the role sees.
        hidden: what it does not see.
        what: what that is, of one and of several.
    """
    if finding.status != "ok" or not hidden.count:
        return finding
    subject = what[0] if hidden.count == 1 else what[1]
    return Finding(
        "unknown",
        f"{hidden.count} {subject} hidden from this role.",
        finding.value,
        finding.details,
        f"Grant it with: {hidden.grant}",
    )

"""The trail: what each transaction of a cleanup took, recorded in the audit log by itself.

One entry a transaction, in it: killed at any moment, the log tells what is gone and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert

from qadb.cleaning.subjects import TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, MetaData

    from qadb.cleaning.subjects import Key, Subject

RECORD = "cleanup"
AGENT = "qadb cleanup"


class Trail:
    """Writes the entries.

    Args:
        metadata: all tables.
        log_table: the audit log's name; None: nothing is written.
        user: who runs the cleanup.
    """

    def __init__(self, metadata: MetaData, log_table: str | None, user: str) -> None:
        self._insert = None if log_table is None else insert(metadata.tables[log_table])
        self._user = user

    def record(
        self,
        connection: Connection,
        subject: Subject,
        tenant: str,
        keys: Sequence[Key],
        deleted: Mapping[str, int],
    ) -> None:
        """Tell what was deleted, by whom, and by which rule."""
        if self._insert is None:
            return
        cutoff = subject.rule.cutoff
        facts = {
            "operation": RECORD,
            "by": self._user,
            "older_than": None if cutoff is None else cutoff.isoformat(),
            "deleted": dict(deleted),
            "first": str(min(keys)),
            "last": str(max(keys)),
        }
        values = {
            TENANT: tenant,
            "table_name": subject.name,
            "record_id": RECORD,
            "action_type": "DELETE",
            "new_values": facts,
            "user_agent": AGENT,
        }
        connection.execute(self._insert, values)

"""What pg_dump and pg_restore say when they fail, in our words.

They carry no SQLSTATE: what they say is told apart by the text, English where the server's is.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from qadb.backends.postgresql.refusals import confined, lost, quoted, role, translate_refusal, where
from qadb.errors import (
    BackupDamaged,
    DatabaseFailure,
    InsufficientPrivilege,
    LockNotAvailable,
    QadbError,
    StorageFull,
)

if TYPE_CHECKING:
    from qadb.settings import DatabaseUrl

_CONNECTING = re.compile(r"connection to (?:server|database) .*failed", re.DOTALL)
_SERVER_SAID = re.compile(r"(?:ERROR|FATAL|PANIC): {1,2}(?P<reason>.+)")
_ERROR = re.compile(r"^\w+: (?:error: )?(?P<reason>.+)", re.MULTILINE)

_CONFINED = ("row-level security",)
_DENIED = (
    "permission denied",
    "must be owner",
    "must be superuser",
    "must be able to SET ROLE",
    "may lack",
)
# The last is pg_dump's own way to limit how long it waits for a table.
_LOCKED = ("lock timeout", "could not obtain lock", "due to statement timeout")
_FULL = ("No space left on device", "could not extend file", "Disk quota exceeded")
_DAMAGED = (
    "does not appear to be a valid archive",
    "is too short",
    "unexpected end of file",
    "could not read from input file",
    "error during file seek",
    "unrecognized data block type",
    "could not find block ID",
    "found unexpected block ID",
    "entry ID",  # … out of range -- perhaps a corrupt TOC
    "violates foreign key constraint",
    "could not create unique index",
    "is violated by some row",
    "invalid input syntax",
    "extra data after last expected column",
    "missing data for column",
    "invalid byte sequence",
    "did not find magic string",
)
_LOST = (
    "server closed the connection",
    "terminating connection",
    "no connection to the server",
    "could not receive data from server",
    "SSL connection has been closed",
)


def explain(program: str, status: int, text: str, url: DatabaseUrl) -> QadbError:
    """Return the QadbError for a program that ended otherwise than well."""
    text = url.redact(text).strip()
    if _CONNECTING.search(text):
        return translate_refusal(text, url, is_lost=False)
    reason = _reason(text)
    for words, make in (
        (_CONFINED, _confined),
        (_DENIED, _denied),
        (_LOCKED, _locked),
        (_FULL, _full),
        (_LOST, lost),
        (_DAMAGED, _damaged),
    ):
        if any(each in text for each in words):
            return make(reason, url)
    if not reason:
        reason = _name_signal(-status) if status < 0 else f"it ended with status {status}"
    return DatabaseFailure(
        f"{program} failed at {where(url)}: {reason}.",
        hint="The server's log may say more.",
    )


def _reason(text: str) -> str:
    """The server's first words, else the program's."""
    found = _SERVER_SAID.search(text) or _ERROR.search(text)
    return (found["reason"] if found else text.partition("\n")[0]).strip().rstrip(".")


def _name_signal(number: int) -> str:
    try:
        return f"it was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"it was ended by signal {number}"


def _confined(reason: str, url: DatabaseUrl) -> QadbError:
    return confined(reason, url.user)


def _denied(reason: str, url: DatabaseUrl) -> QadbError:
    return InsufficientPrivilege(
        f"A right is missing for {role(url)}: {reason}.",
        hint="Use the owner's role; for a backup, it is enough to: "
        f"GRANT pg_read_all_data TO {quoted(url.user or '…')}",
    )


def _locked(reason: str, url: DatabaseUrl) -> QadbError:
    del url
    return LockNotAvailable(
        f"A lock could not be had in time: {reason}.",
        hint="Somebody changes a table. Try again when that is done.",
    )


def _full(reason: str, url: DatabaseUrl) -> QadbError:
    return StorageFull(
        f"The server at {where(url)} has no room left: {reason}.",
        hint="Free some space there and try again.",
    )


def _damaged(reason: str, url: DatabaseUrl) -> QadbError:
    del url
    return BackupDamaged(
        f"The backup's content can't be made a database of: {reason}.",
        hint="Take another backup.",
    )

"""Logging without secrets. Kept out of the package's exports: not every command needs logging."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from qadb.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable


class RedactingFormatter(logging.Formatter):
    """Formats as usual and then hides secrets, in arguments and tracebacks as well."""

    def __init__(
        self, fmt: str | None = None, datefmt: str | None = None, *, secrets: Iterable[str] = ()
    ) -> None:
        super().__init__(fmt, datefmt)
        self._secrets = frozenset(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Format the record and hide every secret in the result."""
        return redact(super().format(record), self._secrets)

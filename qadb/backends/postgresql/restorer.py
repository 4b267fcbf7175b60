# ruff: noqa: ARG001
"""Makes a PostgreSQL database of a backup's content, and puts it in another's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.errors import RestoreRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource, Claim, OnBytes
    from qadb.backends.values import ConnectionOptions, LockHolder
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

NOT_YET = "Restores into PostgreSQL are not written yet."


def claim(
    url: DatabaseUrl,
    schema: Schema,
    options: ConnectionOptions,
    *,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> AbstractContextManager[Claim]:
    """Refuse."""
    raise RestoreRefused(NOT_YET)


def check_requirements(
    url: DatabaseUrl, options: ConnectionOptions, details: Mapping[str, object]
) -> None:
    """Refuse."""
    raise RestoreRefused(NOT_YET)


def rebuild(
    content: ByteSource,
    url: DatabaseUrl,
    options: ConnectionOptions,
    *,
    details: Mapping[str, object],
    folder: Path | None,
    jobs: int,
    on_bytes: OnBytes,
) -> AbstractContextManager[DatabaseUrl]:
    """Refuse."""
    raise RestoreRefused(NOT_YET)


def check(rebuilt: DatabaseUrl) -> None:
    """Refuse."""
    raise RestoreRefused(NOT_YET)


def remove_leftovers(url: DatabaseUrl, options: ConnectionOptions) -> tuple[str, ...]:
    """Refuse."""
    raise RestoreRefused(NOT_YET)

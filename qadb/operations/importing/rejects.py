"""The report of rows that were not taken: JSON lines, there once the others are committed."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO


class Rejects:
    """Takes rows that were not taken; there is no file before the first.

    Attributes:
        count: how many there were.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._draft = path.with_name(f".{path.name}.partial")
        self._file: TextIO | None = None

    def add(self, table: str, row: Mapping[str, object], reason: str) -> None:
        """Write one row as the source has it, and why it was not taken."""
        if self._file is None:
            self._file = self._draft.open("w", encoding="utf-8")
            self._draft.chmod(0o600)
        document = {"table": table, "row": row, "reason": reason}
        self._file.write(json.dumps(document, ensure_ascii=False, default=_shown) + "\n")
        self.count += 1

    def publish(self) -> Path | None:
        """Give the file its name; None where nothing was rejected."""
        if self._file is None:
            return None
        self._file.close()
        self._draft.rename(self._path)
        return self._path

    def discard(self) -> None:
        """Remove what was written and not published."""
        if self._file is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)


@contextmanager
def writing_rejects(path: Path) -> Iterator[Rejects]:
    """Begin a report; nothing of it is left unless it was published.

    Raises:
        ConfigurationError: the name is taken, or the folder can't be written.
    """
    if path.exists():
        raise ConfigurationError(
            f"{path} is there already, and a report replaces nothing.",
            hint="Name another file with --rejects.",
        )
    rejects = Rejects(path)
    try:
        yield rejects
    except OSError as error:
        if error.filename is None or str(path.name) not in str(error.filename):
            raise
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error
    finally:
        rejects.discard()


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)

"""Paths in settings: relative to where they were written, absolute when they leave."""

from __future__ import annotations

import os
import re
from pathlib import Path

from qadb.errors import ConfigurationError

_WINDOWS_DRIVE = r"[A-Za-z]:[/\\]"


def absolute_path(text: str, *, base_dir: Path, source: str) -> Path:
    """Make a path absolute: ``~`` is the home folder, ``..`` means what the system means by it.

    Raises:
        ConfigurationError: there is no home folder to expand, or the path holds a NUL.
    """
    if "\0" in text:
        raise ConfigurationError(f"{source} holds a NUL character.")
    if re.match(_WINDOWS_DRIVE, text):
        return Path(text)
    try:
        path = base_dir / Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"{source} begins with '~', and there is no such home folder.",
            hint="Write the path in full.",
        ) from error
    # Only ".." needs the file system: dropping it by text would be wrong behind a symbolic link.
    return Path(os.path.realpath(path)) if ".." in path.parts else path

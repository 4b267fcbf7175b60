"""Raw values: what a level says, before anybody understood it.

Below the readers of files and above nothing, so that each of them can be loaded alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.settings.definitions import Scalar

BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class RawValue:
    """A value as it was written.

    Attributes:
        value: text, or what TOML says; may be a secret, hence no part of ``repr``.
        source: which level it comes from, for people.
        label: what to edit to change it, for messages.
        base_dir: the folder that a relative path in it starts from.
    """

    value: Scalar = field(repr=False)
    source: str
    label: str
    base_dir: Path


Level = Mapping[str, RawValue]


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        ConfigurationError: it can't be opened or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.") from None

"""`.env` files, read by python-dotenv as everyone else reads them."""

from __future__ import annotations

import logging
from io import StringIO
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from qadb.settings.raw import read_text

if TYPE_CHECKING:
    from pathlib import Path


def read_env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """Read a `.env` file: its values, and what python-dotenv could not understand.

    Raises:
        ConfigurationError: the file can't be read.
    """
    text = read_text(path)
    complaints: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        # python-dotenv only logs a bad line; nobody configured logging yet, so catch it here.
        complaints.append(f"{path}: {record.getMessage()}; the line is ignored.")
        return False

    logger = logging.getLogger("dotenv.main")
    logger.addFilter(collect)
    try:
        values = dotenv_values(stream=StringIO(text))
    finally:
        logger.removeFilter(collect)
    return {name: value for name, value in values.items() if value is not None}, complaints

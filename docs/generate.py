"""Write the reference pages from the code: ``python docs/generate.py [--check]``.

``--check`` writes nothing, names the pages that are out of date and then ends with 1. No database
is opened.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))  # this checkout's qadb, whichever is installed

from docs.generator.checks import checks_page  # noqa: E402 - after the path
from docs.generator.commands import commands_page  # noqa: E402 - after the path
from docs.generator.models import models_page  # noqa: E402 - the same
from docs.generator.repositories import repositories_page  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGES: Mapping[str, Callable[[], str]] = {
    "models.md": models_page,
    "repositories.md": repositories_page,
    "commands.md": commands_page,
    "checks.md": checks_page,
}


def find_outdated(folder: Path = FOLDER) -> dict[str, str]:
    """Return the text that each page should have and has not, by file name."""
    wanted = {name: make() for name, make in PAGES.items()}
    return {name: text for name, text in wanted.items() if _read(folder / name) != text}


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(words: Sequence[str] | None = None) -> int:
    """Write what is out of date, or only say so; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the reference pages from the code.")
    parser.add_argument("--check", action="store_true", help="name pages that are out of date")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    outdated = find_outdated(arguments.folder)
    for name, text in outdated.items():
        print(f"{name} is out of date" if arguments.check else f"{name} written")
        if not arguments.check:
            (arguments.folder / name).write_text(text, encoding="utf-8")
    return 1 if arguments.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())

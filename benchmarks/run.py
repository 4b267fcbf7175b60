"""Run the benchmarks: ``python benchmarks/run.py [--tiny] [NAME ...]``.

Each is a module here with ``run(tiny=…)`` that yields lines. ``--tiny`` runs each once, at a size
that only shows that it works.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

NAMES = (
    "startup",
    "migrating",
    "backing_up",
    "checking",
    "cleaning",
    "ingest_speed",
    "ingest_memory",
    "bulk_insert",
    "case_pages",
)


def main() -> None:
    """Run what was named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], default=[])
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    for name in arguments.names or NAMES:
        for line in import_module(f"benchmarks.{name}").run(tiny=arguments.tiny):
            print(line, flush=True)


if __name__ == "__main__":
    main()

"""Finds the processes that have a file open."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def find_processes(path: Path) -> tuple[str, ...]:
    """Who else has the file open: on Linux, and of other users as root only."""
    others = (p for p in Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid())
    found = (f"{_name_of(p)} (pid {p.name})" for p in others if _has_open(p, path))
    return tuple(sorted(found))


def _has_open(process: Path, path: Path) -> bool:
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if link.readlink() == path:
                    return True
    return False


def _name_of(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return "a process"

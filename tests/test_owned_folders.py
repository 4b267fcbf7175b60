"""Folders that die with their owner: used ones stay, abandoned ones go, others' are not touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from qadb.owned_folders import begin_folder, owned_folder, remove_abandoned, temporary_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KILLED = """
import os, signal, sys
from pathlib import Path
from qadb.owned_folders import begin_folder
folder = begin_folder(Path(sys.argv[1]), "work-").path
(folder / "large").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_one(parent: Path) -> Path:
    child = subprocess.run([sys.executable, "-c", KILLED, str(parent)], check=False)
    assert child.returncode == -signal.SIGKILL
    (found,) = parent.glob("work-*")
    return found


def test_a_folder_is_its_owners_alone_and_goes_with_the_block(tmp_path: Path) -> None:
    with owned_folder(tmp_path, "work-", ".x") as folder:
        assert (folder.stat().st_mode & 0o777, folder.suffix) == (0o700, ".x")
        assert remove_abandoned([folder]) == ()

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_owner_left_goes(tmp_path: Path) -> None:
    left = leave_one(tmp_path)

    assert remove_abandoned([left]) == (left,)
    assert list(tmp_path.iterdir()) == []


def test_the_next_temporary_folder_takes_away_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    leave_one(tmp_path)
    used = begin_folder(tmp_path, "work-")

    with temporary_folder("work-") as folder:
        assert sorted(tmp_path.iterdir()) == sorted([used.path, folder])

    used.remove()


def test_what_is_no_such_folder_stays(tmp_path: Path) -> None:
    """In a folder that all users share, a name can be anybody's trap."""
    target = tmp_path / "target"
    (target / "inside").mkdir(parents=True)
    (target / "lock").write_text("")
    (tmp_path / "work-link").symlink_to(target)
    (tmp_path / "work-file").write_text("mine")
    trap = tmp_path / "work-trap"
    trap.mkdir()
    (trap / "lock").symlink_to(target / "lock")
    young = tmp_path / "work-young"
    young.mkdir()

    assert remove_abandoned(tmp_path.glob("work-*")) == ()

    os.utime(young, (1, 1))
    assert remove_abandoned(tmp_path.glob("work-*")) == (young,)
    assert (target / "inside").is_dir()

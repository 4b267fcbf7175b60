"""A restore into PostgreSQL that is killed: the old database or the new one, and what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import restorer
from qadb.backends.postgresql.dumping import large_tables
from qadb.backends.postgresql.names import is_rebuilt_name
from tests.backends.postgresql_rich import (
    OPTIONS,
    as_text,
    backed_up,
    claimed,
    names_on,
    on_path,
    rebuilt,
    state,
)
from tests.backends.restore_child import STEPS, STEPS_OF_PIECES
from tests.support.postgres_client import execute
from tests.support.program import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.backends.postgresql_rich import Content
    from tests.support.postgres_server import PostgresServer

DONE = frozenset({"dropping", "none", "no piece"})
LEAVES_FILES = frozenset({"copied", "restoring", "tables made", "loading", "loaded", "indexed"})


@pytest.fixture(autouse=True)
def programs_on_path(postgresql_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(monkeypatch, postgresql_server)


@pytest.mark.parametrize("step", STEPS)
def test_killed_restore_leaves_the_old_database_or_the_new_one(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    require_old_or_new(postgresql_server, place, content, tmp_path, monkeypatch, step)


@pytest.mark.parametrize("step", STEPS_OF_PIECES)
def test_killed_restore_of_pieces_leaves_the_old_database_or_the_new_one(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    monkeypatch.setattr(large_tables, "LARGE_BYTES", 1)
    content = backed_up(place, tmp_path)
    execute(as_text(place), "UPDATE state SET word = 'old'")
    require_old_or_new(postgresql_server, place, content, tmp_path, monkeypatch, step)


def require_old_or_new(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """Have a restore killed at a step, and look at what there is and at what it leaves."""
    (tmp_path / "content").write_bytes(content[0].getvalue())
    (tmp_path / "details.json").write_text(json.dumps(dict(content[1])))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = names_on(postgresql_server)

    done = subprocess.run(
        [sys.executable, "-m", "tests.backends.restore_child", as_text(place), tmp_path, step],
        cwd=CHECKOUT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0 if step in ("none", "no piece") else -9, "")
    assert bool(list(temporary.iterdir())) == (step in LEAVES_FILES)
    with claimed(place, wait_seconds=30):  # a server notices after a moment
        assert state(place) == ["new" if step in DONE else "old"]
        removed = remove_all_leftovers(postgresql_server, place)
    assert list(temporary.iterdir()) == []
    assert len(removed) == (0 if step in DONE else 1)
    left = set(names_on(postgresql_server)) - set(before)
    assert [name.partition("_before_")[0] for name in left] == (
        [place.database] if step == "dropping" else []
    )


def remove_all_leftovers(server: PostgresServer, place: DatabaseUrl) -> list[str]:
    """Remove what is left, as soon as a pg_restore that has outlived its parent is done with it."""
    removed: list[str] = []
    for _ in range(300):
        removed += restorer.remove_leftovers(place, OPTIONS)
        if not any(is_rebuilt_name(each, str(place.database)) for each in names_on(server)):
            return removed
        time.sleep(0.1)
    pytest.fail("something is still at what a killed restore has left")


def test_leftovers_of_others_and_those_in_work_are_left_alone(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
) -> None:
    name = place.database
    others = [
        f"{name}_qadb_0123456",
        f"{name}_qadb_0123456x",
        f"{name}x_qadb_01234567",
        f"{name}_before_20260101_000000",
        f"{name}_qadb_aaaaaaaa",
    ]
    for each in (*others, f"{name}_qadb_01234567"):
        execute(postgresql_server.admin_url, "CREATE DATABASE {} TEMPLATE template0", each)
    with (
        psycopg2.connect(as_text(place.with_database(others[-1]))) as connected,
        rebuilt(content[0], place, content[1]) as made,
    ):
        removed = restorer.remove_leftovers(place, OPTIONS)
        there = names_on(postgresql_server)
    connected.close()
    for each in others:
        execute(postgresql_server.admin_url, "DROP DATABASE {}", each)

    assert removed == (f"{name}_qadb_01234567",)
    assert {*others, made.database} <= set(there)

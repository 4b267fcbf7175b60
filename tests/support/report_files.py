"""Small JUnit reports that tests write, and the loading of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from sqlalchemy import text

from qadb.operations.ingest import IngestedFile, IngestOptions, IngestResult, ingest
from qadb.operations.report_sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from qadb.database import Database

START = "2026-11-20T10:00:00+00:00"
FAILURE = '<failure message="assert 1 == 2" type="AssertionError">at line 7</failure>'
SKIPPED = '<skipped message="not today"/>'


def case(name: str, body: str = "", *, classname: str = "pkg.Tests", seconds: str = "0.25") -> str:
    """One test case; ``body`` says how it ended."""
    attributes = (
        f"classname={quoteattr(classname)} name={quoteattr(name)} time={quoteattr(seconds)}"
    )
    return f"<testcase {attributes}>{body}</testcase>"


def suite(cases: Iterable[str], *, name: str = "suite", start: str | None = START) -> str:
    """A whole report of one suite."""
    stamp = "" if start is None else f" timestamp={quoteattr(start)}"
    return f"<testsuite name={quoteattr(name)}{stamp}>\n" + "\n".join(cases) + "\n</testsuite>\n"


def write_report(path: Path, *cases: str, start: str | None = START, name: str = "suite") -> Path:
    """Write a report of one suite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(suite(cases, name=name, start=start), encoding="utf-8")
    return path


def load(
    database: Database, *names: Path | str, options: IngestOptions | None = None
) -> IngestResult:
    """Ingest what the names stand for."""
    sources = find_sources([str(name) for name in names])
    return ingest(database, sources, options or IngestOptions())


def load_one(
    database: Database, name: Path | str, options: IngestOptions | None = None
) -> IngestedFile:
    """Ingest one file."""
    (file,) = load(database, name, options=options).files
    return file


def count_all(database: Database) -> dict[str, int]:
    """Rows of every table, by its name."""
    with database.connect(read_only=True) as connection:
        return {
            name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())
            for name in sorted(database.schema.metadata.tables)
        }

"""Peak memory of an ingest: flat in the number of cases, and whatever one text's size."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pairs import MEGABYTE, peak_megabytes
from benchmarks.reports import write_cases, write_output

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line a file."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        for count in (30, 300) if tiny else (30_000, 300_000):
            write_cases(report, count)
            yield f"ingest of {count:,} cases: {_peak_megabytes(report)} MB (at most 200)"
        size_megabytes = 1 if tiny else 1_000
        write_output(report, size_megabytes * MEGABYTE)
        peak = _peak_megabytes(report)
        yield f"ingest of one system-out of {size_megabytes:,} MB: {peak} MB (at most 150)"


def _peak_megabytes(report: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "QADB_DATABASE_URL": f"sqlite:///{folder}/qa.sqlite3"}
        qadb = [sys.executable, "-m", "qadb"]
        subprocess.run([*qadb, "init", "--quiet"], check=True, env=environ)
        return peak_megabytes([*qadb, "ingest", "--quiet", str(report)], environ=environ)

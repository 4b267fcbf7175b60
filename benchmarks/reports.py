"""Generated JUnit files of any size, as pytest would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FAILING_EVERY = 50
SKIPPED_EVERY = 40


def write_cases(path: Path, count: int, *, minute: int = 0) -> None:
    """Write a report of ``count`` cases, 2 % failed with a stack trace, some skipped.

    Reports of different minutes hold the same tests and are different runs.
    """
    start = f"2026-11-22T01:{minute:02}:17.979203+00:00"
    trace = "\n".join(f"    File tests/test_{i}.py, line {i}, in call" for i in range(20))
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="pytest tests">\n')
        file.write(f'<testsuite name="pytest" timestamp="{start}">\n')
        for number in range(count):
            file.write(
                f'<testcase classname="tests.test_module_{number // 100}.TestGroup" '
                f'name="test_case_number_{number}[param-{number % 7}]" time="0.{number % 1000:03}"'
            )
            if number % FAILING_EVERY == 0:
                file.write(
                    f'><failure message="assert {number} == {number + 1}">{trace}</failure>'
                    "</testcase>\n"
                )
            elif number % SKIPPED_EVERY == 1:
                file.write('><skipped message="not on this platform"/></testcase>\n')
            else:
                file.write(" />\n")
        file.write("</testsuite></testsuites>\n")


def write_output(path: Path, size_bytes: int) -> None:
    """Write a report of one case whose ``system-out`` is one text of ``size_bytes``."""
    line = b"a line of output that a test wrote, with 12345 and more\n" * 1000
    with path.open("wb") as file:
        file.write(b'<testsuite name="s"><testcase classname="c" name="n" time="1"><system-out>')
        written = 0
        while written < size_bytes:
            written += file.write(line)
        file.write(b"</system-out></testcase></testsuite>")

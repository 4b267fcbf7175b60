"""Reads a generated report in a process of its own and prints the most memory it held, in MB.

Run as ``python -m tests.reports.memory_child SHAPE AMOUNT``.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qadb.reports.junit import JUnitReader
from tests.reports.reading import Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS: Final = b"x" * 100_000


def _system_out(megabytes: int) -> Iterator[bytes]:
    """One text node without a line break."""
    yield b"<testsuite><testcase name='a'><system-out>"
    yield from (_LETTERS for _ in range(megabytes * 10))
    yield b"</system-out></testcase></testsuite>"


def _cdata(megabytes: int) -> Iterator[bytes]:
    """One CDATA section in a failure, of which a part is kept."""
    yield b"<testsuite><testcase name='a'><failure><![CDATA["
    yield from (_LETTERS for _ in range(megabytes * 10))
    yield b"]]></failure></testcase></testsuite>"


def _cases(count: int) -> Iterator[bytes]:
    """Many cases, each with names and a doubt of its own."""
    yield b"<testsuite>"
    for number in range(count):
        yield b'<testcase classname="shop.T%d" name="test_%d" time="-%d">' % (
            number,
            number,
            number,
        )
        yield (
            b"<failure>at %d</failure></testcase>\n" % number
            if number % 100 == 0
            else b"</testcase>\n"
        )
    yield b"</testsuite>"


def _attribute(megabytes: int) -> Iterator[bytes]:
    """One attribute, as long as is just accepted."""
    yield b"<testsuite><testcase name='a'><failure message='"
    yield from (_LETTERS for _ in range(megabytes * 10))
    yield b"'/></testcase></testsuite>"


SHAPES: Final = {
    "system-out": _system_out,
    "cdata": _cdata,
    "cases": _cases,
    "attribute": _attribute,
}


def peak_megabytes() -> float:
    """The high-water mark of this process; the kernel's own, because rusage knows the parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Read what the arguments ask for."""
    shape, amount = sys.argv[1:]
    reader = JUnitReader("generated.xml")
    records = sum(1 for _ in reader.read(Pieces(SHAPES[shape](int(amount)))))
    sys.stdout.write(f"{records} {peak_megabytes():.1f}\n")


if __name__ == "__main__":
    main()

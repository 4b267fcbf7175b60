"""Reports of real projects, where a folder of them lies beside the checkout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from qadb.errors import ReportError
from qadb.reports.junit import JUnitReader

_REPORTS = Path(__file__).parents[3] / "shared" / "reports"
_TOTALS = ("tests", "passed", "failures", "errors", "skipped")


@dataclass(frozen=True, slots=True)
class Sample:
    """One report and its truth, counted by other means."""

    path: Path
    is_accepted: bool
    totals: dict[str, int]
    prior_attempts: int


def _collected() -> list[Sample]:
    truth = _REPORTS / "truth.json"
    entries = json.loads(truth.read_text()) if truth.is_file() else []
    return [
        Sample(
            path=_REPORTS / entry["file"],
            is_accepted=entry["expect"] == "accept",
            totals={key: (entry["truth"] or {}).get(key, 0) for key in _TOTALS},
            prior_attempts=(entry["truth"] or {}).get("prior_attempts", 0),
        )
        for entry in entries
        if entry["format"] == "junit"
    ]


def _whole_reports() -> list[Sample]:
    """The table in the index: project, cases, passed, failed, errors, skipped, …"""
    index = _REPORTS / "real" / "INDEX.md"
    lines = index.read_text().splitlines() if index.is_file() else []
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return [
        Sample(
            path=_REPORTS / "real" / row[0] / "junit.xml",
            is_accepted=True,
            totals=dict(zip(_TOTALS, map(int, row[1:6]), strict=True)),
            prior_attempts=0,
        )
        for row in rows
        if row[1].isdigit()
    ]


def _named(samples: list[Sample]) -> dict[str, Sample]:
    return {str(sample.path.relative_to(_REPORTS)): sample for sample in samples}


_GOOD = _named([one for one in _collected() if one.is_accepted] + _whole_reports())
_BAD = _named([one for one in _collected() if not one.is_accepted])


@pytest.mark.parametrize("name", _GOOD)
def test_a_real_report_is_counted_as_it_was_by_other_means(name: str) -> None:
    sample = _GOOD[name]
    reader = JUnitReader(name)
    with sample.path.open("rb") as stream:
        records = list(reader.read(stream))
    assert reader.summary().counted == sample.totals
    assert len(records) == sample.totals["tests"]
    assert sum(len(record.prior_attempts) for record in records) == sample.prior_attempts
    for record in records:
        assert (record.signature is None) == (record.status in ("passed", "skipped"))


@pytest.mark.parametrize("name", _BAD)
def test_a_report_that_is_none_is_refused_with_its_line(name: str) -> None:
    with _BAD[name].path.open("rb") as stream, pytest.raises(ReportError) as caught:
        list(JUnitReader(name).read(stream))
    is_empty = _BAD[name].path.stat().st_size == 0
    assert (caught.value.line is None) == is_empty

"""Declared totals against what is in the file."""

from __future__ import annotations

import pytest

from tests.reports.reading import read, warnings_of

CASES = "<testcase name='a'/><testcase name='b'><failure/></testcase>"


def _disagreement(attributes: str, cases: str = CASES) -> str | None:
    warnings = warnings_of(f"<testsuite {attributes}>{cases}</testsuite>")
    return warnings[0] if warnings else None


def test_elements_are_counted_whatever_is_declared() -> None:
    _, summary = read(
        "<testsuite tests='99'><testcase name='a'/><testcase name='b'><failure/></testcase>"
        "<testcase name='c'><error/></testcase><testcase name='d'><timeout/></testcase>"
        "<testcase name='e'><skipped/></testcase></testsuite>"
    )
    assert summary.counted == {
        "tests": 5,
        "passed": 1,
        "failures": 1,
        "errors": 2,
        "skipped": 1,
    }
    assert summary.declared == {"tests": 99}


def test_the_root_declares_before_its_suites() -> None:
    _, summary = read(
        "<testsuites tests='2' failures='1'><testsuite tests='7' failures='7' errors='0'>"
        f"{CASES}</testsuite><testsuite errors='0'/></testsuites>"
    )
    assert summary.declared == {"tests": 2, "failures": 1, "errors": 0}
    assert summary.warnings == ()


def test_suites_are_added_up_and_nested_ones_are_not_counted_twice() -> None:
    _, summary = read(
        f"<testsuites><testsuite tests='2' failures='1'><testsuite tests='2'>{CASES}</testsuite>"
        f"</testsuite><testsuite tests='2' failures='1'>{CASES}</testsuite></testsuites>"
    )
    assert summary.declared == {"tests": 4, "failures": 2}
    assert summary.warnings == ()


def test_suites_in_a_suite_declare_nothing_for_the_whole() -> None:
    _, summary = read(
        f"<testsuite tests='4'>{CASES}<testsuite skipped='1'>{CASES}</testsuite></testsuite>"
    )
    assert summary.declared == {"tests": 4}
    assert summary.warnings == ()


def test_a_disagreement_is_told_precisely() -> None:
    assert _disagreement("tests='173'") == "the file declares tests=173, 2 were counted"
    assert (
        _disagreement("tests='2' failures='3' errors='0' skipped='4'")
        == "the file declares failures=3, 1 was counted; skipped=4, 0 were counted"
    )


def test_a_total_that_only_some_suites_state_is_not_compared() -> None:
    assert (
        warnings_of(
            f"<testsuites><testsuite tests='2'>{CASES}</testsuite>"
            f"<testsuite>{CASES}</testsuite></testsuites>"
        )
        == ()
    )


@pytest.mark.parametrize("value", ["", "many", "-1", "1.5", "9" * 40, "²"])
def test_a_total_that_is_no_number_is_not_stated(value: str) -> None:
    assert read(f"<testsuite tests='{value}'>{CASES}</testsuite>")[1].declared == {}


@pytest.mark.parametrize("attribute", ["skipped", "skips", "ignored"])
def test_skipped_tests_are_declared_in_three_spellings(attribute: str) -> None:
    cases = "<testcase name='a'><skipped/></testcase>"
    _, summary = read(f"<testsuite {attribute}='1'>{cases}</testsuite>")
    assert summary.declared == {"skipped": 1}
    assert summary.warnings == ()
    assert _disagreement(f"{attribute}='2'", cases) is not None


@pytest.mark.parametrize(
    ("attributes", "cases"),
    [
        # Disabled tests apart from skipped ones, or among them.
        ("skipped='0' disabled='1'", "<testcase name='a' status='disabled'/>"),
        (
            "skipped='1' disabled='1'",
            "<testcase name='a' status='disabled'/><testcase name='b'><skipped/></testcase>",
        ),
        ("skipped='1' disabled='1'", "<testcase name='a' status='disabled'/>"),
        # Skipped tests not counted as tests.
        ("tests='1' skipped='1'", "<testcase name='a'/><testcase name='b'><skipped/></testcase>"),
        # Attempts counted as tests and failures.
        (
            "tests='3' failures='2' errors='0'",
            "<testcase name='a'><flakyFailure/><flakyFailure/></testcase>",
        ),
        # Errors counted as failures.
        (
            "failures='2'",
            "<testcase name='a'><failure/></testcase><testcase name='b'><error/></testcase>",
        ),
        ("failures='1' errors='0'", "<testcase name='a'><error/></testcase>"),
        # One case that failed and could not be torn down.
        (
            "failures='1' errors='1'",
            "<testcase name='a'><failure/><error/></testcase>",
        ),
    ],
)
def test_ways_of_counting_are_no_disagreement(attributes: str, cases: str) -> None:
    assert _disagreement(attributes, cases) is None


def test_a_report_without_cases_is_read() -> None:
    records, summary = read("<testsuites/>")
    assert records == []
    assert summary.counted["tests"] == 0
    assert summary.warnings == ()

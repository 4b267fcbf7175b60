"""How a case ended: verdicts, texts, earlier attempts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qadb.reports.fingerprint import failure_signature
from qadb.reports.records import (
    MAX_ERROR_TYPE_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_STACK_TRACE_CHARS,
    Attempt,
)
from tests.reports.reading import read, read_case


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("", "passed"),
        ("<system-out>failure</system-out>", "passed"),
        ("<failure/>", "failed"),
        ("<error/>", "error"),
        ("<skipped/>", "skipped"),
        ("<timeout/>", "timeout"),
        ("<skipped/><failure/>", "failed"),
        ("<skipped/><failure/><error/>", "error"),
        ("<error/><failure/>", "error"),
        ("<timeout/><skipped/>", "timeout"),
        ("<failure/><timeout/>", "failed"),
        ("<properties><failure/></properties>", "passed"),
        ("<system-out><error/></system-out>", "passed"),
        ('<failure type="TestTimedOutException" message="test timed out after 5 s"/>', "failed"),
    ],
)
def test_the_weightiest_child_decides(content: str, status: str) -> None:
    assert read_case(f'<testcase name="a">{content}</testcase>').status == status


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ('status="disabled"', "skipped"),
        ('status="NotRun"', "skipped"),
        ('status="run" result="skipped"', "skipped"),
        ('status="notrun" result="suppressed"', "skipped"),
        ('status=" Ignored "', "skipped"),
        ('status="timeout"', "timeout"),
        ('status="run" result="completed"', "passed"),
        ('status="passed"', "passed"),
    ],
)
def test_an_attribute_decides_where_no_child_does(attributes: str, status: str) -> None:
    assert read_case(f'<testcase name="a" {attributes}/>').status == status


def test_a_child_outweighs_the_attribute() -> None:
    record = read_case('<testcase name="a" status="disabled"><failure/></testcase>')
    assert record.status == "failed"


def test_a_failure_that_only_an_attribute_states_is_counted_as_passed_and_told() -> None:
    records, summary = read("<testsuite><testcase name='a' status='failed'/></testsuite>")
    assert records[0].status == "passed"
    assert summary.warnings == (
        ("1 test case says it failed and holds no failure or error; counted as passed (at line 1)"),
    )


def test_a_failure_outside_any_case_is_told_and_not_counted() -> None:
    _, summary = read("<testsuite>\n<error message='setup'/>\n<testcase name='a'/></testsuite>")
    assert summary.counted["errors"] == 0
    assert summary.warnings == (
        "1 failure or error stands outside any test case; not counted (at line 2)",
    )


def test_a_failure_deep_inside_a_case_is_neither_counted_nor_told() -> None:
    _, summary = read(
        "<testsuite><testcase name='a'><steps><error/></steps></testcase></testsuite>"
    )
    assert summary.counted["errors"] == 0
    assert summary.warnings == ()


def test_a_failure_gives_type_message_and_text() -> None:
    record = read_case(
        '<testcase name="a"><failure type="E" message="broke">'
        "\n\n  at cart\n\tat till\n\n</failure></testcase>"
    )
    assert (record.error_type, record.message) == ("E", "broke")
    assert record.stack_trace == "  at cart\n\tat till"
    assert record.signature == failure_signature("E", "broke", None)
    assert not record.is_truncated


def test_without_a_message_the_first_line_of_the_text_is_one() -> None:
    record = read_case(
        '<testcase name="a"><failure type="E">\n \n  broke\nat x</failure></testcase>'
    )
    assert record.message == "broke"
    assert record.signature == failure_signature("E", "broke", None)


def test_without_type_and_message_several_lines_make_the_signature() -> None:
    one, other = (
        read_case(f'<testcase name="a"><failure>def test():\n{line}</failure></testcase>')
        for line in ("assert cart", "assert till")
    )
    assert one.message == other.message == "def test():"
    assert one.signature != other.signature


def test_a_skip_keeps_its_reason_and_has_no_signature() -> None:
    record = read_case(
        '<testcase name="a"><skipped type="pytest.skip" message="no net"/></testcase>'
    )
    assert (record.error_type, record.message, record.signature) == ("pytest.skip", "no net", None)


def test_text_in_children_belongs_to_the_failure_and_output_does_not() -> None:
    record = read_case(
        "<testcase name='a'><failure message='m'>before <b>bold</b><system-out>noise</system-out>"
        " <![CDATA[<after>]]></failure><system-out>noise</system-out></testcase>"
    )
    assert record.stack_trace == "before bold <after>"


def test_other_outcomes_stand_below_the_verdict() -> None:
    record = read_case(
        "<testcase name='a'><skipped/><failure type='F' message='first'>f1</failure>"
        "<failure>f2</failure><error message='torn down'>e1</error></testcase>"
    )
    assert (record.status, record.message) == ("error", "torn down")
    assert record.stack_trace == ("e1\n--- also failed: F: first ---\nf1\n--- also failed ---\nf2")
    assert record.signature == failure_signature(None, "torn down", None)


def test_the_first_of_equal_failures_is_the_verdict() -> None:
    record = read_case("<testcase name='a'><failure message='1'/><failure message='2'/></testcase>")
    assert record.message == "1"


def test_hundreds_of_failures_of_one_case_are_cut_but_the_verdict_stands() -> None:
    record = read_case(f"<testcase name='a'>{'<failure>x</failure>' * 300}<error/></testcase>")
    assert (record.status, record.is_truncated) == ("error", True)
    assert (record.stack_trace or "").count("also failed") == 99


def test_long_texts_are_cut_at_their_caps() -> None:
    text = "line of text\n" * 10_000
    record = read_case(
        f'<testcase name="a"><failure type="{"t" * 999}" message="{"m" * 9_999}">'
        f"{text}</failure></testcase>"
    )
    assert len(record.error_type or "") == MAX_ERROR_TYPE_CHARS
    assert len(record.message or "") == MAX_MESSAGE_CHARS
    assert MAX_STACK_TRACE_CHARS - 20 < len(record.stack_trace or "") <= MAX_STACK_TRACE_CHARS
    assert record.is_truncated


def test_a_cut_message_alone_makes_a_record_truncated() -> None:
    message = "m" * (MAX_MESSAGE_CHARS + 1)
    assert read_case(f'<testcase name="a"><failure message="{message}"/></testcase>').is_truncated
    assert not read_case(
        f'<testcase name="a"><failure message="{message[1:]}"/></testcase>'
    ).is_truncated


@pytest.mark.parametrize("length", [MAX_STACK_TRACE_CHARS, MAX_STACK_TRACE_CHARS + 1])
def test_a_text_is_cut_only_when_it_is_longer_than_the_cap(length: int) -> None:
    record = read_case(
        f"<testcase name='a'><failure message='m'>{'é' * length}</failure></testcase>"
    )
    assert record.is_truncated == (length > MAX_STACK_TRACE_CHARS)
    assert len(record.stack_trace or "") == MAX_STACK_TRACE_CHARS


def test_trailing_white_space_beyond_the_cap_is_no_loss() -> None:
    text = "x" * MAX_STACK_TRACE_CHARS + " \n" * 100
    assert not read_case(
        f"<testcase name='a'><failure message='m'>{text}</failure></testcase>"
    ).is_truncated


def test_a_flaky_test_passed_in_the_end() -> None:
    record = read_case(
        """<testcase name="a" time="0.5">
          <flakyFailure type="E" message="first" time="1.5" timestamp="2026-03-02T08:00:00Z">
            <stackTrace><![CDATA[E: first
        at cart]]></stackTrace>
            <system-out>noise</system-out>
          </flakyFailure>
          <flakyError message="second">at till</flakyError>
        </testcase>"""
    )
    assert (record.status, record.duration_ms, record.message) == ("passed", 500.0, None)
    assert record.prior_attempts == (
        Attempt(
            status="failed",
            duration_ms=1500.0,
            error_type="E",
            message="first",
            stack_trace="E: first\n        at cart",
            is_truncated=False,
            executed_at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
            signature=failure_signature("E", "first", None),
        ),
        Attempt(
            status="error",
            duration_ms=None,
            error_type=None,
            message="second",
            stack_trace="at till",
            is_truncated=False,
            executed_at=None,
            signature=failure_signature(None, "second", None),
        ),
    )


def test_a_test_that_failed_every_time_keeps_its_reruns_and_its_verdict() -> None:
    records, summary = read(
        "<testsuite><testcase name='a'><failure message='last'/><rerunFailure message='1'/>"
        "<rerunError message='2'/></testcase></testsuite>"
    )
    (record,) = records
    assert (record.status, record.message) == ("failed", "last")
    assert [(one.status, one.message) for one in record.prior_attempts] == [
        ("failed", "1"),
        ("error", "2"),
    ]
    assert summary.counted == {
        "tests": 1,
        "passed": 0,
        "failures": 1,
        "errors": 0,
        "skipped": 0,
    }


def test_an_attempt_does_not_take_its_time_from_the_case() -> None:
    record = read_case(
        "<testcase name='a' time='5' timestamp='2026-03-02T08:00:00Z'><flakyFailure/></testcase>"
    )
    (attempt,) = record.prior_attempts
    assert (attempt.duration_ms, attempt.executed_at) == (None, None)


def test_endless_attempts_are_left_out_with_a_warning() -> None:
    records, summary = read(
        f"<testsuite><testcase name='a'>{'<flakyFailure/>' * 103}</testcase></testsuite>"
    )
    assert len(records[0].prior_attempts) == 100
    assert summary.warnings == (
        "3 earlier attempts exceed what is kept for one test; left out (first at line 1)",
    )


def test_outcomes_do_not_leak_into_the_next_case() -> None:
    records, _ = read(
        "<testsuite><testcase name='a'><failure/><flakyFailure/></testcase><testcase name='b'/>"
        "<testcase name='c' status='skipped'/><testcase name='d'/></testsuite>"
    )
    assert [(record.status, len(record.prior_attempts)) for record in records] == [
        ("failed", 1),
        ("passed", 0),
        ("skipped", 0),
        ("passed", 0),
    ]

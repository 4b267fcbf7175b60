"""Small reports in the manner of the tools that write them, and the guess at the tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from qadb.reports.junit import JUnitReader
from tests.reports.reading import read

_EXAMPLES = Path(__file__).parents[2] / "examples"

PYTEST = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite
 name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.5" hostname="ci"
 timestamp="2026-03-02T08:00:00.5+00:00"><testcase classname="tests.test_a.TestA" name="test_a"
 time="0.001" /><testcase classname="tests.test_a" name="test_b[1-x]" time="0.002"><failure
 message="assert 1 == 2">E   assert 1 == 2</failure></testcase><testcase classname="tests.test_a"
 name="test_c" time="0.000"><skipped type="pytest.skip" message="later">tests/test_a.py:3: later
 </skipped></testcase></testsuite></testsuites>"""

SUREFIRE = """<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:noNamespaceSchemaLocation="https://example.org/xsd/surefire-test-report.xsd" version="3.0"
  name="shop.CartTest" time="0.046" tests="2" errors="0" skipped="0" failures="0">
  <properties><property name="java.version" value="17"/></properties>
  <testcase name="adds" classname="shop.CartTest" time="0.01"/>
  <testcase name="pays" classname="shop.CartTest" time="0.02">
    <flakyError message="no line" type="java.net.ConnectException"><stackTrace><![CDATA[
java.net.ConnectException: no line
\tat shop.Cart.pay(Cart.java:17)]]></stackTrace><system-out>x</system-out></flakyError>
  </testcase></testsuite>"""

GTEST = """<testsuites tests="3" failures="1" disabled="1" errors="0" time="0.1" name="AllTests"
  timestamp="2026-03-02T08:00:00.123">
  <testsuite name="Cart" tests="3" failures="1" disabled="1" skipped="0" errors="0" time="0.1">
    <testcase name="Adds" file="cart.cc" line="7" status="run" result="completed" time="0.05"
      timestamp="2026-03-02T08:00:00.123" classname="Cart"/>
    <testcase name="Pays" status="run" result="completed" time="0.05" classname="Cart">
      <failure message="cart.cc:9&#x0A;Expected: 1" type=""><![CDATA[cart.cc:9
Expected: 1]]></failure>
      <failure message="cart.cc:10&#x0A;Expected: 2" type=""><![CDATA[cart.cc:10]]></failure>
    </testcase>
    <testcase name="DISABLED_Ships" status="notrun" result="suppressed" time="0" classname="Cart"/>
  </testsuite></testsuites>"""

PHPUNIT = r"""<testsuites><testsuite name="all" tests="2" assertions="2" errors="0" failures="1"
  skipped="0" time="0.3"><testsuite name="Shop\CartTest" file="/app/CartTest.php" tests="2"
  assertions="2" errors="0" failures="1" skipped="0" time="0.3">
  <testcase name="adds" file="/app/CartTest.php" line="20" class="Shop\CartTest"
    classname="Shop.CartTest" assertions="1" time="0.1"/>
  <testsuite name="Shop\CartTest::total" tests="1" assertions="1" failures="1" time="0.2">
  <testcase name="total with data set #1" file="/app/CartTest.php" line="31" class="Shop\CartTest"
    classname="Shop.CartTest" assertions="1" time="0.2"><failure
    type="PHPUnit\Framework\ExpectationFailedException">Shop\CartTest::total with data set #1
Failed asserting that 2 matches 1.</failure></testcase></testsuite></testsuite></testsuite>
</testsuites>"""

JEST = """<testsuites name="jest tests" tests="2" failures="1" errors="0" time="1.5">
  <testsuite name="cart.test.js" errors="0" failures="1" skipped="0" tests="2" time="1.2"
   timestamp="2026-03-02T08:00:00">
   <testcase classname="cart adds" name="cart adds" time="0.003"></testcase>
   <testcase classname="cart pays" name="cart pays" time="0.004"><failure>Error: no line
    at Object.&lt;anonymous&gt; (cart.test.js:5:9)</failure></testcase></testsuite></testsuites>"""

MOCHA = """<testsuites name="Mocha Tests" time="0.01" tests="1" failures="0">
  <testsuite name="Root Suite" timestamp="2026-03-02T08:00:00" tests="0" file="/app/cart.js"
   time="0.00" failures="0"></testsuite>
  <testsuite name="cart" timestamp="2026-03-02T08:00:00" tests="1" time="0.01" failures="0">
   <testcase name="cart adds" time="0.01" classname="adds"></testcase></testsuite></testsuites>"""

NEXTEST = """<testsuites name="nextest-run" tests="1" failures="0" errors="0" time="0.9"
  uuid="437f8a75-ec69-48cf-9bda-e3f5045c2c28" timestamp="2026-03-02T08:00:00.512+00:00">
  <testsuite name="shop" tests="1" disabled="0" errors="0" failures="0">
  <testcase name="cart::adds" classname="shop" timestamp="2026-03-02T08:00:00.513+00:00"
   time="0.2"><flakyFailure timestamp="2026-03-02T08:00:00.600+00:00" time="0.1"
   type="test failure" message="panicked">thread panicked<system-out>x</system-out>
   </flakyFailure></testcase></testsuite></testsuites>"""

GO = """<testsuites tests="2" failures="1"><testsuite name="shop/cart" tests="2" failures="1"
  errors="0" id="0" hostname="ci" time="0.001" timestamp="2026-03-02T08:00:00Z">
  <properties><property name="go.version" value="go1.25 linux/amd64"></property></properties>
  <testcase name="TestAdds" classname="shop/cart" time="0.000"></testcase>
  <testcase name="TestPays/card" classname="shop/cart" time="0.000"><failure message="Failed"
  type=""><![CDATA[    cart_test.go:10: no line]]></failure></testcase></testsuite></testsuites>"""

XUNIT = """<testsuites name="Test results" time="4.26" tests="1" failures="0"><properties>
  <property name="nunit-version" value="xUnit.net 2.9"/></properties>
  <testsuite name="Cart" time="2.4" tests="1" failures="0">
  <testcase name="Shop.CartTests.Adds" time="0.4540354"/></testsuite></testsuites>"""

PLAIN = """<testsuite><testcase name="a"/></testsuite>"""


@pytest.mark.parametrize(
    ("document", "dialect", "tool_version", "statuses"),
    [
        (PYTEST, "pytest", None, "passed failed skipped"),
        (SUREFIRE, "surefire", None, "passed passed"),
        (GTEST, "gtest", None, "passed failed skipped"),
        (PHPUNIT, "phpunit", None, "passed failed"),
        (JEST, "jest", None, "passed failed"),
        (MOCHA, "mocha", None, "passed"),
        (NEXTEST, "nextest", None, "passed"),
        (GO, "gotest", "go1.25 linux/amd64", "passed failed"),
        (XUNIT, "xunit", "xUnit.net 2.9", "passed"),
        (PLAIN, None, None, "passed"),
    ],
)
def test_a_dialect_is_read_without_a_disagreement_and_its_tool_guessed(
    document: str, dialect: str | None, tool_version: str | None, statuses: str
) -> None:
    records, summary = read(document)
    assert [record.status for record in records] == statuses.split()
    assert (summary.dialect, summary.tool_version) == (dialect, tool_version)
    assert not [warning for warning in summary.warnings if "declares" in warning]


def test_gtest_failures_stand_together_under_the_first() -> None:
    failed = read(GTEST)[0][1]
    assert failed.error_type is None
    assert failed.message == "cart.cc:9\nExpected: 1"
    assert failed.stack_trace == (
        "cart.cc:9\nExpected: 1\n--- also failed: cart.cc:10\nExpected: 2 ---\ncart.cc:10"
    )


def test_phpunit_cases_belong_to_their_innermost_suite() -> None:
    records, summary = read(PHPUNIT)
    assert [record.suite for record in records] == [r"Shop\CartTest", r"Shop\CartTest::total"]
    assert [record.line for record in records] == [20, 31]
    assert records[1].message == r"Shop\CartTest::total with data set #1"
    assert summary.duration_ms == 300.0


def test_properties_of_a_case_do_not_tell_the_tool() -> None:
    _, summary = read(
        "<testsuite><testcase name='a'><properties><property name='go.version' value='1'/>"
        "</properties></testcase></testsuite>"
    )
    assert (summary.dialect, summary.tool_version) == (None, None)


def test_the_example_is_a_report_without_doubts() -> None:
    reader = JUnitReader("examples/junit.xml")
    with (_EXAMPLES / "junit.xml").open("rb") as stream:
        records = list(reader.read(stream))
    summary = reader.summary()
    assert summary.counted == {
        "tests": 12,
        "passed": 7,
        "failures": 2,
        "errors": 1,
        "skipped": 2,
    }
    assert [len(record.prior_attempts) for record in records].count(1) == 1
    assert summary.duration_ms == 9482.0
    assert summary.warnings == ()

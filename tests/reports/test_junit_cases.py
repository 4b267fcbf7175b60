"""One test case, one record: names, places and times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qadb.reports.records import ResultRecord
from tests.reports.reading import read, read_case, warnings_of

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_case_that_passes_gives_all_that_it_states() -> None:
    record = read_case(
        '<testcase classname="shop.Cart" name="adds" file="cart.py" line="12" time="0.25" '
        'timestamp="2026-03-02T09:00:00+01:00"/>'
    )
    assert record == ResultRecord(
        suite="shop",
        classname="shop.Cart",
        name="adds",
        file="cart.py",
        line=12,
        status="passed",
        duration_ms=250.0,
        error_type=None,
        message=None,
        stack_trace=None,
        is_truncated=False,
        signature=None,
        executed_at=EIGHT,
    )


def test_records_come_in_file_order_with_their_innermost_suite() -> None:
    records, _ = read(
        """<testsuites name="all">
          <testcase name="a"/>
          <testsuite name="outer"><testcase name="b"/>
            <testsuite name="inner"><testcase name="c"/></testsuite>
            <testsuite><testcase name="d"/></testsuite>
            <testsuite name=" "><testcase name="e"/></testsuite>
            <testcase name="f"/>
          </testsuite>
        </testsuites>"""
    )
    assert [(record.suite, record.name) for record in records] == [
        (None, "a"),
        ("outer", "b"),
        ("inner", "c"),
        (None, "d"),
        (None, "e"),
        ("outer", "f"),
    ]


def test_repeated_cases_are_records_of_their_own() -> None:
    records, summary = read("<testsuite><testcase name='a'/><testcase name='a'/></testsuite>")
    assert len(records) == 2
    assert summary.counted["tests"] == 2


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ('name="  padded "', "  padded "),
        ('name="" id="t-17"', "t-17"),
        ('id="t-17"', "t-17"),
        ('name="a&#10;b"', "a\nb"),
        ('Name="Upper"', "Upper"),
        ('x:name="prefixed" xmlns:x="u"', "prefixed"),
    ],
)
def test_names_are_kept_exactly_or_taken_from_the_id(attributes: str, name: str) -> None:
    assert read_case(f"<testcase {attributes}/>").name == name


def test_cases_without_a_name_are_called_so_with_one_warning() -> None:
    records, summary = read(
        "<testsuite>\n<testcase/>\n<testcase name=' '/><testcase name='' id=''/></testsuite>"
    )
    assert {record.name for record in records} == {"(unnamed)"}
    assert summary.warnings == ("3 test cases have no name; called (unnamed) (first at line 2)",)


@pytest.mark.parametrize(
    ("attributes", "classname"),
    [
        ('classname="a.B"', "a.B"),
        (r'class="A\B"', r"A\B"),
        (r'class="A\B" classname="A.B"', "A.B"),
        ('classname=""', None),
        ('classname="  "', None),
        ("", None),
    ],
)
def test_the_class_is_read_in_both_spellings(attributes: str, classname: str | None) -> None:
    assert read_case(f'<testcase name="a" {attributes}/>').classname == classname


@pytest.mark.parametrize(
    ("line", "read_line"),
    [("7", 7), ("", None), ("-1", None), ("x", None), ("9" * 30, None), ("²", None)],
)
def test_a_line_is_a_number_or_nothing(line: str, read_line: int | None) -> None:
    assert read_case(f'<testcase name="a" line="{line}"/>').line == read_line


def test_a_file_stated_by_the_suite_holds_for_its_cases() -> None:
    records, _ = read(
        '<testsuite file="a.php"><testcase name="a"/><testcase name="b" file="b.php"/>'
        '<testsuite><testcase name="c"/></testsuite></testsuite>'
    )
    assert [record.file for record in records] == ["a.php", "b.php", "a.php"]


def test_very_long_names_are_kept_whole() -> None:
    assert len(read_case(f'<testcase name="{"n" * 100_000}"/>').name) == 100_000


@pytest.mark.parametrize(
    "document",
    [
        '<j:testsuite xmlns:j="u"><j:testcase name="a"><j:failure/></j:testcase></j:testsuite>',
        '<TestSuites><TestSuite><TestCase name="a"><Failure/></TestCase></TestSuite></TestSuites>',
        '<testsuite xmlns="u"><testcase name="a"><FAILURE/></testcase></testsuite>',
        '<testsuites><group><testcase name="a"><failure/></testcase></group></testsuites>',
        "<testsuite><testsuites><testcase name='a'><failure/></testcase></testsuites></testsuite>",
    ],
)
def test_elements_are_known_with_prefix_in_any_case_and_inside_wrappers(document: str) -> None:
    records, _ = read(document)
    assert [(record.name, record.status) for record in records] == [("a", "failed")]


def test_a_case_inside_a_case_is_a_record_of_its_own() -> None:
    records, _ = read(
        "<testsuite><testcase name='outer'><testcase name='inner'><failure/></testcase>"
        "<skipped/></testcase></testsuite>"
    )
    assert [(record.name, record.status) for record in records] == [
        ("inner", "failed"),
        ("outer", "skipped"),
    ]


def test_the_time_of_the_innermost_suite_that_states_one_is_inherited() -> None:
    records, summary = read(
        """<testsuites timestamp="2026-03-02T08:00:00Z">
          <testcase name="a"/>
          <testsuite timestamp=""><testcase name="b"/></testsuite>
          <testsuite timestamp="2026-03-02T09:00:00Z">
            <testcase name="c"/>
            <testsuite><testcase name="d"/></testsuite>
            <testcase name="e" timestamp="2026-03-02T08:00:00Z"/>
          </testsuite>
        </testsuites>"""
    )
    assert [record.executed_at for record in records] == [EIGHT, EIGHT, NINE, NINE, EIGHT]
    assert summary.started_at == EIGHT


def test_an_unreadable_time_hides_the_one_around_it() -> None:
    records, _ = read(
        """<testsuites timestamp="2026-03-02T08:00:00Z">
          <testsuite timestamp="soon"><testcase name="a"/></testsuite>
          <testsuite><testcase name="b" timestamp="2026-03-02"/></testsuite>
        </testsuites>"""
    )
    assert [record.executed_at for record in records] == [None, None]


def test_the_earliest_time_in_the_file_is_its_start() -> None:
    _, summary = read(
        """<testsuite timestamp="2026-03-02T09:00:00Z">
          <testcase name="a" timestamp="2026-03-02T08:00:00Z"/>
          <testcase name="b" timestamp="1066-10-14T09:00:00Z"/>
        </testsuite>"""
    )
    assert summary.started_at == EIGHT


def test_a_time_without_zone_is_utc_with_one_warning_for_all() -> None:
    case = '<testcase name="a" timestamp="2026-03-02 08:00:00"/>\n'
    records, summary = read(f"<testsuite>\n\n{case * 12}</testsuite>")
    assert records[0].executed_at == EIGHT
    assert summary.warnings == (
        "12 timestamps state no time zone; read as UTC (first at line 3: '2026-03-02 08:00:00')",
    )


def test_each_kind_of_doubt_is_told_once_with_its_first_place() -> None:
    times = ("2,503", "-1", "soon", "9,999", "99999999")
    cases = "".join(f'\n<testcase name="a" time="{time}"/>' for time in times)
    records, summary = read(f"<testsuite>{cases}</testsuite>")
    assert {record.duration_ms for record in records} == {None}
    assert summary.warnings == (
        (
            "2 times have a comma that may mark thousands or decimals; left empty "
            "(first at line 2: '2,503')"
        ),
        "1 time is negative; left empty (at line 3: '-1')",
        "1 time is no number; left empty (at line 4: 'soon')",
        "1 time is impossibly long; left empty (at line 6: '99999999')",
    )


def test_a_long_unreadable_value_is_shortened_in_its_warning() -> None:
    (warning,) = warnings_of(f'<testsuite><testcase name="a" time="{"x" * 5_000}"/></testsuite>')
    assert len(warning) < 120


@pytest.mark.parametrize("attribute", ["time", "duration"])
def test_a_duration_is_read_in_both_spellings(attribute: str) -> None:
    assert read_case(f'<testcase name="a" {attribute}="1.5"/>').duration_ms == 1500.0


@pytest.mark.parametrize(
    ("document", "duration_ms"),
    [
        ('<testsuites time="5"><testsuite time="2"/></testsuites>', 5000.0),
        ('<testsuites time="x"><testsuite time="2"/><testsuite time="1"/></testsuites>', 3000.0),
        (
            (
                '<testsuites><testsuite time="2"><testcase name="a" time="9"/></testsuite>'
                '<testsuite><testcase name="b" time="0.1"/><testcase name="c" time="0.2"/>'
                "</testsuite></testsuites>"
            ),
            2300.0,
        ),
        (
            (
                '<testsuite><testsuite time="2"><testsuite time="8"><testcase name="a" time="9"/>'
                "</testsuite></testsuite></testsuite>"
            ),
            2000.0,
        ),
        (
            (
                "<testsuites><testsuite><testsuite time='8'><testcase name='a' time='9'/>"
                "</testsuite></testsuite></testsuites>"
            ),
            9000.0,
        ),
        ('<testsuite><testcase name="a" time="0"/></testsuite>', 0.0),
        ('<testsuite><testcase name="a"/></testsuite>', None),
    ],
)
def test_the_duration_of_the_whole_is_stated_or_added_up(
    document: str, duration_ms: float | None
) -> None:
    assert read(document)[1].duration_ms == duration_ms

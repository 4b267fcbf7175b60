"""What every backend promises of many rows: each value arrives as it was, or nothing does."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, DateTime, MetaData, Table, select
from sqlalchemy.dialects import sqlite

from qadb.backends.binding import MOST_REMEMBERED, BoundRows
from qadb.errors import ConflictError, DatabaseFailure, QadbError
from tests.backends.sample import PARENT, SAMPLE, insert, read_column
from tests.support.databases import execute, fetch_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qadb.database import Database

TEXTS = [
    "plain",
    "",
    "tab\tand\nline\r\nfeeds\r",
    r"back\slash \n \t \\ \N \. end\ ".strip(),
    "\\N",
    "\\.",
    "\\",
    "'single' \"double\" `back` {curly,braces} 50 % %s :name ?",
    "déjà vu, 日本語, العربية, e\u0301",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "\x01\x08\x0b\x0c\x1a\x1b\x7f\u2028\ufeff",
    "NULL",
    "x" * 300_000,
    "\n" * 20_000,
]
MOMENT = datetime(2026, 11, 22, 7, 15, 0, 123456, tzinfo=UTC)
VALUES: dict[str, list[object]] = {
    "select": [*TEXTS],
    "small": [0, 1, 32767],
    "big": [0, -1, 2**63 - 1, -(2**63)],
    "flag": [True, False],
    "at": [
        MOMENT,
        MOMENT.replace(microsecond=0),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, tzinfo=UTC),
    ],
    "amount": [Decimal("0.000"), Decimal("-0.001"), Decimal("999999999.999"), Decimal("12.340")],
    "document": [
        {"a": [1, 2.5, None, True], "ü": 'tab\t"quote" \\ 👍'},
        ["x", {}],
        [],
        {},
        "text",
        0,
        False,
    ],
    "tags": [[], ["a"], ["", " ", "NULL", "null", "{}", "a,b", 'q"q', "b\\s", "t\tn\n", "日本"]],
    "content": [b"", bytes(range(256)), b"\\x00", b"\\N"],
}


@pytest.mark.parametrize("column", VALUES)
def test_values_arrive_as_they_were(sample: Database, column: str) -> None:
    values = [*VALUES[column], None]

    written = insert(sample, ("id", column), list(enumerate(values)))

    assert written == len(values)
    assert read_column(sample, column) == values


@pytest.mark.parametrize("column", VALUES)
def test_values_arrive_as_sqlalchemy_would_write_them(sample: Database, column: str) -> None:
    values = [*VALUES[column], None]
    with sample.connect() as connection:
        rows = [{"id": -1 - i, column: value} for i, value in enumerate(values)]
        connection.execute(SAMPLE.insert(), rows)
    insert(sample, ("id", column), list(enumerate(values)))

    quoted = '"select"' if column == "select" else column
    same = f"CAST(a.{quoted} AS text) = CAST(b.{quoted} AS text)"
    pairs = f'"Sample rows" a JOIN "Sample rows" b ON b.id = -1 - a.id AND a.id < 0 AND {same}'
    assert fetch_rows(sample, f"SELECT count(*) FROM {pairs}") == [(len(values) - 1,)]


def test_moments_of_other_zones_and_numbers_of_other_types_are_the_same_value(
    sample: Database,
) -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    rows = [
        (1, MOMENT, Decimal("1.5")),
        (2, elsewhere, 1.5),
        (3, MOMENT, Decimal("1.50000")),
        (4, elsewhere, Decimal("1.4999999")),
    ]

    insert(sample, ("id", "at", "amount"), rows)

    assert read_column(sample, "at") == [MOMENT] * 4
    assert read_column(sample, "amount") == [Decimal("1.500")] * 4


def test_moments_are_only_remembered_for_the_very_same_zone() -> None:
    table = Table("t", MetaData(), Column("at", DateTime))  # on SQLite it drops the zone
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=1)))
    assert elsewhere == MOMENT

    rows = [(MOMENT,), (elsewhere,), (elsewhere,)]
    bound = list(BoundRows(sqlite.dialect(), table, ("at",), rows))

    hours = [str(row[0]).partition(" ")[2][:2] for row in bound]
    assert hours == ["07", "08", "08"]


def test_values_beyond_what_is_remembered_are_still_right(sample: Database) -> None:
    many = 2 * MOST_REMEMBERED + 7
    rows = [(i, i / 8, MOMENT + timedelta(microseconds=i // 3), i % 3 == 0) for i in range(many)]

    insert(sample, ("id", "amount", "at", "flag"), rows)

    assert read_column(sample, "amount") == [Decimal(i) / 8 for i in range(many)]
    assert read_column(sample, "at") == [row[2] for row in rows]
    assert read_column(sample, "flag") == [row[3] for row in rows]


def test_insert_of_no_rows_writes_nothing(sample: Database) -> None:
    assert insert(sample, ("id", "key"), []) == 0
    assert read_column(sample, "id") == []


def test_insert_takes_twenty_thousand_rows_from_a_generator(sample: Database) -> None:
    text = "some text\twith\nstructure " * 4

    written = insert(sample, ("id", "select"), ((i, f"{i} {text}") for i in range(20_000)))

    assert written == 20_000
    assert read_column(sample, "select") == [f"{i} {text}" for i in range(20_000)]


def test_insert_reads_rows_while_it_writes(sample: Database) -> None:
    alive = 0

    class Row(tuple[object, ...]):
        __slots__ = ()

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def rows() -> Iterator[Sequence[object]]:
        nonlocal alive, most
        for number in range(5000):
            alive += 1
            most = max(most, alive)
            yield Row((number, "x"))

    insert(sample, ("id", "key"), ((row[0], None) for row in rows()))

    assert most < 500


def test_failing_row_leaves_the_callers_transaction_to_roll_back(sample: Database) -> None:
    insert(sample, ("id", "key"), [(0, "taken")])

    def write() -> None:
        with sample.connect() as connection:
            bulk = sample.backend.bulk
            bulk.insert(connection, PARENT, ("id",), [(1,), (2,)])
            bulk.insert(connection, SAMPLE, ("id", "key"), [(1, "free"), (2, "taken")])

    with pytest.raises(ConflictError):
        write()

    assert read_column(sample, "key") == ["taken"]
    assert fetch_rows(sample, "SELECT id FROM parent") == []
    assert insert(sample, ("id", "key"), [(1, "free")]) == 1


def test_insert_missing_passes_over_rows_that_are_there(sample: Database) -> None:
    insert(sample, ("id", "key", "small"), [(1, "a", 1), (2, "b", 2)])
    rows: list[tuple[object, ...]] = [(3, "a", 9), (4, "c", 4), (5, "c", 5), (2, "d", 9)]

    with sample.connect() as connection:
        for _ in range(2):
            sample.backend.bulk.insert_missing(connection, SAMPLE, ("id", "key", "small"), rows)

    assert read_column(sample, "key") == ["a", "b", "c"]
    assert read_column(sample, "small") == [1, 2, 4]


@pytest.mark.parametrize("column", VALUES)
def test_insert_missing_takes_every_kind_of_value(sample: Database, column: str) -> None:
    values = [*VALUES[column], None]
    with sample.connect() as connection:
        rows = list(enumerate(values))
        sample.backend.bulk.insert_missing(connection, SAMPLE, ("id", column), rows)
        sample.backend.bulk.insert_missing(connection, SAMPLE, ("id", column), [])

    assert read_column(sample, column) == values


def test_insert_missing_does_not_swallow_a_broken_rule(sample: Database) -> None:
    with pytest.raises(ConflictError), sample.connect() as connection:
        sample.backend.bulk.insert_missing(connection, SAMPLE, ("id", "small"), [(1, -1)])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", Decimal(10) ** 12),
        ("amount", float("nan")),
        ("amount", "no number"),
        ("at", datetime(2026, 1, 1)),  # noqa: DTZ001 - naive on purpose
        ("at", "2026-01-01"),
        ("flag", "maybe"),
        ("document", object()),
        ("key", "half a \udc00 pair"),
        ("big", 2**70),
    ],
)
def test_value_that_its_column_can_not_hold_fails_in_our_words(
    sample: Database, column: str, value: object
) -> None:
    for _ in range(2):  # a refusal is not remembered as a value
        with pytest.raises(QadbError) as caught:
            insert(sample, ("id", column), [(1, None), (2, value)])

        assert type(caught.value) is DatabaseFailure
    assert read_column(sample, "id") == []


@pytest.mark.parametrize("error", [LookupError("mine"), ValueError("mine"), KeyboardInterrupt()])
def test_what_the_callers_rows_raise_comes_out_as_it_is(
    sample: Database, error: BaseException
) -> None:
    def rows() -> Iterator[Sequence[object]]:
        yield (1,)
        raise error

    with pytest.raises(type(error)) as caught:
        insert(sample, ("id",), rows())

    assert caught.value is error
    assert read_column(sample, "id") == []


def test_error_of_the_rows_is_found_however_late_it_comes(sample: Database) -> None:
    def rows() -> Iterator[Sequence[object]]:
        for number in range(sys.maxsize):
            if number == 3000:
                raise QadbError("the report ends in the middle")
            yield (number,)

    with pytest.raises(QadbError, match="in the middle"):
        insert(sample, ("id",), rows())

    assert read_column(sample, "id") == []


def test_bulk_and_session_share_one_transaction(sample: Database) -> None:
    with sample.session(all_tenants=True) as session:
        connection = session.connection()
        sample.backend.bulk.insert(connection, PARENT, ("id",), [(1,), (2,)])
        assert session.scalars(select(PARENT.c.id).order_by(PARENT.c.id)).all() == [1, 2]
        session.rollback()

    assert fetch_rows(sample, "SELECT id FROM parent") == []
    execute(sample, "INSERT INTO parent VALUES (1)")

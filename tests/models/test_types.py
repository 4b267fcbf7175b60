from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import StatementError

from qadb.models import Product, TestResult, TestRun, User
from qadb.models.functions import ByCodePoint
from qadb.models.types import ScaledNumeric
from tests.models.rows import MORNING, make_case, make_run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

KATHMANDU = timezone(timedelta(hours=5, minutes=45))


def _products(session: Session, *prices: str | None) -> None:
    prices_or_none = (None if price is None else Decimal(price) for price in prices)
    session.add_all(Product(name="p", price=price) for price in prices_or_none)
    session.flush()


def test_moments_come_back_in_utc_to_the_microsecond(session: Session) -> None:
    session.add(make_run(started_at=MORNING.astimezone(KATHMANDU)))
    session.flush()
    session.expire_all()
    found = session.scalars(select(TestRun.started_at)).one()
    assert found == MORNING
    assert found.tzinfo is UTC


def test_sqlite_stores_moments_as_one_fixed_width_text(filled_sqlite: Connection) -> None:
    query = "SELECT started_at, ended_at, length(created_at) FROM test_runs"
    assert filled_sqlite.exec_driver_sql(query).one() == (
        "2026-11-22T07:15:00.123456Z",
        "2026-11-22T12:00:00.000000Z",
        27,
    )


def test_moments_compare_and_sort_by_time(session: Session) -> None:
    run = make_run(started_at=MORNING)
    later = TestRun(run_key="r2", application=run.application)
    later.started_at = (MORNING + timedelta(microseconds=1)).astimezone(KATHMANDU)
    session.add_all([later, run])
    session.flush()
    keys = session.scalars(select(TestRun.run_key).order_by(TestRun.started_at)).all()
    assert keys == ["r1", "r2"]
    assert session.scalars(select(TestRun.run_key).where(TestRun.started_at > MORNING)).all() == [
        "r2"
    ]
    assert session.scalar(select(func.max(TestRun.started_at))) == later.started_at


def test_naive_moments_are_refused_in_statements_too(session: Session) -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001 - the point
    with pytest.raises(StatementError, match="has no time zone") as refusal:
        session.execute(select(TestRun).where(TestRun.started_at > naive))
    assert isinstance(refusal.value.orig, ValueError)


def test_the_database_sets_the_moments_of_bookkeeping(session: Session) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    user = User(username="ada")
    session.add(user)
    session.flush()
    assert user.created_at == user.updated_at
    assert before < user.created_at < datetime.now(UTC) + timedelta(seconds=5)


def test_amounts_add_up_exactly(session: Session) -> None:
    _products(session, "0.10", "0.20", None)
    total = session.scalar(select(func.sum(Product.price)))
    assert total == Decimal("0.30")
    assert str(total) == "0.30"


def test_amounts_compare_and_sort_as_numbers(session: Session) -> None:
    _products(session, "9.99", "10.00", "100.5")
    prices = session.scalars(select(Product.price).order_by(Product.price)).all()
    assert [str(price) for price in prices] == ["9.99", "10.00", "100.50"]
    assert session.scalar(select(func.count()).where(Product.price >= Decimal(10))) == 2
    assert session.scalar(select(func.count()).where(Product.price > 9.99)) == 2
    assert session.scalar(select(func.max(Product.price))) == Decimal("100.50")


def test_amounts_can_be_reckoned_with(session: Session) -> None:
    _products(session, "10.00")
    assert session.scalar(select(Product.price + Decimal("0.50"))) == Decimal("10.50")
    assert session.scalar(select(Product.price * 3)) == Decimal("30.00")


def test_amounts_are_rounded_half_up_on_both_engines(session: Session) -> None:
    session.add_all([make_run(), make_case()])
    session.flush()
    for occurrence, given in enumerate(["0.0005", "0.0004", "2.0015"], start=1):
        session.add(
            TestResult(
                run_id=session.scalars(select(TestRun.id)).one(),
                test_case=make_case(case_key=given),
                occurrence=occurrence,
                status="passed",
                duration_ms=Decimal(given),
            )
        )
    session.flush()
    session.expire_all()
    query = select(TestResult.duration_ms).order_by(TestResult.occurrence)
    assert [str(found) for found in session.scalars(query)] == ["0.001", "0.000", "2.002"]


@pytest.mark.parametrize("value", ["99999999.995", "1e8", "NaN", "Infinity"])
def test_amounts_that_do_not_fit_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ScaledNumeric(10, 2).quantize(Decimal(value))


def test_floats_are_taken_by_their_shortest_text() -> None:
    assert ScaledNumeric(10, 2).quantize(0.1) == Decimal("0.10")
    assert ScaledNumeric(10, 2).quantize(1.005) == Decimal("1.01")


def test_lists_and_documents_come_back_as_they_were(session: Session) -> None:
    data: dict[str, object] = {"a": [1, {"ü": None}], "b": 1.5}
    session.add(Product(name="p", tags=["x", "ü, \"'"], extra_data=data))
    session.flush()
    session.expire_all()
    product = session.scalars(select(Product)).one()
    assert product.tags == ["x", "ü, \"'"]
    assert product.extra_data == data


def test_none_is_null_and_no_json_null(session: Session) -> None:
    session.add(Product(name="p", tags=None, extra_data=None))
    session.flush()
    query = "SELECT count(*) FROM products WHERE tags IS NULL AND extra_data IS NULL"
    assert session.execute(text(query)).scalar_one() == 1


def test_changes_inside_lists_and_documents_are_saved(session: Session) -> None:
    product = Product(name="p", tags=["x"], extra_data={})
    session.add(product)
    session.commit()
    assert product.tags is not None
    assert product.extra_data is not None
    product.tags.append("y")
    product.extra_data["k"] = 1
    session.commit()
    assert (product.tags, product.extra_data) == (["x", "y"], {"k": 1})


def test_preferences_begin_empty(session: Session) -> None:
    user = User(username="ada")
    session.add(user)
    session.commit()
    user.preferences["theme"] = "dark"
    session.commit()
    assert user.preferences == {"theme": "dark"}


def test_texts_sort_by_code_point_whatever_the_servers_locale(session: Session) -> None:
    _products(session, *["1"] * 4)
    for row, name in zip(session.scalars(select(Product)), ["b", "B", "é", "_"], strict=True):
        row.name = name
    session.flush()
    query = select(Product.name).order_by(ByCodePoint(Product.name))

    assert list(session.scalars(query)) == ["B", "_", "b", "é"]
    dialect = make_url("postgresql+psycopg2://").get_dialect()()
    assert 'ORDER BY (products.name) COLLATE "C"' in str(query.compile(dialect=dialect))

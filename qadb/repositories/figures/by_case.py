"""Final attempts added up by test case, and the live cases that come first by what that gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, func, select

from qadb.models import TestCase, TestResult, TestRun
from qadb.repositories.generic.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Subquery


def by_case(runs: Sequence[ColumnElement[bool]]) -> Select[int]:
    """Group the final attempts that ran, in runs that meet the conditions, by the test case's key.

    Add the figures that are wanted of each.
    """
    return (
        select(TestResult.test_case_id)
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(*runs, TestResult.is_final, TestResult.status != "skipped")
        .group_by(TestResult.test_case_id)
    )


def first_cases(
    figures: Subquery, order: Sequence[ColumnElement[object]], limit: int
) -> Select[*tuple[object, ...]]:
    """Select the live cases that come first, with key, name, suite, classname and their figures.

    Args:
        figures: a row a case, its key first, such as `by_case` with figures.
        order: by which of them; ties go by the case's key.
        limit: how many cases at most.
    """
    case_id = figures.c[0]
    deleted = select(TestCase.id).where(TestCase.deleted_at.is_not(None))
    place = func.row_number().over(order_by=(*order, case_id)).label("place")
    first = once(
        select(*figures.c, place).where(case_id.not_in(deleted)).order_by(place).limit(limit)
    )
    number, *others = first.c
    return (
        select(TestCase.id, TestCase.name, TestCase.suite, TestCase.classname, *others)
        .join(first, number == TestCase.id)
        .order_by(first.c.place)
    )

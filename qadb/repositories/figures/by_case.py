"""Final attempts added up by test case, and the live cases that come first by what that gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, select

from qadb.models import TestCase, TestResult, TestRun

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
    case_id, *others = figures.c
    return (
        select(TestCase.id, TestCase.name, TestCase.suite, TestCase.classname, *others)
        .join(figures, case_id == TestCase.id)
        .where(TestCase.deleted_at.is_(None))
        .order_by(*order, TestCase.id)
        .limit(limit)
    )

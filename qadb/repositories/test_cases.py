"""Test cases: by what they test, of which kind they are, and which features they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from qadb.errors import RowNotFound
from qadb.models import Feature, TestCase, TestCaseFeature, TestType
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.filters import conditions
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.reading import PAGE_ROWS
from qadb.repositories.generic.references import require_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement

    from qadb.repositories.generic.eager import Eager
    from qadb.repositories.generic.paging import Page


class TestCaseRepository(Repository[TestCase]):
    """Test cases, and the features that they cover.

    Lists hold live ones alone.
    """

    model = TestCase
    __test__ = False  # the name is no test class's to pytest

    def list_tests(
        self,
        *criteria: ColumnElement[bool],
        after: str | None = None,
        limit: int = PAGE_ROWS,
        order_by: str | Sequence[str] = (),
        **filters: object,
    ) -> Page[TestCase]:
        """Return a page of test cases with their features, in two queries whatever its length.

        Args:
            *criteria: SQLAlchemy conditions.
            after: the cursor of the page before.
            limit: how many at most.
            order_by: columns' names as in `list`; by the key unless told.
            **filters: conditions by keyword.

        Raises:
            ValueError: an unknown name or operator, a cursor of another list, no rows asked for.
        """
        return self.page(
            *criteria,
            *conditions(TestCase, filters),
            after=after,
            limit=limit,
            order_by=order_by,
            with_=[TestCase.features],
        )

    def list_by_subsystem(
        self,
        subsystem: str,
        *,
        test_type: str | None = None,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        with_: Iterable[Eager] = (),
    ) -> Sequence[TestCase]:
        """Return the cases that test a subsystem, of one type by its code if that is named."""
        criteria = [TestCase.target_subsystem == subsystem]
        if test_type is not None:
            criteria.append(_is_of_type(test_type))
        return self.list(*criteria, order_by=order_by, limit=limit, with_=with_)

    def list_by_type(
        self,
        test_type: str,
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        with_: Iterable[Eager] = (),
    ) -> Sequence[TestCase]:
        """Return the cases of a type by its code, such as ``unit``; none where nobody knows it."""
        return self.list(_is_of_type(test_type), order_by=order_by, limit=limit, with_=with_)

    def list_for_features(
        self,
        features: Iterable[Feature | int],
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        with_: Iterable[Eager] = (),
    ) -> Sequence[TestCase]:
        """Return the cases that cover any of the features, each once.

        Args:
            features: themselves or their keys.
            order_by: as in `list`.
            limit: as there.
            with_: as there.
        """
        covering = select(TestCaseFeature.test_case_id).where(
            TestCaseFeature.feature_id.in_(_keys(features))
        )
        return self.list(TestCase.id.in_(covering), order_by=order_by, limit=limit, with_=with_)

    def link_features(self, case: TestCase | int, features: Iterable[Feature | int]) -> int:
        """Note that a case covers features; returns how many it did not cover before.

        Raises:
            RowNotFound: there is no such case, or one of the features is not there.
        """
        self.session.flush()  # new ones have their keys from now on
        found = require_row(self.session, TestCase, id_of(case))
        wanted = self._present_features(_keys(features))
        linked = select(TestCaseFeature.feature_id).where(TestCaseFeature.test_case_id == found.id)
        missing = sorted(wanted.difference(self.session.scalars(linked)))
        links = Repository(self.session, TestCaseFeature)
        for feature_id in missing:  # in one order, so that two who link never wait for each other
            link = {"test_case_id": found.id, "feature_id": feature_id}
            links.upsert({**link, "tenant_id": found.tenant_id}, key=list(link), changes=())
        self.session.expire(found, [TestCase.features.key])
        return len(missing)

    def unlink_features(self, case: TestCase | int, features: Iterable[Feature | int]) -> int:
        """Take features from what a case covers; returns how many of them it covered.

        Raises:
            RowNotFound: there is no such case.
        """
        found = require_row(self.session, TestCase, id_of(case))
        links = delete(TestCaseFeature).where(
            TestCaseFeature.test_case_id == found.id,
            TestCaseFeature.feature_id.in_(_keys(features)),
        )
        gone = self.session.scalars(links.returning(TestCaseFeature.feature_id)).all()
        self.session.expire(found, [TestCase.features.key])
        return len(gone)

    def _present_features(self, keys: Iterable[int]) -> set[int]:
        wanted = set(keys)
        there = self.session.scalars(select(Feature.id).where(Feature.id.in_(wanted)))
        absent = wanted.difference(there)
        if absent:
            raise RowNotFound(f"There is no row {min(absent)} in features.")
        return wanted


def _is_of_type(code: str) -> ColumnElement[bool]:
    of_code = select(TestType.id).where(TestType.code == code)
    return TestCase.test_type_id == of_code.scalar_subquery()


def _keys(features: Iterable[Feature | int]) -> list[int]:
    return [id_of(feature) for feature in features]

"""The junction of test cases and features made to match what a payload says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, select, tuple_

from qadb.models import Feature, TestCase, TestCaseFeature
from qadb.repositories.generic.base import Repository
from qadb.repositories.syncing.base import in_batches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from qadb.repositories.syncing.base import SyncedProduct

BATCH_LINKS = 5_000  # each takes two parameters


class Link(NamedTuple):
    """A test case covers a feature."""

    test_case_id: int
    feature_id: int


class LinkSync:
    """Links between a product's synced features and live test cases."""

    def __init__(self, session: Session, product: SyncedProduct) -> None:
        self._session = session
        self._product = product

    def match_cases(self, wanted: Mapping[int, Collection[int]]) -> set[int]:
        """Give each test case the features named, and no other synced ones of the product.

        Returns:
            The test cases whose links changed.
        """
        links = {Link(case, feature) for case, features in wanted.items() for feature in features}
        found = {link for link in self._found() if link.test_case_id in wanted}
        return {link.test_case_id for link in self._replace(found, links)}

    def match_features(self, wanted: Mapping[int, Collection[int]]) -> set[int]:
        """Give each feature the test cases named and no others; returns those that changed."""
        links = {Link(case, feature) for feature, cases in wanted.items() for case in cases}
        found = {link for link in self._found() if link.feature_id in wanted}
        return {link.feature_id for link in self._replace(found, links)}

    def _found(self) -> Iterable[Link]:
        query = (
            select(TestCaseFeature.test_case_id, TestCaseFeature.feature_id)
            .join(Feature, Feature.id == TestCaseFeature.feature_id)
            .join(TestCase, TestCase.id == TestCaseFeature.test_case_id)
            .where(
                Feature.product_id == self._product.id,
                Feature.external_id.is_not(None),
                TestCase.deleted_at.is_(None),
            )
        )
        return (Link(*row) for row in self._session.execute(query))

    def _replace(self, found: set[Link], wanted: set[Link]) -> set[Link]:
        surplus, missing = sorted(found - wanted), sorted(wanted - found)
        self._remove(surplus)
        Repository(self._session, TestCaseFeature).create_many(
            {"tenant_id": self._product.tenant_id, **link._asdict()} for link in missing
        )
        return {*surplus, *missing}

    def _remove(self, links: Sequence[Link]) -> None:
        pair = tuple_(TestCaseFeature.test_case_id, TestCaseFeature.feature_id)
        for batch in in_batches(links, BATCH_LINKS):
            self._session.execute(
                delete(TestCaseFeature)
                .where(pair.in_(batch))
                .execution_options(synchronize_session=False)
            )

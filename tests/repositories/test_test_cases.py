"""Test cases by subsystem, type and feature, and their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.errors import RowNotFound
from qadb.models import Feature, Product, TestCase, TestCaseFeature, TestType
from qadb.repositories.generic.base import Repository
from qadb.repositories.test_cases import TestCaseRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


def names(rows: Sequence[TestCase]) -> list[str]:
    return [row.name for row in rows]


def fill(session: UnitOfWork, owner: str) -> list[Feature]:
    """Five cases, the last one deleted; two features, of which case 2 covers both."""
    unit, ui = (session.scalars(select(TestType).order_by(TestType.id))).all()
    product = Product(name=f"{owner} bench")
    features = [Feature(title=f"{owner} {title}", product=product) for title in ("pay", "ship")]
    kinds = [("net", unit), ("net", ui), ("disk", unit), (None, None), ("net", unit)]
    for number, (subsystem, kind) in enumerate(kinds, start=1):
        covered = {1: features[:1], 2: features, 5: features}.get(number, [])
        case = TestCase(
            case_key=f"k{number}", name=f"{owner} {number}", target_subsystem=subsystem,
            test_type=kind, features=covered,
        )  # fmt: skip
        session.add(case)
        session.flush()
    cases = Repository(session, TestCase)
    cases.delete(cases.list(case_key="k5")[0])
    return features


@pytest.fixture
def cases(database: Database) -> Iterator[TestCaseRepository]:
    with database.session(all_tenants=True) as session:
        session.add(TestType(code="ui", name="UI"))
    with database.session(tenant="rival") as session:
        fill(session, "rival")
    with database._unit("acme", None, all_tenants=False, read_only=False) as session:
        fill(session, "acme")
        yield TestCaseRepository(session)


@pytest.fixture
def features(cases: TestCaseRepository) -> Sequence[Feature]:
    return Repository(cases.session, Feature).list(Feature.title.in_(["acme pay", "acme ship"]))


def test_cases_of_a_subsystem(cases: TestCaseRepository) -> None:
    assert names(cases.list_by_subsystem("net")) == ["acme 1", "acme 2"]
    assert names(cases.list_by_subsystem("net", test_type="ui")) == ["acme 2"]
    assert names(cases.list_by_subsystem("net", order_by="-name", limit=1)) == ["acme 2"]
    assert names(cases.list_by_subsystem("Net")) == []
    assert names(cases.list_by_subsystem("net", test_type="nothing")) == []


def test_cases_of_a_type(cases: TestCaseRepository) -> None:
    assert names(cases.list_by_type("unit")) == ["acme 1", "acme 3"]
    assert names(cases.list_by_type("unit", order_by="-id", limit=1)) == ["acme 3"]
    assert names(cases.list_by_type("nothing")) == []


def test_cases_of_features_come_once(
    cases: TestCaseRepository, features: Sequence[Feature]
) -> None:
    pay, ship = features
    assert names(cases.list_for_features(features)) == ["acme 1", "acme 2"]
    assert names(cases.list_for_features([ship.id, pay], order_by="-id")) == ["acme 2", "acme 1"]
    assert names(cases.list_for_features([ship.id])) == ["acme 2"]
    assert names(cases.list_for_features([])) == []
    assert names(cases.list_for_features(each.id for each in features)) == ["acme 1", "acme 2"]
    with pytest.raises(ValueError, match="not written yet"):
        cases.list_for_features([Feature(title="new")])


def test_another_tenants_features_lead_to_nothing(
    cases: TestCaseRepository, database: Database
) -> None:
    with database.session(tenant="rival", read_only=True) as session:
        theirs = [feature.id for feature in Repository(session, Feature).list()]
        assert names(TestCaseRepository(session).list_for_features(theirs, limit=2)) == [
            "rival test", "rival 1",
        ]  # fmt: skip
    assert names(cases.list_for_features(theirs)) == []


@pytest.mark.parametrize("method", ["list_by_subsystem", "list_by_type"])
def test_lists_load_along_what_they_are_told(
    cases: TestCaseRepository,
    queries: Callable[[], AbstractContextManager[list[str]]],
    method: str,
) -> None:
    cases.session.flush()
    cases.session.expunge_all()
    with queries() as sent:
        found = getattr(cases, method)("net" if "sub" in method else "unit", with_=["features"])
        assert [len(case.features) for case in found] in ([1, 2], [1, 0])
    assert len(sent) == 2


def test_a_page_has_its_features_in_two_queries(
    cases: TestCaseRepository, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    cases.session.flush()
    cases.session.expunge_all()
    with queries() as sent:
        page = cases.list_tests(TestCase.name.startswith("acme "), limit=3)
        found = {case.name: [each.title for each in case.features] for case in page.items}
    assert found == {
        "acme test": ["acme feature"], "acme 1": ["acme pay"], "acme 2": ["acme pay", "acme ship"],
    }  # fmt: skip
    assert len(sent) == 2
    page = cases.list_tests(TestCase.name.startswith("acme "), limit=3, after=page.next_cursor)
    assert names(page.items) == ["acme 3", "acme 4"]
    assert page.next_cursor is None


def test_a_page_is_filtered_and_ordered(cases: TestCaseRepository) -> None:
    page = cases.list_tests(order_by="-name", limit=1, target_subsystem="net")
    assert names(page.items) == ["acme 2"]
    for wrong in ({"colour": "red"}, {"limit": 0}, {"limit": -1}, {"after": "x"}):
        with pytest.raises(ValueError, match=r"colour|1 or more|no cursor"):
            cases.list_tests(**wrong)


def test_features_are_linked_once(cases: TestCaseRepository, features: Sequence[Feature]) -> None:
    pay, ship = features
    case = cases.get_by(name="acme 1")
    assert case is not None
    assert case.features == [pay]
    assert cases.link_features(case, [ship, pay.id, ship.id]) == 1
    assert cases.link_features(case.id, features) == 0
    assert sorted(each.title for each in case.features) == ["acme pay", "acme ship"]
    link = cases.session.get_one(TestCaseFeature, (case.id, ship.id))
    assert link.tenant_id == "acme"


def test_features_are_unlinked_once(cases: TestCaseRepository, features: Sequence[Feature]) -> None:
    pay, ship = features
    case = cases.get_by(name="acme 2")
    assert case is not None
    assert len(case.features) == 2
    assert cases.unlink_features(case, [ship, ship.id, 0]) == 1
    assert cases.unlink_features(case.id, [ship]) == 0
    assert case.features == [pay]


def test_only_what_is_there_is_linked(
    cases: TestCaseRepository, features: Sequence[Feature], database: Database
) -> None:
    with database.session(all_tenants=True, read_only=True) as session:
        theirs = Repository(session, Feature).list(tenant_id="rival")[0]
        their_case = Repository(session, TestCase).list(tenant_id="rival")[0].id
    case = cases.get_by(name="acme 1")
    assert case is not None
    for wrong in (0, theirs.id, theirs):
        with pytest.raises(RowNotFound, match="features"):
            cases.link_features(case, [features[1], wrong])
    for method in (cases.link_features, cases.unlink_features):
        for key in (0, their_case):
            with pytest.raises(RowNotFound, match="test_cases"):
                method(key, features)
    assert case.features == [features[0]]


def test_links_belong_to_the_cases_tenant(database: Database) -> None:
    with Session(database.engine()) as plain, plain.begin():
        theirs = Repository(plain, TestCase).list(tenant_id="rival")[0]
        other = Feature(title="new", product=theirs.features[0].product, tenant_id="rival")
        plain.add(other)
        plain.flush()
        assert TestCaseRepository(plain).link_features(theirs, [other]) == 1
        assert plain.get_one(TestCaseFeature, (theirs.id, other.id)).tenant_id == "rival"

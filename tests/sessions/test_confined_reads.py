"""Every way to read through the ORM shows a tenant's session its own rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest
from sqlalchemy import (
    CompoundSelect,
    Select,
    case,
    cast,
    exists,
    false,
    func,
    lambda_stmt,
    literal,
    literal_column,
    null,
    select,
    tuple_,
    union,
    union_all,
)
from sqlalchemy import String as SqlString
from sqlalchemy.orm import (
    Bundle,
    aliased,
    contains_eager,
    join,
    joinedload,
    selectinload,
    subqueryload,
    with_loader_criteria,
)

from qadb.models import (
    Application,
    Bug,
    Feature,
    Role,
    Tenant,
    TestCase,
    TestCaseFeature,
    TestResult,
    TestRun,
    User,
)
from qadb.repositories.generic.once import once

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.sessions.unit import UnitOfWork

Query: TypeAlias = "Select[*tuple[object, ...]] | CompoundSelect[*tuple[object, ...]]"

Other = aliased(User)
OtherRun = aliased(TestRun, name="users")  # a name that is another table's
_users = select(User.id, User.email).subquery()
_bugs = select(Bug.title).cte("found")
_tree = select(User.id, User.username, User.created_by).cte("tree", recursive=True)
_tree_all = _tree.union_all(
    select(User.id, User.username, User.created_by).join(_tree, User.created_by == _tree.c.id)
)

# Each yields one row in a tenant's session, and two when nobody confines it.
ONE_ROW_EACH: dict[str, Callable[[], Query]] = {
    "a model": lambda: select(User),
    "columns": lambda: select(User.email),
    "a common table expression that is kept": lambda: select(once(select(Bug.title)).c.title),
    "an expression of a column": lambda: select(func.lower(User.email)),
    "null and a column": lambda: select(func.coalesce(null(), User.email)),
    "arithmetic": lambda: select((literal(1) + User.id).label("next")),
    "a cast": lambda: select(cast(User.id, SqlString)),
    "a case": lambda: select(case((User.id > 0, User.email))),
    "a bundle": lambda: select(Bundle("who", User.id, User.email)),
    "distinct": lambda: select(User.email).distinct(),
    "a literal where a model stands in WHERE alone": lambda: select(literal(1)).where(User.id > 0),
    "a tuple of columns in WHERE": lambda: select(literal(1)).where(
        tuple_(User.id, User.role_id).in_(select(User.id, User.role_id))
    ),
    "an alias": lambda: select(Other.email),
    "an alias that bears another table's name": lambda: select(OtherRun.run_key),
    "a flat alias in a join": lambda: select(Other.email).join(
        Application, Application.tenant_id == Other.tenant_id
    ),
    "a join by relationship": lambda: select(TestRun.run_key).join(TestRun.application),
    "a join of three": lambda: (
        select(TestResult.message).join(TestResult.run).join(TestRun.application)
    ),
    "a join to many by a link table": lambda: (
        select(Feature.title).select_from(TestCase).join(TestCase.features)
    ),
    "the same join from its other side": lambda: (
        select(TestCase.name).select_from(Feature).join(Feature.test_cases)
    ),
    "the same join, outer": lambda: select(TestCase.name, Feature.title).outerjoin(
        TestCase.features
    ),
    "the same join, outer, from its other side": lambda: (
        select(TestCase.name, Feature.title).select_from(Feature).outerjoin(Feature.test_cases)
    ),
    "that join beside an OR": lambda: (
        select(TestCase.name)
        .join(TestCase.features)
        .where((TestCase.name == "x") | (Feature.title != "y"))
    ),
    "the link table's own model": lambda: select(TestCaseFeature.feature_id),
    "a table of results": lambda: select(TestResult.message),
    "an outer join": lambda: select(Bug.title, TestRun.run_key).outerjoin(Bug.run),
    "an outer join on true": lambda: select(Role.name, User.email).outerjoin(User, literal(1) == 1),
    "a join made by hand": lambda: select(Bug.title).select_from(
        join(TestRun, Bug, Bug.run_id == TestRun.id)
    ),
    "a join to an alias by a condition": lambda: select(User.email, Other.email).join(
        Other, Other.role_id == User.role_id
    ),
    "an outer one": lambda: select(User.email, Other.email).outerjoin(
        Other, Other.role_id == User.role_id
    ),
    "an alias joined to its model": lambda: select(Other.email).join(
        User, Other.role_id == User.role_id
    ),
    "an OR in a CASE in WHERE": lambda: select(User.email).where(
        case(((User.id > 0) | (User.id < 0), 1), else_=2) == 1
    ),
    "two models side by side": lambda: select(User.email, Bug.title).where(
        User.tenant_id == Bug.tenant_id
    ),
    "an implicit join": lambda: select(Bug.title).where(Bug.run_id == TestRun.id),
    "a subquery": lambda: select(_users.c.email),
    "a subquery of a subquery": lambda: select(select(_users).subquery().c.email),
    "a model over a subquery": lambda: select(aliased(User, select(User).subquery())),
    "a scalar subquery": lambda: select(select(User.email).limit(1).scalar_subquery()),
    "a common table expression": lambda: select(_bugs.c.title),
    "a recursive one": lambda: select(_tree_all.c.username),
    "a union": lambda: union(select(User.email), select(User.email)),
    "a union in a subquery": lambda: select(
        union_all(select(User.email), select(Bug.title).where(Bug.id < 0)).subquery().c[0]
    ),
    "a literal where something exists": lambda: select(literal(1), Role.name).where(
        exists(select(User.id).where(User.username == "acme-user"))
    ),
    "IN a subquery": lambda: select(User.email).where(User.id.in_(select(User.id))),
    "the order of a subquery": lambda: select(User.email).order_by(
        select(func.count(Bug.id)).scalar_subquery()
    ),
    "having": lambda: select(User.role_id, func.max(User.email)).group_by(User.role_id),
    "any of a collection": lambda: select(TestCase.name).where(
        TestCase.features.any(Feature.title.contains("feature"))
    ),
    "any and join together": lambda: (
        select(TestCase.name).join(TestCase.features).where(TestCase.features.any())
    ),
    "has of a parent": lambda: select(Bug.title).where(
        Bug.run.has(TestRun.application.has(Application.code == "shop"))
    ),
    "with_parent by another's criteria": lambda: select(User.email).options(
        with_loader_criteria(User, User.email.is_not(None))
    ),
    "a lambda statement": lambda: lambda_stmt(lambda: select(User.email)),  # type: ignore[dict-item,return-value]  # executes as its Select
    "a lambda in WHERE": lambda: select(User.email).where(lambda: User.id > 0),
    "nothing, and a row of it": lambda: select(func.count(), literal("x")).select_from(
        select(User).where(false()).subquery()
    ),
    "a row lock": lambda: select(User.email).with_for_update(),
    "the tenants": lambda: select(Tenant.name),
    "eager by join": lambda: select(TestCase).options(joinedload(TestCase.features)),
    "eager by select": lambda: select(TestCase).options(selectinload(TestCase.features)),
    "eager by subquery": lambda: select(TestCase).options(subqueryload(TestCase.features)),
    "eager by an own join": lambda: (
        select(TestCase).join(TestCase.features).options(contains_eager(TestCase.features))
    ),
    "eager, limited": lambda: select(TestCase).options(joinedload(TestCase.features)).limit(9),
    "eager down a path": lambda: select(TestResult).options(
        joinedload(TestResult.run).joinedload(TestRun.application)
    ),
    "eager with a condition": lambda: select(TestCase).options(
        selectinload(TestCase.features.and_(Feature.title != "x"))
    ),
}

# The number itself is 1 in a tenant's session.
COUNTS: dict[str, Callable[[], Query]] = {
    "count of a model": lambda: select(func.count()).select_from(User),
    "count of a column": lambda: select(func.count(User.id)),
    "count of a subquery": lambda: select(func.count()).select_from(select(User).subquery()),
    "count of a union": lambda: select(func.count()).select_from(
        union(select(User.email), select(User.email)).subquery()
    ),
    "count in a scalar subquery": lambda: select(select(func.count(User.id)).scalar_subquery()),
    "count with a filter": lambda: select(func.count(User.id).filter(User.id > 0)),
    "count over a window": lambda: select(func.count().over(), User.id),
    "count past a label": lambda: select(func.count(literal_column("1"))).select_from(User),
}


@pytest.mark.parametrize("name", ONE_ROW_EACH)
def test_a_query_shows_the_tenants_own_row(acme: UnitOfWork, name: str) -> None:
    rows = acme.execute(ONE_ROW_EACH[name]()).unique().all()
    assert len(rows) == 1
    assert "rival" not in str(rows)


def test_rows_without_a_match_stay_in_an_outer_join(acme: UnitOfWork) -> None:
    with acme.unguarded():
        acme.add(Role(name="unused"))
        acme.flush()
    joined = select(Role.name, User.email).outerjoin(User, User.role_id == Role.id)
    rows = acme.execute(joined.order_by(Role.name)).all()
    assert list(map(tuple, rows)) == [("unused", None), ("viewer", "acme@example.org")]


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_counts_the_tenants_own_rows(acme: UnitOfWork, name: str) -> None:
    assert acme.execute(COUNTS[name]()).first()[0] == 1  # type: ignore[index]  # there is one

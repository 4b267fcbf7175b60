"""What can't be confined to the tenant never reaches the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    collate,
    column,
    delete,
    exists,
    extract,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    table,
    text,
    true,
    union,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    mapped_column,
    outerjoin,
    selectinload,
    with_loader_criteria,
)
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.types import UserDefinedType

from qadb.errors import TenantViolation
from qadb.models import Base, Bug, Feature, Product, Role, TestCase, TestCaseFeature, TestRun, User
from qadb.sessions.tenant_tables import OWNER_BIND

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Executable
    from sqlalchemy.sql.compiler import SQLCompiler

    from qadb.sessions.unit import UnitOfWork

USERS = Base.metadata.tables["users"]
LINKS = Base.metadata.tables["test_case_features"]
BUGS = Base.metadata.tables["bugs"]
VIEW = table("some_view", column("email"))
COPY = Table("users", MetaData(), Column("id", Integer, primary_key=True), Column("email", String))
IN_SCHEMA = Table("users", MetaData(), Column("email", String), schema="main")


class Foreign(DeclarativeBase):
    """Models of somebody else, in the same database."""


class Spy(Foreign):
    """A model over our table that knows no tenant."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Smuggled(ColumnElement[bool]):
    """An element that compiles to anything."""

    inherit_cache = True


@compiles(Smuggled)
def _smuggle(_element: Smuggled, _compiler: SQLCompiler, **_options: object) -> str:
    return "1=1) OR (1=1"


class AnySql(UserDefinedType[bool]):
    """A type whose name in SQL is anything."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        return "text) = 'x' OR (1=1) OR (1=1"


ONE = literal(1)
FORGED = or_(USERS.c.tenant_id == bindparam("tenant", "acme"), true())

STATEMENTS: dict[str, Callable[[], Executable]] = {
    "text": lambda: text("SELECT email FROM users"),
    "text as a table": lambda: select(text("email")).select_from(text("users")),
    "text with columns": lambda: text("SELECT email FROM users").columns(column("email")),
    "text behind a model": lambda: select(User).from_statement(text("SELECT * FROM users")),
    "a table behind a model": lambda: select(User).from_statement(select(USERS)),
    "text in WHERE": lambda: select(User.email).where(text("1=1) OR (1=1")),
    "text in the list": lambda: select(User.id, text("(SELECT max(email) FROM users)")),
    "text in the order": lambda: select(User.id).order_by(text("(SELECT email FROM users)")),
    "text in HAVING": lambda: select(func.count(User.id)).having(text("1=1) OR (1=1")),
    "text in a subquery": lambda: select(User.id).where(exists(text("SELECT 1 FROM users"))),
    "text in a union": lambda: union(select(User.email), text("SELECT email FROM users").columns()),
    "text in a lambda": lambda: select(User.email).where(
        lambda: cast("ColumnElement[bool]", text("1=1) OR (1=1"))
    ),
    "text in an eager load": lambda: select(TestCase).options(
        selectinload(TestCase.features.and_(text("1=1) OR (1=1")))
    ),
    "text in criteria of one's own": lambda: select(User.email).options(
        with_loader_criteria(User, literal_column("1=1) OR (1=1", Boolean))
    ),
    "a lambda in criteria of one's own": lambda: select(User.email).options(
        with_loader_criteria(User, lambda _: literal_column("1=1) OR (1=1", Boolean))
    ),
    "a literal column": lambda: select(literal_column("(SELECT max(email) FROM users)")),
    "a literal column beside a model": lambda: select(
        User.id, literal_column("(SELECT max(email) FROM users)")
    ),
    "an operator": lambda: select(User.email).where(User.id.op("= 1 OR 1 =")(1)),
    "a field of a time": lambda: select(extract("year FROM now()), (SELECT 1", User.created_at)),
    "a prefix": lambda: select(User.email).prefix_with("(SELECT max(email) FROM users),"),
    "a suffix": lambda: select(User.email).suffix_with("OR 1=1"),
    "a hint": lambda: select(User.email).with_statement_hint("OR 1=1"),
    "an element of one's own": lambda: select(User.email).where(Smuggled()),
    "a function that runs SQL": lambda: select(
        func.query_to_xml("SELECT * FROM users", true(), true(), "")
    ),
    "a function that changes the tenant": lambda: select(
        func.set_config("qadb.tenant", "rival", true())
    ),
    "a function that shows what others do": lambda: select(
        func.pg_stat_get_activity(null()).table_valued("query").c.query
    ),
    "a virtual table as a function": lambda: select(
        func.notes_search("x").table_valued("title").c.title
    ),
    "the same without a name": lambda: select(literal_column("*")).select_from(
        func.notes_search("x")
    ),
    "a column's name that is SQL": lambda: select(
        User.id, column(quoted_name("(SELECT max(title) FROM notes_search)", quote=False))
    ),
    "a collation that is SQL": lambda: select(User.id).where(
        collate(User.username, quoted_name("NOCASE OR 1=1", quote=False)) == "x"
    ),
    "a type that is SQL": lambda: select(sql_cast(User.email, AnySql())),
    "a type that is SQL in WHERE": lambda: select(User.email).where(sql_cast(User.email, AnySql())),
    "a type's length that is SQL": lambda: select(
        sql_cast(User.email, String("9) || (SELECT max(title) FROM notes_search"))  # type: ignore[arg-type]  # on purpose
    ),
    "a table": lambda: select(USERS),
    "a table with the right condition": lambda: select(USERS).where(USERS.c.tenant_id == "acme"),
    "a column of a table": lambda: select(USERS.c.email),
    "an alias of a table": lambda: select(USERS.alias().c.email),
    "a count of a table": lambda: select(func.count()).select_from(USERS),
    "a table in a join": lambda: select(Bug.title, USERS.c.email).join(USERS, true()),
    "a table in a subquery": lambda: select(User.id).where(User.id.in_(select(USERS.c.id))),
    "a table in EXISTS": lambda: select(ONE).where(exists(select(USERS.c.id))),
    "a table in a CTE": lambda: select(select(USERS.c.email).cte("mine").c.email),
    "a CTE beside a model": lambda: select(User.id, select(USERS.c.email).cte("users").c.email),
    "a table in a union": lambda: union(select(User.email), select(USERS.c.email)),
    "a table under a model": lambda: select(aliased(User, select(USERS).subquery())),
    "a table of another metadata": lambda: select(COPY),
    "a table in another schema": lambda: select(IN_SCHEMA),
    "a view": lambda: select(VIEW.c.email),
    "the catalog": lambda: select(table("sqlite_master", column("sql")).c.sql),
    "a model without tenants": lambda: select(Spy.email),
    "such a model beside ours": lambda: select(User.id, Spy.email),
    "the link table": lambda: select(LINKS),
    "the link table beside a model": lambda: select(TestCase.id, LINKS.c.feature_id),
    "the link table, joined on another's id": lambda: select(LINKS.c.feature_id).where(
        LINKS.c.tenant_id == "rival"
    ),
    "the link table, joined loosely": lambda: select(TestCase.id, LINKS.c.feature_id).join(
        LINKS, or_(LINKS.c.tenant_id == TestCase.tenant_id, true())
    ),
    "the link table, kept by an outer join": lambda: (
        select(LINKS.c.feature_id)
        .select_from(LINKS)
        .outerjoin(TestCase, LINKS.c.tenant_id == TestCase.tenant_id)
    ),
    "the link table, tied to a made-up tenant": lambda: select(LINKS.c.feature_id).join(
        (made := select(User.id, literal("rival").label("tenant_id")).subquery()),
        made.c.tenant_id == LINKS.c.tenant_id,
    ),
    "the link table, tied within a CASE": lambda: select(LINKS.c.feature_id).where(
        TestCase.tenant_id.between(LINKS.c.tenant_id, LINKS.c.tenant_id)
    ),
    "a join made by hand": lambda: select(TestRun.run_key).select_from(
        outerjoin(TestRun, Bug, true())
    ),
    "an outer join made by hand, which would lose rows without a match": lambda: select(
        Role.name, User.email
    ).select_from(outerjoin(Role, User, User.role_id == Role.id)),
    "a full join": lambda: select(Bug.title).select_from(TestRun).join(Bug, true(), full=True),
    "a model inside another's expression": lambda: select((User.id + Bug.id).label("sum")),
    "a sequence": lambda: select(func.count()).select_from(func.dblink("SELECT 1").alias("d")),
    "a bind that looks like ours": lambda: select(USERS.c.email).where(FORGED),
    "an UPDATE of a table": lambda: update(USERS).values(email="x"),
    "a DELETE from a table": lambda: delete(BUGS),
    "an INSERT into a table": lambda: insert(BUGS).values(title="x", test_case_id=1),
    "an UPDATE from another table": lambda: (
        update(Bug)
        .values(title="x")
        .where(Bug.run_id == TestRun.id)
        .execution_options(synchronize_session=False)
    ),
    "an UPDATE by a table": lambda: (
        update(Bug)
        .values(title=select(USERS.c.email).limit(1).scalar_subquery())
        .execution_options(synchronize_session=False)
    ),
    "a DELETE by text": lambda: (
        delete(Bug).where(text("1=1) OR (1=1")).execution_options(synchronize_session=False)
    ),
    "an INSERT from a table": lambda: insert(Bug).from_select(
        ["title", "test_case_id"], select(USERS.c.email, USERS.c.id)
    ),
    "an INSERT of text": lambda: insert(Bug).values(
        title=text("(SELECT max(email) FROM users)"), test_case_id=1
    ),
    "an INSERT that replaces": lambda: (
        insert(Bug).prefix_with("OR REPLACE").values(id=2, title="x", test_case_id=1)
    ),
    "an INSERT inside a query": lambda: select(
        insert(Product).values(name="x", tenant_id="rival").returning(Product.id).cte().c.id
    ),
    "a DELETE beside a query": lambda: select(User.id).add_cte(delete(Bug).cte("gone")),
    "a function alone": lambda: func.count(USERS.c.id),
}


@pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product")
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_tenants_session_refuses(acme: UnitOfWork, name: str) -> None:
    with pytest.raises((TenantViolation, CompileError)):
        acme.execute(STATEMENTS[name]()).all()


def test_a_statement_is_refused_each_time(acme: UnitOfWork) -> None:
    for _ in range(2):  # the second comes out of SQLAlchemy's cache of compiled statements
        with pytest.raises(TenantViolation):
            acme.execute(select(USERS.c.email))


def test_a_refusal_names_the_way_out(acme: UnitOfWork) -> None:
    with pytest.raises(TenantViolation) as refusal:
        acme.execute(select(USERS.c.email))
    assert refusal.value.message == (
        "A tenant's session can't confine a query that mentions users past the models."
    )
    assert "all_tenants=True" in (refusal.value.hint or "")


def test_the_connection_is_not_given_away(acme: UnitOfWork) -> None:
    with pytest.raises(TenantViolation):
        acme.connection()


@pytest.mark.parametrize("sql", ["SELECT email FROM users", "DELETE FROM bugs"])
def test_raw_sql_is_refused_on_the_connection_itself(acme: UnitOfWork, sql: str) -> None:
    connection = acme.own_connection()
    with pytest.raises(TenantViolation):
        connection.exec_driver_sql(sql)
    with pytest.raises(TenantViolation):
        connection.execute(text(sql))


def test_the_sessions_own_bind_cannot_be_overridden(acme: UnitOfWork) -> None:
    with pytest.raises(TenantViolation):
        acme.execute(select(User), {OWNER_BIND: "rival"})


def test_bulk_methods_of_the_session_are_refused(acme: UnitOfWork) -> None:
    other = {"id": 2, "title": "taken over"}
    with pytest.raises(TenantViolation):
        acme.bulk_update_mappings(Bug, [other])
    acme.rollback()
    with pytest.raises(TenantViolation):
        acme.bulk_insert_mappings(Bug, [{"title": "x", "test_case_id": 1, "tenant_id": "rival"}])
    acme.rollback()
    with pytest.raises(TenantViolation):
        acme.execute(update(Bug), [other])


def test_legacy_queries_are_confined_too(acme: UnitOfWork) -> None:
    assert [user.username for user in acme.query(User)] == ["acme-user"]
    assert acme.query(Bug).count() == 1
    assert acme.query(Feature.title).join(Feature.test_cases).all() == [("acme feature",)]
    with pytest.raises(TenantViolation):
        acme.query(User).from_statement(text("SELECT * FROM users")).all()


def test_the_link_tables_model_is_a_model_like_others(acme: UnitOfWork) -> None:
    assert acme.scalars(select(TestCaseFeature.tenant_id)).all() == ["acme"]


def test_unguarded_statements_pass(acme: UnitOfWork) -> None:
    with acme.unguarded():
        assert len(acme.execute(text("SELECT email FROM users")).all()) == 2
    with pytest.raises(TenantViolation):
        acme.execute(text("SELECT email FROM users"))

"""Base of all models: names of constraints, rules into CHECKs, indexes for foreign keys, repr.

Owns what holds for every table. What several tables share as columns lies in `qadb.models.mixins`,
the rules themselves in `qadb.models.rules`, the refusal of bad values in `qadb.models.validation`.
"""

from __future__ import annotations

from typing import ClassVar, cast

from sqlalchemy import CheckConstraint, Column, Index, MetaData, Table, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase

from qadb.models import audit, durations, isolation, search, text_lists, triggers, validation
from qadb.models.forms import Form, forms_of
from qadb.models.rules import Rule

NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
}

LONGEST_SHOWN = 80

_metadata = MetaData(naming_convention=NAMING_CONVENTION)
triggers.attach_functions(_metadata)
audit.attach_functions(_metadata)
search.attach_functions(_metadata)
durations.attach_functions(_metadata)


class Base(DeclarativeBase):
    """A table's model.

    Attributes:
        __rules__: what a row must keep; each rule becomes a CHECK and a ValueError.
        __shown__: columns that `repr` shows after the key, where they are loaded.
        __audited__: whether every change of a row is written to the audit log.
        __tenant_column__: the column that names the row's owner, if the table has it.
    """

    metadata = _metadata
    __rules__: ClassVar[tuple[Rule, ...]] = ()
    __shown__: ClassVar[tuple[str, ...]] = ()
    __audited__: ClassVar[bool] = False
    __tenant_column__: ClassVar[str] = "tenant_id"
    __test__: ClassVar[bool] = False  # names like TestCase are no tests to pytest

    def __init__(self, **values: object) -> None:
        """Set the attributes named; raises ValueError for a value that breaks a rule."""
        for name, value in values.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no attribute {name!r}")
            setattr(self, name, value)
        validation.check_row(self, complete=False)

    def __init_subclass__(cls, **options: object) -> None:
        """Complete a mapped table with its CHECKs, indexes and triggers."""
        super().__init_subclass__(**options)
        if "__tablename__" in cls.__dict__:
            table = cast("Table", cls.__table__)
            forms = tuple(forms_of(table, cls.__rules__))
            _add_checks(table, cls.__rules__, forms)
            _index_foreign_keys(table)
            if "updated_at" in table.columns:
                triggers.attach_updated_at(table)
            if cls.__audited__:
                audit.attach(table)
            if cls.__tenant_column__ in table.columns:
                isolation.attach(table, cls.__tenant_column__)
            text_lists.attach(table)
            validation.watch(cls, (*cls.__rules__, *(form.rule for form in forms)))

    def __repr__(self) -> str:
        """Show the key and a few telling columns, never a secret or a long text."""
        table = cast("Table", type(self).__table__)
        names = dict.fromkeys([*(column.key for column in table.primary_key), *self.__shown__])
        loaded = self.__dict__
        shown = ", ".join(f"{name}={_shorten(loaded[name])}" for name in names if name in loaded)
        return f"{type(self).__name__}({shown})"


def _shorten(value: object) -> str:
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        value = value[: LONGEST_SHOWN - 1] + "…"
    return repr(value)


def _add_checks(table: Table, rules: tuple[Rule, ...], forms: tuple[Form, ...]) -> None:
    for rule in rules:
        table.append_constraint(CheckConstraint(rule.sql, name=rule.name))
    for form in forms:
        for engine, sql in form.checks.items():
            check = CheckConstraint(sql, name=form.rule.name)
            table.append_constraint(check.ddl_if(dialect=engine))


def _index_foreign_keys(table: Table) -> None:
    """Index every foreign key that no complete key or index starts with.

    Tenants are followed by the key, as lists go by it; where NULL is allowed, and mostly the case,
    the index holds only rows that refer to something, which serves the same look-ups.
    """
    places = {column.name: place for place, column in enumerate(table.columns)}
    references = table.foreign_key_constraints
    for reference in sorted(references, key=lambda each: places[each.column_keys[0]]):
        columns = list(reference.columns)
        if _is_served(table, columns):
            continue
        if columns[0].name == "tenant_id":
            Index(None, *columns, *(key for key in table.primary_key if key is not columns[0]))
        elif columns[0].nullable:
            present = columns[0].is_not(None)
            Index(None, *columns, postgresql_where=present, sqlite_where=present)
        else:
            Index(None, *columns)


def _is_served(table: Table, columns: list[Column[object]]) -> bool:
    unique = [c.columns for c in table.constraints if isinstance(c, UniqueConstraint)]
    complete = [
        i.columns for i in table.indexes if i.dialect_kwargs.get("postgresql_where") is None
    ]
    return any(
        [column.name for column in served][: len(columns)] == [column.name for column in columns]
        for served in (table.primary_key.columns, *unique, *complete)
    )


def live_unique(*columns: str) -> Index:
    """A unique key over rows that are not softly deleted."""
    live = text("deleted_at IS NULL")
    return Index(None, *columns, unique=True, postgresql_where=live, sqlite_where=live)


def present_unique(*columns: str) -> Index:
    """A unique key over rows that have a value in the last of its columns."""
    present = text(f"{columns[-1]} IS NOT NULL")
    return Index(None, *columns, unique=True, postgresql_where=present, sqlite_where=present)

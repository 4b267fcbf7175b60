"""Refuses bad values on the models, with the rules that the database checks too.

Rules over one column are checked as it is set, rules over several when the object is made with all
of them and before a flush. Values given as SQL expressions are left to the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import event, inspect
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql import ClauseElement

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase, Mapper

    from qadb.models.rules import Rule

_RULES_OVER_SEVERAL: dict[type[DeclarativeBase], tuple[Rule, ...]] = {}
_Model: TypeAlias = "type[DeclarativeBase]"


def watch(model: type[DeclarativeBase], rules: tuple[Rule, ...]) -> None:
    """Check the rules on every object of the model from now on; called once a model."""
    for rule in rules:
        if len(rule.columns) == 1:
            _watch_column(model, rule)
    _RULES_OVER_SEVERAL[model] = tuple(rule for rule in rules if len(rule.columns) > 1)
    for name in ("before_insert", "before_update"):
        event.listen(model, name, _before_flush)


def check_row(row: DeclarativeBase, *, complete: bool) -> None:
    """Check the rules over several columns; raises ValueError.

    With ``complete`` a column that was never set counts as NULL, otherwise its rules wait.
    """
    values = inspect(row).dict
    for rule in _RULES_OVER_SEVERAL.get(type(row), ()):
        if complete or all(column in values for column in rule.columns):
            _check(rule, type(row), tuple(values.get(column) for column in rule.columns))


def _watch_column(model: type[DeclarativeBase], rule: Rule) -> None:
    def on_set(_target: object, value: object, _old: object, _initiator: object) -> None:
        _check(rule, model, (value,))

    event.listen(getattr(model, rule.columns[0]), "set", on_set)


def _before_flush(
    _mapper: Mapper[DeclarativeBase], _connection: object, row: DeclarativeBase
) -> None:
    check_row(row, complete=True)


def _check(rule: Rule, model: type[DeclarativeBase], values: tuple[object, ...]) -> None:
    if any(isinstance(value, ClauseElement | QueryableAttribute) for value in values):
        return
    problem = rule.problem(values)
    if problem is not None:
        raise ValueError(f"{model.__tablename__}.{rule.columns[0]}: {problem}")

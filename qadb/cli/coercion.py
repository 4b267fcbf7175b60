"""Words from the command line become values, without what makes Typer slow to start.

Typer converts values with pydantic, whose import costs as much as Typer itself. Owns the
conversion of the plain types that verbs use; whatever it does not know is left to Typer. It
stands on one private attribute of Typer's parameters: should that change, Typer converts again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, get_args

import typer
from typer.core import TyperArgument, TyperOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typer._click import Context, Parameter  # Typer's own, for signatures only
    from typer._coercion import TypeDescriptor

    TyperParameter: TypeAlias = TyperArgument | TyperOption
    Convert: TypeAlias = Callable[[str], object]

_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)")


def parse_duration(value: str | float) -> float:
    """Parse a duration, for ``typer.Option(parser=parse_duration)``; returns seconds.

    Understands ``30``, ``2s``, ``500ms``, ``1.5h``; a default that is a number stays as it is.

    Raises:
        ValueError: it is none of these.
    """
    if not isinstance(value, str):
        return float(value)
    match = _DURATION.fullmatch(value.strip().lower())
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"{value!r} is no duration; write 30, 2s, 500ms, 5min or 1h.")
    return float(match[1]) * _SECONDS[match[2]]


def convert_lightly(parameters: list[Parameter]) -> list[Parameter]:
    """Make Typer's parameters of plain types convert their values without pydantic."""
    for parameter in parameters:
        if isinstance(parameter, TyperOption | TyperArgument):
            _convert_lightly(parameter)
    return parameters


def _convert_lightly(parameter: TyperParameter) -> None:
    descriptor = parameter.type_descriptor
    kind: object = descriptor.annotation
    if descriptor.is_list:
        kind = get_args(kind)[0]
    is_flag = bool(getattr(parameter, "is_flag", False))
    convert = bool if is_flag else _find_converter(kind, descriptor)
    if convert is not None:
        light = LightConversion(convert, is_list=descriptor.is_list)
        parameter._runtime_param = light  # type: ignore[assignment]  # noqa: SLF001 - see above


@dataclass(frozen=True, slots=True)
class LightConversion:
    """Takes the place of Typer's own conversion of one parameter."""

    convert: Convert
    is_list: bool

    def coerce(self, value: object, param: TyperParameter, ctx: Context) -> object:
        """Convert what was typed, or a default, as Typer calls it.

        Raises:
            typer.BadParameter: the text is no such value.
        """
        if value is None:
            return () if self.is_list else None
        try:
            if isinstance(value, list | tuple):
                return [self.convert(item) for item in value]
            return self.convert(value)  # type: ignore[arg-type]  # a default of the right type
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from error


def _find_converter(kind: object, descriptor: TypeDescriptor) -> Convert | None:
    """Return what converts one value, or None for a type that is left to Typer."""
    info = descriptor.parameter_info
    if info.parser is not None:
        return info.parser
    if descriptor.choices is not None and info.case_sensitive:
        return _choice({_choice_name(choice): choice for choice in descriptor.choices})
    if kind is int or kind is float:
        return None if info.clamp else _number(kind, info.min, info.max)
    plain: Mapping[object, Convert] = {str: str, Path: Path}
    is_checked = info.exists or info.writable or info.resolve_path or not info.dir_okay
    return None if is_checked or not info.file_okay else plain.get(kind)


def _choice_name(choice: object) -> str:
    return str(choice.value if isinstance(choice, Enum) else choice)


def _choice(choices: Mapping[str, object]) -> Convert:
    def convert(text: str) -> object:
        name = _choice_name(text)
        if name not in choices:
            raise ValueError(f"{name!r} is not one of {', '.join(map(repr, choices))}.")
        return choices[name]

    return convert


def _number(kind: type[int] | type[float], lowest: float | None, highest: float | None) -> Convert:
    noun = "a whole number" if kind is int else "a number"

    def convert(text: str) -> object:
        try:
            number = kind(text)
        except ValueError:
            raise ValueError(f"{text!r} is not {noun}.") from None
        if lowest is not None and not number >= lowest:
            raise ValueError(f"{text} is less than {lowest}.")
        if highest is not None and not number <= highest:
            raise ValueError(f"{text} is more than {highest}.")
        return number

    return convert

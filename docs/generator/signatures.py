"""Signatures as a reader wants them: short types, defaults, lines that fit a page."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from functools import cache
from inspect import Parameter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

WIDTH = 96
STARS: Mapping[object, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}

# A repository's rows, and what stands for one of them.
_FOR_ALL = {r"\bM \| object\b": "Row | key", r"\bM\b": "Row"}


def signature(name: str, function: Callable[..., object], *, untyped: Collection[str] = ()) -> str:
    """Return how a function is called, over several lines where one is too long.

    Args:
        name: what it is called by.
        function: the function, or a class for its constructor.
        untyped: arguments whose types are told elsewhere.
    """
    whole = inspect.signature(function)
    parts = list(_parts(whole.parameters, function.__module__, untyped))
    result = "" if inspect.isclass(function) else f" -> {returned(function)}"
    line = f"{name}({', '.join(parts)}){result}"
    return line if len(line) <= WIDTH else f"{name}(\n{_filled(parts)}\n){result}"


def returned(function: Callable[..., object]) -> str:
    """Return the type of what a function returns."""
    return short_type(inspect.signature(function).return_annotation, function.__module__)


def short_type(annotation: object, module: str) -> str:
    """Return a type as text, a module's own names for types resolved."""
    text = str(annotation)
    for name, meaning in _aliases(module).items():
        text = re.sub(rf"\b{name}\b", meaning, text)
    for pattern, words in _FOR_ALL.items():
        text = re.sub(pattern, words, text)
    return text


def _parts(
    parameters: Mapping[str, Parameter], module: str, untyped: Collection[str]
) -> Iterator[str]:
    """Each argument, and the bare star before those that are keywords only."""
    is_starred = False
    for one in parameters.values():
        if one.name == "self":
            continue
        if one.kind is Parameter.KEYWORD_ONLY and not is_starred:
            yield "*"
        is_starred = is_starred or one.kind in (Parameter.KEYWORD_ONLY, Parameter.VAR_POSITIONAL)
        yield _argument(one, module, is_typed=one.name not in untyped)


def _argument(one: Parameter, module: str, *, is_typed: bool) -> str:
    stars = STARS.get(one.kind, "")
    kind = short_type(one.annotation, module)
    has_type = is_typed and kind != "object"  # which says nothing
    words = f"{stars}{one.name}{f': {kind}' if has_type else ''}"
    if one.default is Parameter.empty:
        return words
    default = json.dumps(one.default) if isinstance(one.default, str) else repr(one.default)
    return f"{words} = {default}" if has_type else f"{words}={default}"


def _filled(parts: list[str]) -> str:
    lines = [""]
    for part in parts:
        if lines[-1] and len(f"    {lines[-1]} {part},") > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {part},".lstrip()
    return "\n".join(f"    {line}" for line in lines).removesuffix(",")


@cache
def _aliases(module: str) -> Mapping[str, str]:
    """A module's own names for types, and its names for what it imports under another one."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.ImportFrom):
            found |= {each.asname: each.name for each in node.names if each.asname}
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            meaning = ast.unparse(node.value) if node.value else ""
            found[ast.unparse(node.target)] = meaning.strip("'")
    return found

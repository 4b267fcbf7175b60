"""Loads an engine's adapter by name, and only then its driver."""

from __future__ import annotations

from importlib import import_module
from typing import get_args

from qadb.backends.base import Backend
from qadb.settings.url import EngineName

ENGINES = frozenset(get_args(EngineName))


def load_backend(engine: str) -> Backend:
    """Return the adapter of ``sqlite`` or ``postgresql``.

    Adding an engine is adding a folder ``qadb/backends/<engine>`` whose package has ``backend``.
    """
    backend = import_module(f"qadb.backends.{engine}").backend
    if not isinstance(backend, Backend):
        raise TypeError(f"qadb.backends.{engine}.backend is no Backend")
    return backend

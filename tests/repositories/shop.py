"""A repository of an aggregate's own, as the tests use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import Product
from qadb.repositories.generic.base import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProductRepository(Repository[Product]):
    """How an aggregate's own repository begins."""

    model = Product


def names(rows: Sequence[Product]) -> list[str]:
    return [row.name for row in rows]

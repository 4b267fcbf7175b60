"""What a row breaks is named whichever way it went in, on both engines alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text, update

from qadb.errors import ConflictError
from qadb.models import Application, Feature, Product, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

SHORT = "much too short to be a hash"

# The way, and the table, constraint and values that it must tell.
BROKEN: dict[str, tuple[Callable[[UnitOfWork], object], tuple[object, ...]]] = {
    "a unique key at commit": (
        lambda s: s.add(Application(code="shop", name="again")),
        ("applications", "idx_applications_tenant_id_code", {"tenant_id": "acme", "code": "shop"}),
    ),
    "a foreign key at commit": (
        lambda s: s.add(Feature(title="f", product_id=4711)),
        ("features", "fk_features_product_id", {"product_id": 4711}),
    ),
    "a column without a value": (
        lambda s: s.add(Product()),
        ("products", None, {"name": None}),
    ),
    "a check by INSERT": (
        lambda s: s.execute(insert(Product).values(name="p", status="lost")),
        ("products", "ck_products_status_known", {"status": "lost"}),
    ),
    "a check by UPDATE": (
        lambda s: s.execute(update(Product).values(inventory_quantity=-1)),
        ("products", "ck_products_inventory_quantity_range", {"inventory_quantity": -1}),
    ),
    "a primary key by INSERT": (
        lambda s: s.execute(insert(Product).values(id=1, name="p")),
        ("products", "pk_products", {"id": 1}),
    ),
    "a check on a secret": (
        lambda s: s.execute(insert(User).values(username="eve", password_hash=SHORT)),
        ("users", "ck_users_password_hash_length", {}),
    ),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_rule_is_named(database: Database, way: str) -> None:
    work, expected = BROKEN[way]
    with pytest.raises(ConflictError) as refusal, database.session(tenant="acme") as session:
        work(session)
    error = refusal.value
    assert (error.table, error.constraint, error.values) == expected
    assert f"A row of {error.table} breaks " in error.message
    assert SHORT not in error.message


def test_a_rule_of_a_table_without_a_model_is_told_in_the_engines_words(
    database: Database,
) -> None:
    with database.connect() as connection:
        connection.execute(text("CREATE TABLE mine (x INTEGER, CONSTRAINT only_one CHECK (x = 1))"))
    with pytest.raises(ConflictError, match="only_one"), database.connect() as connection:
        connection.execute(text("INSERT INTO mine (x) VALUES (2)"))

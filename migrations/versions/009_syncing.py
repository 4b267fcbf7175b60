"""Syncing: features and user stories are known by their id in the system they come from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "009"
down_revision: str | None = "008"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = ("features", "user_stories")
MOST_NAMED = 5

REPEATED_FEATURES = """
SELECT product_id, external_id FROM features WHERE external_id IS NOT NULL
GROUP BY product_id, external_id HAVING count(*) > 1 ORDER BY product_id, external_id"""


def upgrade() -> None:
    if not op.get_context().as_sql:
        _refuse_repeated_features()
    if _on_sqlite():
        op.execute(
            "ALTER TABLE user_stories ADD COLUMN external_id VARCHAR(255)"
            " CONSTRAINT ck_user_stories_external_id_length CHECK (length(external_id) <= 255)"
        )
    else:
        op.add_column("user_stories", sa.Column("external_id", sa.String(255)))
    present = sa.text("external_id IS NOT NULL")
    for table in TABLES:
        op.create_index(
            op.f(f"idx_{table}_product_id_external_id"),
            table,
            ["product_id", "external_id"],
            unique=True,
            postgresql_where=present,
            sqlite_where=present,
        )


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(op.f(f"idx_{table}_product_id_external_id"), table)
    op.execute("ALTER TABLE user_stories DROP COLUMN external_id")


def _refuse_repeated_features() -> None:
    """Which of several rows is the true one nobody can tell here, so none is changed."""
    found = op.get_bind().exec_driver_sql(REPEATED_FEATURES).all()
    if found:
        named = [f"{external_id!r} of product {product}" for product, external_id in found]
        more = ", …" if len(named) > MOST_NAMED else ""
        raise ValueError(
            "features holds more than one row with the same external_id in a product:"
            f" {', '.join(named[:MOST_NAMED])}{more}. Give each an id of its own, or NULL."
        )


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"

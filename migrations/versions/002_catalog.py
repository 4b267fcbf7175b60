"""Catalog: applications, environments, hardware, products and what belongs to them."""

from __future__ import annotations

import csv
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

revision: str = "002"
down_revision: str | None = "001"
branch_labels: str | None = None
depends_on: str | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TEXT_LIST = sa.JSON().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")
NOTHING: Mapping[str, Any] = MappingProxyType({})
MONEY = sa.Numeric(10, 2).with_variant(sa.BigInteger(), "sqlite")
SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"
HEXADECIMAL = "0123456789abcdef"
SQLITE_RANDOM_UUID = (
    "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
    " || substr('89AB', (random() & 3) + 1, 1) || substr(hex(randomblob(2)), 2)"
    " || hex(randomblob(6)))"
)

COUNTRIES = Path(__file__).with_name("002_countries.csv")  # code,name of ISO 3166-1, 249 lines

TEST_TYPES = {
    "unit": "Unit",
    "integration": "Integration",
    "contract": "Contract",
    "api": "API",
    "ui": "User interface",
    "end_to_end": "End to end",
    "system": "System",
    "acceptance": "Acceptance",
    "regression": "Regression",
    "smoke": "Smoke",
    "performance": "Performance",
    "load": "Load",
    "security": "Security",
    "accessibility": "Accessibility",
    "usability": "Usability",
    "compatibility": "Compatibility",
    "exploratory": "Exploratory",
}

OWNERS = {
    "tenant_id": ("tenants.id", "RESTRICT"),
    "created_by": ("users.id", "SET NULL"),
    "updated_by": ("users.id", "SET NULL"),
}
OF_TENANT = {"tenant_id": ("tenants.id", "RESTRICT")}

# What an engine's types take and the columns must not hold: no moment, no number, no text.
UTC_ON_SQLITE = (
    "{0} GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
    " AND date(substr({0}, 1, 19), '+0 days') IS substr({0}, 1, 10) AND {0} > '0001'"
)
UTC_ON_POSTGRESQL = (
    "{0} >= timestamp '0001-01-01' AT TIME ZONE 'UTC'"
    " AND {0} < timestamp '10000-01-01' AT TIME ZONE 'UTC'"
)
WHOLE = "typeof({0}) IN ('integer', 'null')"
LIST_ON_SQLITE = "{0} IS NULL OR json_valid({0}) AND json_type({0}) = 'array'"
LIST_ON_POSTGRESQL = "array_ndims({0}) = 1 AND array_position({0}, NULL) IS NULL"
BITS = {sa.SmallInteger: 16, sa.Integer: 32, sa.BigInteger: 64}


def upgrade() -> None:
    _create_countries()
    _create_test_types()
    _create_applications()
    _create_hardware_configs()
    _create_environments()
    _create_products()
    _create_features()
    _create_user_stories()
    _create_orders()


def downgrade() -> None:
    for table in ("orders", "user_stories", "features", "products", "environments"):
        op.drop_table(table)
    for table in ("hardware_configs", "applications", "test_types", "countries"):
        op.drop_table(table)


def _create_countries() -> None:
    _create_table(
        "countries",
        _text("code", 2, required=True),
        _text("name", 100, required=True),
        key=("code",),
        checks={"code_shape": "length(code) = 2 AND trim(code, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') = ''"},
    )
    with COUNTRIES.open(encoding="utf-8", newline="") as lines:
        _insert("countries", ("code", "name"), csv.reader(lines))


def _create_test_types() -> None:
    code, name = _text("code", 50, required=True), _text("name", 100, required=True)
    _create_table("test_types", _id(), code, name, unique=[("code",)])
    _insert("test_types", ("code", "name"), TEST_TYPES.items())


def _create_applications() -> None:
    _create_table(
        "applications",
        _id(),
        _tenant(),
        _text("code", 100, required=True),
        _text("name", 255, required=True),
        _text("description"),
        _flag("is_active", default=True),
        *_authors_and_times(),
        references=OWNERS,
    )
    _index("applications", "tenant_id", "code", unique=True, where="deleted_at IS NULL")
    _index("applications", "tenant_id", "id")
    _index_present("applications", "created_by", "updated_by")


def _create_hardware_configs() -> None:
    _create_table(
        "hardware_configs",
        _id(),
        _tenant(),
        _text("name", 255, required=True),
        _text("architecture", 50),
        _text("cpu_model", 255),
        sa.Column("memory_mb", sa.Integer()),
        sa.Column("storage_gb", sa.Integer()),
        _flag("is_virtual"),
        sa.Column("peripherals", DOCUMENT),
        _now("created_at"),
        _now("updated_at"),
        references=OF_TENANT,
        checks={"memory_mb_range": "memory_mb > 0", "storage_gb_range": "storage_gb > 0"},
    )
    _index("hardware_configs", "tenant_id", "id")


def _create_environments() -> None:
    _create_table(
        "environments",
        _id(),
        _tenant(),
        _text("name", 255, required=True),
        _text("kind", 20, required=True, default="ci"),
        _text("base_url"),
        _text("status", 20, required=True, default="available"),
        sa.Column("last_used_at", MOMENT),
        sa.Column("hardware_config_id", KEY),
        *_authors_and_times(),
        references={**OWNERS, "hardware_config_id": ("hardware_configs.id", "SET NULL")},
        checks={
            "kind_known": "kind IN ('local', 'ci', 'dev', 'staging', 'production')",
            "status_known": "status IN ('available', 'busy', 'offline', 'retired')",
        },
    )
    _index("environments", "tenant_id", "name", unique=True, where="deleted_at IS NULL")
    _index("environments", "tenant_id", "id")
    _index("environments", "status", "last_used_at")
    _index_present("environments", "hardware_config_id", "created_by", "updated_by")


def _create_products() -> None:
    _create_table(
        "products",
        _id(),
        _tenant(),
        _text("external_id", 255),
        _text("sku", 100),
        _text("name", 255, required=True),
        _text("description"),
        _text("category", 100),
        sa.Column("price", MONEY),
        _count("inventory_quantity"),
        _text("status", 20, required=True, default="draft"),
        sa.Column("tags", TEXT_LIST),
        sa.Column("extra_data", DOCUMENT),
        *_authors_and_times(),
        references=OWNERS,
        checks={
            "price_range": "price >= 0",
            "inventory_quantity_range": "inventory_quantity >= 0",
            "status_known": "status IN ('draft', 'published', 'archived')",
        },
    )
    _index("products", "tenant_id", "sku", unique=True, where="deleted_at IS NULL")
    _index("products", "tenant_id", "id")
    _index_present("products", "created_by", "updated_by")


def _create_features() -> None:
    _create_table(
        "features",
        _id(),
        _tenant(),
        sa.Column("product_id", KEY, nullable=False),
        _text("external_id", 255),
        _text("section_id", 255),
        _text("section_name", 255),
        _text("title", required=True),
        _text("description"),
        _now("created_at"),
        _now("updated_at"),
        references={**OF_TENANT, "product_id": ("products.id", "CASCADE")},
    )
    _index("features", "product_id")
    _index("features", "section_id")
    _index("features", "tenant_id", "id")


def _create_user_stories() -> None:
    _create_table(
        "user_stories",
        _id(),
        _tenant(),
        sa.Column("product_id", KEY, nullable=False),
        sa.Column("feature_id", KEY),
        _text("section_id", 255),
        _text("title", required=True),
        _text("requirements"),
        _now("created_at"),
        _now("updated_at"),
        references={
            **OF_TENANT,
            "product_id": ("products.id", "CASCADE"),
            "feature_id": ("features.id", "SET NULL"),
        },
    )
    _index("user_stories", "product_id")
    _index("user_stories", "section_id")
    _index_present("user_stories", "feature_id")
    _index("user_stories", "tenant_id", "id")


def _create_orders() -> None:
    random_uuid = sa.text(f"({SQLITE_RANDOM_UUID})" if _on_sqlite() else "gen_random_uuid()")
    _create_table(
        "orders",
        sa.Column("id", sa.Uuid(), server_default=random_uuid, nullable=False),
        _tenant(),
        _text("order_number", 50, required=True),
        sa.Column("user_id", KEY),
        _text("status", 20, required=True, default="pending"),
        sa.Column("subtotal", MONEY, server_default=sa.text("0"), nullable=False),
        sa.Column("total_price", MONEY, server_default=sa.text("0"), nullable=False),
        sa.Column("items", DOCUMENT),
        sa.Column("extra_data", DOCUMENT),
        _now("created_at"),
        _now("updated_at"),
        unique=[("tenant_id", "order_number")],
        references={**OF_TENANT, "user_id": ("users.id", "SET NULL")},
        checks={
            "status_known": "status IN ('pending', 'processing', 'completed', 'cancelled')",
            "subtotal_range": "subtotal >= 0",
            "total_price_range": "total_price >= 0",
        },
    )
    _index("orders", "tenant_id", "created_at")
    _index_present("orders", "user_id")


# What every table needs. Revisions are history, so each keeps a copy of its own.


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _id() -> sa.Column[int]:
    return sa.Column("id", KEY, sa.Identity(), nullable=False)


def _text(
    name: str, length: int | None = None, *, required: bool = False, default: str | None = None
) -> sa.Column[str]:
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, server_default=default, nullable=not required)


def _tenant() -> sa.Column[str]:
    return _text("tenant_id", 50, required=True, default="default")


def _count(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text(str(default)), nullable=False)


def _flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    value = sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean(), server_default=value, nullable=False)


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text(f"({SQLITE_NOW})" if _on_sqlite() else "now()")
    return sa.Column(name, MOMENT, server_default=now, nullable=False)


def _create_table(
    table: str,
    *columns: sa.Column[Any],
    key: Sequence[str] = ("id",),
    unique: Sequence[Sequence[str]] = (),
    references: Mapping[str, tuple[str, str]] = NOTHING,
    checks: Mapping[str, str] = NOTHING,
    autoincrement: bool = False,
) -> None:
    forms = _forms(columns, {*references}, {*checks})
    conditions = {**checks, **forms}
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        *(sa.UniqueConstraint(*own, name=op.f(f"uq_{table}_{'_'.join(own)}")) for own in unique),
        *(
            sa.ForeignKeyConstraint([own], [other], name=op.f(f"fk_{table}_{own}"), ondelete=action)
            for own, (other, action) in references.items()
        ),
        *(sa.CheckConstraint(sql, op.f(f"ck_{table}_{part}")) for part, sql in conditions.items()),
        sqlite_autoincrement=autoincrement,
    )
    if "updated_at" in [column.name for column in columns]:
        _keep_updated_at(table)
    for column in columns:
        if column.type is TEXT_LIST:
            _watch_list(table, column.name)


def _forms(
    columns: Sequence[sa.Column[Any]], references: set[str], checks: set[str]
) -> dict[str, str]:
    """CHECKs for what the engine's types let through; foreign keys hold what their parents hold."""
    forms = {}
    for column in columns:
        name = column.name
        suffix, on_sqlite, on_postgresql = _form(column.type)
        has_own = name in references or checks & {
            f"{name}_{p}" for p in ("known", "length", "shape")
        }
        sql = on_sqlite if _on_sqlite() else on_postgresql
        if sql and not (has_own and suffix in {"length", "integer"}):
            forms[f"{name}_{suffix}"] = sql.format(name)
    return forms


def _form(kind: sa.types.TypeEngine[Any]) -> tuple[str, str, str]:  # noqa: PLR0911 - one a type
    """Return how the CHECK's name ends, and its SQL on SQLite and on PostgreSQL, if any."""
    if kind is MOMENT:
        return "utc", UTC_ON_SQLITE, UTC_ON_POSTGRESQL
    if kind is TEXT_LIST:
        return "list", LIST_ON_SQLITE, LIST_ON_POSTGRESQL
    if kind is DOCUMENT:
        return "json", "{0} IS NULL OR json_valid({0})", ""
    if isinstance(kind, sa.Boolean):
        return "boolean", "{0} IN (0, 1)", ""
    if isinstance(kind, sa.Numeric) and kind.precision:
        highest = 10**kind.precision - 1
        return "exact", f"{WHOLE} AND {{0}} BETWEEN {-highest} AND {highest}", "{0} <> 'NaN'"
    if isinstance(kind, sa.Uuid):
        digits = f"length({{0}}) = 32 AND trim({{0}}, '{HEXADECIMAL}') = ''"
        return "uuid", digits, ""
    if isinstance(kind, sa.Integer) and kind is not KEY:
        return "integer", _between(2 ** (BITS[type(kind)] - 1)), ""
    if isinstance(kind, sa.String) and kind.length is not None:
        return "length", f"length({{0}}) <= {kind.length}", ""
    return "", "", ""


def _between(limit: int) -> str:
    """Whole numbers of a range; SQLite's own integers end where bigint does."""
    return WHOLE if limit == 2**63 else f"{WHOLE} AND {{0}} BETWEEN {-limit} AND {limit - 1}"


def _watch_list(table: str, column: str) -> None:
    """SQLite's lists are JSON, and no CHECK may look at what stands in one."""
    if not _on_sqlite():
        return
    has_other = f"EXISTS (SELECT 1 FROM json_each(NEW.{column}) WHERE type <> 'text')"  # noqa: S608 - names above
    refusal = f"CHECK constraint failed: ck_{table}_{column}_list"
    for name, event in (("insert", "INSERT"), ("update", f"UPDATE OF {column}")):
        op.execute(
            f"CREATE TRIGGER trg_{table}_{column}_{name} AFTER {event} ON {table} FOR EACH ROW"
            f" WHEN NEW.{column} IS NOT NULL AND {has_other}"
            f" BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def _keep_updated_at(table: str) -> None:
    if _on_sqlite():
        op.execute(
            f"CREATE TRIGGER trg_{table}_updated_at AFTER UPDATE ON {table} FOR EACH ROW"  # noqa: S608 - names above
            f" WHEN NEW.updated_at IS OLD.updated_at AND NEW.updated_at IS NOT {SQLITE_NOW}"
            f" BEGIN UPDATE {table} SET updated_at = {SQLITE_NOW} WHERE id = NEW.id; END"
        )
    else:
        op.execute(
            f"CREATE TRIGGER trg_{table}_updated_at BEFORE UPDATE ON {table} FOR EACH ROW"
            " WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at)"
            " EXECUTE FUNCTION qadb_set_updated_at()"
        )


def _index(table: str, *columns: str, unique: bool = False, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        op.f(f"idx_{table}_{'_'.join(columns)}"),
        table,
        list(columns),
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )


def _index_present(table: str, *columns: str) -> None:
    for column in columns:
        _index(table, column, where=f"{column} IS NOT NULL")


def _authors_and_times() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("created_by", KEY),
        sa.Column("updated_by", KEY),
        sa.Column("deleted_at", MOMENT),
        _now("created_at"),
        _now("updated_at"),
    )


def _insert(table: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    target = sa.table(table, *(sa.column(name, sa.String()) for name in columns))
    op.bulk_insert(target, [dict(zip(columns, row, strict=True)) for row in rows])

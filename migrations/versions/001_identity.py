"""Identity: tenants, users, what they may do, and the audit log."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

revision: str = "001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NOTHING: Mapping[str, Any] = MappingProxyType({})
SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"

READING = ("runs.read", "cases.read", "bugs.read", "catalog.read", "stats.read")
KEEPING = ("cases.write", "bugs.write")
OPERATING = ("runs.write", "runs.delete", "catalog.write", "holds.manage", "maintenance.run")
ADMINISTERING = ("users.read", "users.manage", "audit.read", "tenants.manage")

PERMISSIONS = {
    "runs.read": "See runs and their results",
    "runs.write": "Load reports, start and finish runs",
    "runs.delete": "Delete runs and their results",
    "cases.read": "See test cases",
    "cases.write": "Create and change test cases",
    "bugs.read": "See bugs",
    "bugs.write": "Create and change bugs",
    "catalog.read": "See applications, environments, products and what belongs to them",
    "catalog.write": "Create and change applications, environments, products and their parts",
    "stats.read": "See statistics",
    "holds.manage": "Place holds that keep data from cleanup, and release them",
    "users.read": "See users and their roles",
    "users.manage": "Create, change and lock users, and give them roles",
    "audit.read": "See the audit log",
    "maintenance.run": "Migrate, clean up, back up and restore",
    "tenants.manage": "Create and change tenants",
}

ROLES = {
    "admin": ("Everything", (*READING, *KEEPING, *OPERATING, *ADMINISTERING)),
    "analyst": ("Reads test data, keeps test cases and bugs", (*READING, *KEEPING)),
    "operator": ("Loads reports, keeps the catalog, runs it all", (*READING, *KEEPING, *OPERATING)),
    "viewer": ("Reads test data; a new user's role", READING),
}

UPDATED_AT_FUNCTION = """\
CREATE FUNCTION qadb_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$"""

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
BITS = {sa.SmallInteger: 16, sa.Integer: 32, sa.BigInteger: 64}


def upgrade() -> None:
    if not _on_sqlite():
        op.execute(UPDATED_AT_FUNCTION)
    _create_tenants()
    _create_roles()
    _create_users()
    _create_audit_logs()
    _insert_reference_data()


def downgrade() -> None:
    for table in ("audit_logs", "users", "role_permissions", "permissions", "roles", "tenants"):
        op.drop_table(table)
    if not _on_sqlite():
        op.execute("DROP FUNCTION qadb_set_updated_at()")


def _create_tenants() -> None:
    slug = "trim(id, 'abcdefghijklmnopqrstuvwxyz0123456789_-') = ''"
    _create_table(
        "tenants",
        _text("id", 50, required=True),
        _text("name", 255, required=True),
        _flag("is_active", default=True),
        _now("created_at"),
        _now("updated_at"),
        checks={"id_shape": f"length(id) BETWEEN 1 AND 50 AND {slug}"},
    )


def _create_roles() -> None:
    name, code = _text("name", 50, required=True), _text("code", 100, required=True)
    _create_table("roles", _id(), name, _text("description"), unique=[("name",)])
    _create_table("permissions", _id(), code, _text("description"), unique=[("code",)])
    _create_table(
        "role_permissions",
        sa.Column("role_id", KEY, nullable=False),
        sa.Column("permission_id", KEY, nullable=False),
        key=("role_id", "permission_id"),
        references={
            "role_id": ("roles.id", "CASCADE"),
            "permission_id": ("permissions.id", "CASCADE"),
        },
    )
    _index("role_permissions", "permission_id")


def _create_users() -> None:
    _create_table(
        "users",
        _id(),
        _tenant(),
        _text("username", 50, required=True),
        _text("email", 255),
        _text("first_name", 100),
        _text("last_name", 100),
        _text("full_name", 100),
        _text("password_hash", 255),
        sa.Column("role_id", KEY, nullable=False),
        _flag("is_active", default=True),
        _flag("is_verified"),
        _flag("is_locked"),
        _count("failed_login_attempts"),
        sa.Column("last_login_attempt", MOMENT),
        sa.Column("password_changed_at", MOMENT),
        _text("api_key_hash", 255),
        _count("session_timeout_minutes", 480),
        sa.Column("telegram_id", sa.BigInteger()),
        sa.Column("preferences", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_by", KEY),
        sa.Column("updated_by", KEY),
        sa.Column("deleted_at", MOMENT),
        _now("created_at"),
        _now("updated_at"),
        references={
            "tenant_id": ("tenants.id", "RESTRICT"),
            "role_id": ("roles.id", "RESTRICT"),
            "created_by": ("users.id", "SET NULL"),
            "updated_by": ("users.id", "SET NULL"),
        },
        checks={
            "username_length": "length(username) BETWEEN 3 AND 50",
            "email_shape": "email LIKE '%_@_%._%' AND email NOT LIKE '% %'",
            "first_name_length": "length(first_name) BETWEEN 1 AND 100",
            "last_name_length": "length(last_name) BETWEEN 1 AND 100",
            "full_name_length": "length(full_name) BETWEEN 1 AND 100",
            "password_hash_length": "length(password_hash) BETWEEN 60 AND 255",
            "failed_login_attempts_range": "failed_login_attempts >= 0",
            "session_timeout_minutes_range": "session_timeout_minutes > 0",
        },
        autoincrement=True,
    )
    for column in ("username", "email", "telegram_id"):
        _index("users", "tenant_id", column, unique=True, where="deleted_at IS NULL")
    _index("users", "tenant_id", "id")
    _index("users", "role_id")
    _index_present("users", "created_by", "updated_by")


def _create_audit_logs() -> None:
    _create_table(
        "audit_logs",
        _id(),
        _tenant(),
        sa.Column("user_id", sa.BigInteger()),
        _text("table_name", 100, required=True),
        _text("record_id", 255, required=True),
        _text("action_type", 10, required=True),
        sa.Column("old_values", DOCUMENT),
        sa.Column("new_values", DOCUMENT),
        _text("ip_address", 45),
        _text("user_agent"),
        _text("session_id", 255),
        _now("created_at"),
        _now("updated_at"),
        checks={"action_type_known": "action_type IN ('INSERT', 'UPDATE', 'DELETE')"},
        autoincrement=True,
    )
    _index("audit_logs", "tenant_id", "created_at")
    _index("audit_logs", "table_name", "record_id")
    _index("audit_logs", "user_id", "created_at")


def _insert_reference_data() -> None:
    _insert("tenants", ("id", "name"), [("default", "Default")])
    _insert("permissions", ("code", "description"), PERMISSIONS.items())
    _insert("roles", ("name", "description"), [(name, text) for name, (text, _) in ROLES.items()])
    for name, (_, codes) in ROLES.items():
        listed = ", ".join(f"'{code}'" for code in codes)
        op.execute(
            "INSERT INTO role_permissions (role_id, permission_id)"  # noqa: S608 - constants above
            " SELECT roles.id, permissions.id FROM roles CROSS JOIN permissions"
            f" WHERE roles.name = '{name}' AND permissions.code IN ({listed})"
        )


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


def _form(kind: sa.types.TypeEngine[Any]) -> tuple[str, str, str]:
    """Return how the CHECK's name ends, and its SQL on SQLite and on PostgreSQL, if any."""
    if kind is MOMENT:
        return "utc", UTC_ON_SQLITE, UTC_ON_POSTGRESQL
    if kind is DOCUMENT:
        return "json", "{0} IS NULL OR json_valid({0})", ""
    if isinstance(kind, sa.Boolean):
        return "boolean", "{0} IN (0, 1)", ""
    if isinstance(kind, sa.Integer) and kind is not KEY:
        return "integer", _between(2 ** (BITS[type(kind)] - 1)), ""
    if isinstance(kind, sa.String) and kind.length is not None:
        return "length", f"length({{0}}) <= {kind.length}", ""
    return "", "", ""


def _between(limit: int) -> str:
    """Whole numbers of a range; SQLite's own integers end where bigint does."""
    return WHOLE if limit == 2**63 else f"{WHOLE} AND {{0}} BETWEEN {-limit} AND {limit - 1}"


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


def _insert(table: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    target = sa.table(table, *(sa.column(name, sa.String()) for name in columns))
    op.bulk_insert(target, [dict(zip(columns, row, strict=True)) for row in rows])

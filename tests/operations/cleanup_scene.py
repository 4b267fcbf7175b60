"""A database with something of every kind that cleanup meets, and what should be left of it.

What should go is worked out here once more, row by row in plain Python over all that the tables
hold, by nothing but the words of the README.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from sqlalchemy import insert, select, update

from qadb.models import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from qadb.database import Database

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FOLLOWERS = (
    "failure_analyses",
    "test_results",
    "coverage_data",
    "performance_results",
    "ingest_files",
)
SOFT = (
    "bugs",
    "notes",
    "events",
    "test_cases",
    "environments",
    "products",
    "applications",
    "users",
)
DAYS = {
    "message_history": ("created_at", 90),
    "tool_executions": ("created_at", 90),
    "agent_executions": ("created_at", 90),
    "llm_round_table_results": ("created_at", 90),
    "security_issues": ("fixed_at", 180),
    "test_runs": ("started_at", 180),
    "audit_logs": ("created_at", 730),
}

Rows: TypeAlias = dict[str, list[dict[str, Any]]]
Keys: TypeAlias = dict[str, set[tuple[object, ...]]]


def ago(days: float) -> datetime:
    """So many days before the present of the scene."""
    return NOW - timedelta(days=days)


class Scene:
    """Fills a database at the newest revision."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, table: str, **values: object) -> None:
        """Insert one row."""
        self._connection.execute(insert(metadata.tables[table]).values(values))

    def fill(self) -> None:
        """Make everything."""
        self.add("tenants", id="acme", name="Acme")
        self.add("roles", id=90, name="tester")
        self._people_and_places()
        for number in range(1, 41):
            self._run(number)
        self._promises()
        self._small_ones()

    def _people_and_places(self) -> None:
        for key, creator, deleted in ((1, None, None), (2, None, 40), (3, 2, 40), (4, None, 40)):
            self.add(
                "users",
                id=key,
                username=f"user{key}",
                full_name="Somebody",
                role_id=90,
                created_by=creator,
                deleted_at=None if deleted is None else ago(deleted),
            )
        users = metadata.tables["users"]
        self._connection.execute(update(users).where(users.c.id == 2).values(created_by=3))
        for key, code, tenant, deleted in (
            (1, "shop", "default", None),
            (2, "pay", "default", None),
            (3, "web", "acme", None),
            (4, "gone", "default", 31),
            (5, "lately", "default", 29),
        ):
            self.add(
                "applications",
                id=key,
                code=code,
                name=code,
                tenant_id=tenant,
                deleted_at=None if deleted is None else ago(deleted),
                created_by=4 if key == 1 else None,  # keeps the user
            )
        self.add("environments", id=1, name="ci")
        self.add("environments", id=2, name="old", deleted_at=ago(99))
        self.add("test_cases", id=1, case_key="live", name="live")
        self.add("test_cases", id=2, case_key="used", name="used", deleted_at=ago(60))
        self.add("test_cases", id=3, case_key="unused", name="unused", deleted_at=ago(60))
        self.add("test_cases", id=4, case_key="by a bug", name="by a bug", deleted_at=ago(60))
        self.add("products", id=1, name="Shop")
        self.add("features", id=1, product_id=1, title="Pay")
        self.add("test_case_features", test_case_id=3, feature_id=1)

    def _run(self, number: int) -> None:
        """Every fourth is another tenant's; ages from 5 days to 400."""
        application = 3 if number % 4 == 0 else 1 + number % 2
        tenant = "acme" if application == 3 else "default"
        self.add(
            "test_runs",
            id=number,
            run_key=f"r{number}",
            tenant_id=tenant,
            application_id=application,
            environment_id=None if number % 3 else 1,
            started_at=ago(405 - 10 * number),
            status="completed",
            is_protected=number == 2,
        )
        for case in (1, 2):
            self.add(
                "test_results",
                run_id=number,
                test_case_id=case,
                tenant_id=tenant,
                status="failed" if case == 2 else "passed",
                signature="s" if case == 2 else None,
                duration_ms=number,
                message="é\n" * case,
            )
        self.add("coverage_data", run_id=number, tenant_id=tenant, total_lines=number)
        self.add("performance_results", run_id=number, request_name="get", tenant_id=tenant)
        self.add(
            "ingest_files",
            run_id=number,
            sha256=f"{number:064x}",
            file_name="r.xml",
            bytes=1,
            format="junit",
            tenant_id=tenant,
            warnings=["a", {"b": number}],
        )

    def _promises(self) -> None:
        """What keeps runs: each of 2 to 8 and 12 for a reason of its own; 9 to 11 for none."""
        self.add("performance_baselines", application_id=1, metric="p95", value=1, run_id=3)
        for run, status, deleted in ((5, "open", None), (9, "fixed", None), (10, "open", 40)):
            self.add(
                "bugs",
                run_id=run,
                title="t",
                status=status,
                test_case_id=4 if run == 10 else None,
                deleted_at=None if deleted is None else ago(deleted),
            )
        for run, cause in ((6, None), (7, ""), (11, "the clock")):
            self.add(
                "failure_analyses",
                run_id=run,
                test_case_id=2,
                root_cause=cause,
                tenant_id="default",
            )
        self.add("holds", scope="run", scope_id="8", reason="court", tenant_id="acme")
        self.add("holds", scope="run", scope_id="r12", reason="court", tenant_id="acme")
        self.add("holds", scope="run", scope_id="r13", reason="court", tenant_id="acme")
        self.add(
            "holds",
            scope="run",
            scope_id="14",
            reason="over",
            placed_at=ago(9),
            released_at=ago(1),
        )

    def _small_ones(self) -> None:
        for key, status, fixed in ((1, "fixed", 200), (2, "fixed", 100), (3, "open", None)):
            self.add(
                "security_issues",
                id=key,
                fingerprint=f"f{key}",
                status=status,
                first_seen_at=ago(900),
                last_seen_at=ago(800),
                fixed_at=None if fixed is None else ago(fixed),
            )
        ages = (10, 89, 91, 500)
        for number, days in enumerate(ages, 1):
            self.add(
                "agent_executions",
                id=UUID(int=number),
                execution_id=f"e{number}",
                agent_name="a",
                prompt="p",
                status="completed",
                created_at=ago(days),
            )
        for number, days in enumerate(ages, 1):
            self._small_ones_of(number, ago(days))
        for days in (700, 731, 900):
            values = {"table_name": "x", "record_id": "1", "action_type": "DELETE"}
            self.add("audit_logs", **values, created_at=ago(days))

    def _small_ones_of(self, number: int, moment: datetime) -> None:
        key = UUID(int=number)
        self.add(
            "tool_executions",
            id=key,
            correlation_id="c",
            tool_name="t",
            agent_id=UUID(int=5 - number),
            status="success",
            created_at=moment,
        )
        self.add(
            "llm_round_table_results",
            id=key,
            result_id=f"r{number}",
            task_category="c",
            prompt="p",
            created_at=moment,
        )
        values = {"id": number, "user_id": 1}
        self.add("conversations", **values, session_id=f"s{number}", last_activity_at=moment)
        self.add(
            "message_history",
            **values,
            conversation_id=number,
            user_message="hi",
            created_at=moment,
        )


def fill(database: Database) -> None:
    """Make the scene in one transaction."""
    with database.connect() as connection:
        Scene(connection).fill()


def read_all(database: Database) -> Rows:
    """Every row of every table."""
    with database.connect(read_only=True) as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
        }


def key_of(table: str, row: dict[str, Any]) -> tuple[object, ...]:
    """A row's key."""
    return tuple(row[column.name] for column in metadata.tables[table].primary_key)


def keys_of(rows: Rows) -> Keys:
    """The keys of every table."""
    return {table: {key_of(table, row) for row in found} for table, found in rows.items()}


def expected_to_go(rows: Rows, days: int = 180) -> Keys:
    """What a cleanup at `NOW` should delete, by table."""
    going: Keys = {table: set() for table in rows}
    for table, (column, limit) in DAYS.items():
        cutoff = ago(days if table == "test_runs" else limit)
        for row in rows[table]:
            is_old = row[column] is not None and row[column] < cutoff
            if is_old and (table != "security_issues" or row["status"] == "fixed"):
                going[table].add(key_of(table, row))
    going["test_runs"] -= {(run,) for run in kept_runs(rows)}
    for table in FOLLOWERS:
        going[table] = {
            key_of(table, row) for row in rows[table] if (row["run_id"],) in going["test_runs"]
        }
    _let_unreferenced_go(rows, going)
    return going


def kept_runs(rows: Rows) -> set[int]:
    """Runs that something keeps, however old."""
    kept = {row["id"] for row in rows["test_runs"] if row["is_protected"]}
    kept |= {row["run_id"] for row in rows["performance_baselines"]}
    kept |= {
        row["run_id"]
        for row in rows["bugs"]
        if row["status"] not in ("fixed", "rejected") and row["deleted_at"] is None
    }
    kept |= {row["run_id"] for row in rows["failure_analyses"] if not row["root_cause"]}
    for hold in rows["holds"]:
        for row in rows["test_runs"]:
            names = {
                "run": {str(row["id"])}
                | ({row["run_key"]} if row["tenant_id"] == hold["tenant_id"] else set()),
                "application": {str(row["application_id"])},
                "tenant": {row["tenant_id"]},
            }
            if hold["released_at"] is None and hold["scope_id"] in names[hold["scope"]]:
                kept.add(row["id"])
    return kept


def _let_unreferenced_go(rows: Rows, going: Keys) -> None:
    for table in SOFT:
        for row in rows[table]:
            if row["deleted_at"] is not None and row["deleted_at"] < ago(30):
                going[table].add(key_of(table, row))
    has_changed = True
    while has_changed:
        has_changed = False
        for child, parent, key in _references(rows):
            is_kept = child[0] not in SOFT or child[1] not in going[child[0]]
            if is_kept and parent in SOFT and key in going[parent]:
                going[parent].remove(key)
                has_changed = True
    going["test_case_features"] = {
        key_of("test_case_features", row)
        for row in rows["test_case_features"]
        if (row["test_case_id"],) in going["test_cases"]
    }


def _references(
    rows: Rows,
) -> Iterator[tuple[tuple[str, tuple[object, ...]], str, tuple[object, ...]]]:
    """Every reference: the table and key of what refers, the table and key referred to."""
    for table in metadata.sorted_tables:
        if table.name == "test_case_features":
            continue
        for constraint in table.foreign_key_constraints:
            for row in rows[table.name]:
                key = tuple(row[name] for name in constraint.column_keys)
                yield (table.name, key_of(table.name, row)), constraint.referred_table.name, key

"""Values: each column takes on both engines what can be read back from it, and no more.

SQLite can't add a CHECK, so its tables are made anew around their rows, with everything that hangs
on them; row ids and the numbers already given stay. A database with rows that break a rule is left
as it is. Triggers see a row's id change under any of its names; runs get their duration.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alembic.script import ScriptDirectory


revision: str = "011"
down_revision: str | None = "010"
branch_labels: str | None = None
depends_on: str | None = None

MOST_NAMED = 5

# table: its columns that hold moments.
MOMENTS = {
    "agent_executions": "created_at updated_at",
    "applications": "deleted_at created_at updated_at",
    "audit_logs": "created_at updated_at",
    "bugs": "reported_at resolved_at deleted_at created_at updated_at",
    "code_analyses": "analyzed_at created_at updated_at",
    "conversations": "last_activity_at created_at updated_at",
    "coverage_data": "collected_at created_at updated_at",
    "environments": "last_used_at deleted_at created_at updated_at",
    "events": "starts_at ends_at deleted_at created_at updated_at",
    "failure_analyses": "created_at updated_at",
    "features": "created_at updated_at",
    "hardware_configs": "created_at updated_at",
    "holds": "placed_at released_at created_at updated_at",
    "ingest_files": "created_at updated_at",
    "llm_round_table_results": "created_at updated_at",
    "message_history": "created_at updated_at",
    "notes": "deleted_at created_at updated_at",
    "orders": "created_at updated_at",
    "performance_baselines": "valid_from valid_to created_at updated_at",
    "performance_results": "created_at updated_at",
    "products": "deleted_at created_at updated_at",
    "rag_documents": "created_at updated_at",
    "security_issues": "first_seen_at last_seen_at fixed_at created_at updated_at",
    "slas": "created_at updated_at",
    "sync_events": "started_at completed_at created_at updated_at",
    "tenants": "created_at updated_at",
    "test_cases": "first_seen_at last_seen_at deleted_at created_at updated_at",
    "test_results": "executed_at",
    "test_runs": "started_at ended_at created_at updated_at",
    "tool_executions": "created_at updated_at",
    "user_stories": "created_at updated_at",
    "users": "last_login_attempt password_changed_at deleted_at created_at updated_at",
}

# table: its whole numbers, the keys aside.
INTEGERS = {
    "agent_executions": "tokens_used",
    "audit_logs": "user_id",
    "coverage_data": """
        covered_lines total_lines covered_branches total_branches covered_functions
        total_functions""",
    "hardware_configs": "memory_mb storage_gb",
    "ingest_files": "bytes rows",
    "performance_results": "total_requests ok_requests ko_requests",
    "products": "inventory_quantity",
    "rag_documents": "chunk_index total_chunks",
    "security_issues": "occurrence line",
    "sync_events": "rows_created rows_updated rows_deleted",
    "test_results": "occurrence attempt",
    "test_runs": "exit_code total passed failed errors skipped",
    "users": "failed_login_attempts session_timeout_minutes telegram_id",
}
BITS = {"attempt": 16, "bytes": 64, "telegram_id": 64, "user_id": 64}  # 32 for all others

# table: its decimals with their digits.
DECIMALS = {
    "agent_executions": {"duration_ms": 12},
    "orders": {"subtotal": 10, "total_price": 10},
    "performance_baselines": {"value": 18, "tolerance_pct": 9},
    "performance_results": dict.fromkeys(
        (
            "mean_response_time_ms",
            "p50_response_time_ms",
            "p95_response_time_ms",
            "p99_response_time_ms",
            "max_response_time_ms",
            "rps_achieved",
        ),
        12,
    ),
    "products": {"price": 10},
    "slas": {"threshold": 18},
    "test_cases": {"timeout_seconds": 12},
    "test_results": {"duration_ms": 12},
    "test_runs": {"duration_seconds": 12},
    "tool_executions": {"duration_ms": 12},
}

# table: its list of text.
LISTS = {
    "code_analyses": "affected_subsystems",
    "failure_analyses": "related_commits",
    "notes": "tags",
    "products": "tags",
    "test_cases": "tags",
}

UTC_BEFORE = "{0} GLOB '????-??-??T??:??:??.??????Z'"
UTC_ON_SQLITE = (
    "{0} GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
    " AND date(substr({0}, 1, 19), '+0 days') IS substr({0}, 1, 10) AND {0} > '0001'"
)
UTC_ON_POSTGRESQL = (
    "{0} >= timestamp '0001-01-01' AT TIME ZONE 'UTC'"
    " AND {0} < timestamp '10000-01-01' AT TIME ZONE 'UTC'"
)
WHOLE = "typeof({0}) IN ('integer', 'null')"
LIST_ON_POSTGRESQL = "array_ndims({0}) = 1 AND array_position({0}, NULL) IS NULL"
NO_TEXT_IN_LIST = "EXISTS (SELECT 1 FROM json_each({0}) WHERE type <> 'text')"

SET_DURATION = """
CREATE FUNCTION qadb_set_duration_seconds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.duration_seconds := extract(epoch FROM NEW.ended_at - NEW.started_at);
  RETURN NEW;
END
$$"""

DURATION_ON_POSTGRESQL = """
CREATE TRIGGER trg_test_runs_duration_seconds
BEFORE INSERT OR UPDATE OF started_at, ended_at, duration_seconds ON test_runs
FOR EACH ROW WHEN (NEW.duration_seconds IS NULL AND NEW.ended_at >= NEW.started_at
  AND NEW.ended_at < NEW.started_at + interval '999999999.9995 seconds')
EXECUTE FUNCTION qadb_set_duration_seconds()"""

ELAPSED = """
((strftime('%s', substr(ended_at, 1, 19)) - strftime('%s', substr(started_at, 1, 19))) * 1000000
      + substr(ended_at, 21, 6) - substr(started_at, 21, 6) + 500) / 1000"""

# name: when it fires, and what else holds where `updated_at` goes back to what was stated.
DURATION_ON_SQLITE = {
    "insert": ("INSERT", ""),
    "update": (
        "UPDATE OF started_at, ended_at, duration_seconds",
        "AND NEW.updated_at <> OLD.updated_at",
    ),
}

# What sees an id change, and the two that take its place: UPDATE OF id misses SET rowid.
SPLIT = {
    "replacing_update": ("replacing_update", "replacing_move"),
    "audit_replacing": ("audit_replacing_update", "audit_replacing_move"),
    "audit_update": ("audit_update", "audit_move"),
}
SEES_UPDATE = re.compile(
    r"CREATE TRIGGER trg_(?P<table>\w+?)_(?P<name>(?:replacing|audit|search)_\w+)"
    r" (?P<moment>BEFORE|AFTER) UPDATE(?: OF (?P<columns>[\w, ]+?))? ON \w+ FOR EACH ROW\s+"
    r"(?:WHEN NEW\.id (?:=|<>) OLD\.id\s+)?(?P<body>BEGIN.*)",
    re.DOTALL,
)


class Check(NamedTuple):
    """A CHECK of a column; ``before`` is what it was, if it was there."""

    column: str
    name: str
    sql: str
    before: str | None


class Built(NamedTuple):
    """A table of SQLite as it stands: its own SQL, its columns, and that of what hangs on it."""

    sql: str
    columns: tuple[str, ...]
    indexes: tuple[str, ...]
    triggers: tuple[str, ...]


def upgrade() -> None:
    if _on_sqlite():
        with _rebuilding("010") as tables:
            for table in MOMENTS:
                with _naming_broken_rows():
                    _rebuild_upwards(table, tables[table])
            _refuse_other_members()
            for table, column in LISTS.items():
                _watch_list(table, column)
            for name in DURATION_ON_SQLITE:
                op.execute(_duration_trigger(name))
    else:
        for table in MOMENTS:
            added = [f"ADD CONSTRAINT {c.name} CHECK ({c.sql})" for c in _checks(table)]
            with _naming_broken_rows():  # all of a table's at once: they are one scan
                op.execute(f"ALTER TABLE {table} {', '.join(added)}")
        op.execute(SET_DURATION)
        op.execute(DURATION_ON_POSTGRESQL)


def downgrade() -> None:
    if _on_sqlite():
        with _rebuilding(revision) as tables:
            for table in MOMENTS:
                _rebuild_downwards(table, tables[table])
    else:
        op.execute("DROP TRIGGER trg_test_runs_duration_seconds ON test_runs")
        op.execute("DROP FUNCTION qadb_set_duration_seconds()")
        for table in MOMENTS:
            dropped = [f"DROP CONSTRAINT {check.name}" for check in _checks(table)]
            op.execute(f"ALTER TABLE {table} {', '.join(dropped)}")


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _checks(table: str) -> Iterator[Check]:
    """Yield the table's new CHECKs on this engine."""
    on_sqlite = _on_sqlite()
    for column in MOMENTS[table].split():
        sql = UTC_ON_SQLITE if on_sqlite else UTC_ON_POSTGRESQL
        yield _check(table, column, "utc", sql, UTC_BEFORE)
    for column, digits in DECIMALS.get(table, {}).items():
        highest = 10**digits - 1
        sql = f"{WHOLE} AND {{0}} BETWEEN {-highest} AND {highest}" if on_sqlite else "{0} <> 'NaN'"
        yield _check(table, column, "exact", sql, WHOLE)
    for column in INTEGERS.get(table, "").split() if on_sqlite else ():
        limit = 2 ** (BITS.get(column, 32) - 1)
        between = "" if limit == 2**63 else f" AND {{0}} BETWEEN {-limit} AND {limit - 1}"
        yield _check(table, column, "integer", f"{WHOLE}{between}", None)
    if table in LISTS and not on_sqlite:
        yield _check(table, LISTS[table], "list", LIST_ON_POSTGRESQL, None)


def _check(table: str, column: str, suffix: str, sql: str, before: str | None) -> Check:
    was = None if before is None else before.format(column)
    return Check(column, f"ck_{table}_{column}_{suffix}", sql.format(column), was)


# Rows that break a rule: they are looked for once something was refused, and all named.


@contextmanager
def _naming_broken_rows() -> Iterator[None]:
    if op.get_context().as_sql:
        yield
        return
    try:
        with op.get_bind().begin_nested():
            yield
    except sa.exc.IntegrityError as error:
        raise ValueError(_refusal(list(_broken_rows()))) from error


def _refuse_other_members() -> None:
    """Refuse lists with members that are no text; no CHECK of SQLite does."""
    if not op.get_context().as_sql:
        broken = [named for table in LISTS for named in _broken_rows_of(table)]
        if broken:
            raise ValueError(_refusal(broken))


def _refusal(broken: list[str]) -> str:
    more = ", …" if len(broken) > MOST_NAMED else ""
    return (
        "There are values that their columns can't hold:"
        f" {', '.join(broken[:MOST_NAMED])}{more}. Correct them and migrate again."
    )


def _broken_rows() -> Iterator[str]:
    return (named for table in MOMENTS for named in _broken_rows_of(table))


def _broken_rows_of(table: str) -> Iterator[str]:
    """Yield a few of the table's values that break a rule, with their rows' keys."""
    broken = {check.column: f"NOT ({check.sql})" for check in _checks(table)}
    if _on_sqlite() and table in LISTS:
        broken[LISTS[table]] = NO_TEXT_IN_LIST.format(LISTS[table])
    key = sa.inspect(op.get_bind()).get_pk_constraint(table)["constrained_columns"]
    which = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in broken.items())
    what = " ".join(
        f"WHEN {condition} THEN CAST({name} AS text)" for name, condition in broken.items()
    )
    query = (
        f"SELECT CASE {which} END, CASE {what} END, {', '.join(key)} FROM {table}"  # noqa: S608 - names above
        f" WHERE {' OR '.join(broken.values())} ORDER BY {', '.join(key)} LIMIT {MOST_NAMED + 1}"
    )
    for column, value, *values in op.get_bind().exec_driver_sql(query):
        row = ", ".join(f"{name} {part}" for name, part in zip(key, values, strict=True))
        yield f"{table}.{column} = {str(value)[:40]!r} of {row}"


# SQLite: tables are made anew.


@contextmanager
def _rebuilding(as_of: str) -> Iterator[Mapping[str, Built]]:
    """Give the tables as they are; meanwhile a new name changes nothing but the table's own."""
    context = op.get_context()
    if context.as_sql:
        tables = _tables_of_scripts(context, as_of)
        _run("CREATE TEMPORARY TABLE foreign_keys_must_be_off (x CHECK (x = 0))")
        _run("INSERT INTO foreign_keys_must_be_off SELECT foreign_keys FROM pragma_foreign_keys")
        _run("DROP TABLE foreign_keys_must_be_off")
    else:
        if op.get_bind().exec_driver_sql("PRAGMA foreign_keys").scalar_one():
            raise ValueError("foreign_keys must be off: tables that others refer to are dropped.")
        tables = _read_tables(op.get_bind())
    _run("PRAGMA legacy_alter_table = ON")
    try:
        yield tables
    finally:
        _run("PRAGMA legacy_alter_table = OFF")


def _tables_of_scripts(outer: MigrationContext, as_of: str) -> dict[str, Built]:
    """The tables as the revisions make them, in memory: a script has no database to look at."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        inner = MigrationContext.configure(connection, opts=_steps_to(as_of, outer.script))
        with Operations.context(inner):
            inner.run_migrations()
        tables = _read_tables(connection)
    engine.dispose()
    Operations(outer)._install_proxy()  # noqa: SLF001 - the inner context took `op` with it
    return tables


def _steps_to(as_of: str, script: ScriptDirectory | None) -> dict[str, object]:
    if script is None:
        raise ValueError("A script of this revision needs Alembic's folder of revisions.")
    return {"script": script, "fn": lambda heads, _: script._upgrade_revs(as_of, heads)}  # noqa: SLF001 - as alembic.command does


def _read_tables(connection: sa.Connection) -> dict[str, Built]:
    return {table: _read_table(connection, table) for table in MOMENTS}


def _read_table(connection: sa.Connection, table: str) -> Built:
    query = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql > '' ORDER BY rowid"
    found = connection.exec_driver_sql(query, (table,)).all()
    own, indexes, triggers = (
        tuple(sql for kind, sql in found if kind == wanted)
        for wanted in ("table", "index", "trigger")
    )
    info = connection.exec_driver_sql(f"PRAGMA table_info({table})").mappings().all()
    names = [row["name"] for row in info]
    keys = [row["type"] for row in info if row["pk"]]
    numbered = () if keys == ["INTEGER"] else ("rowid",)  # a row id of its own stays as well
    return Built(own[0], (*numbered, *names), indexes, triggers)


def _rebuild_upwards(table: str, built: Built) -> None:
    sql = built.sql
    for check in _checks(table):
        if check.before is None:
            sql = f"{sql.rstrip()[:-1].rstrip()}, \n\t{_constraint(check.name, check.sql)}\n)"
        else:
            before = _constraint(check.name, check.before)
            sql = _replaced(sql, before, _constraint(check.name, check.sql))
    triggers = [new for old in built.triggers for new in _split(old)]
    _rebuild(table, built._replace(sql=sql, triggers=tuple(triggers)))


def _rebuild_downwards(table: str, built: Built) -> None:
    sql = built.sql
    for check in _checks(table):
        now = _constraint(check.name, check.sql)
        before = "" if check.before is None else _constraint(check.name, check.before)
        sql = _replaced(sql, now if before else f", \n\t{now}", before)
    _rebuild(table, built._replace(sql=sql, triggers=tuple(_joined(table, built.triggers))))


def _constraint(name: str, sql: str) -> str:
    return f"CONSTRAINT {name} CHECK ({sql})"


def _replaced(sql: str, before: str, after: str) -> str:
    if sql.count(before) != 1:
        raise ValueError(f"This is not the table that the revisions make: {before} is not in it.")
    return sql.replace(before, after)


def _rebuild(table: str, new: Built) -> None:
    """Copy the rows into a new table beside the old one, which then takes its place."""
    beside = f"{table}_rebuilt"
    columns = ", ".join(new.columns)
    _run(re.sub(r'^CREATE TABLE "?\w+"?', f"CREATE TABLE {beside}", new.sql))
    copied = _run(f"INSERT INTO {beside} ({columns}) SELECT {columns} FROM {table}")  # noqa: S608 - names above
    if copied is not None:
        rows = op.get_bind().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608 - names above
        if copied != rows:
            raise ValueError(f"{copied} of {rows} rows of {table} were copied.")
    if "AUTOINCREMENT" in new.sql:
        _run(f"DELETE FROM sqlite_sequence WHERE name = '{beside}'")  # noqa: S608 - names above
        _run(
            "INSERT INTO sqlite_sequence (name, seq)"  # noqa: S608 - names above
            f" SELECT '{beside}', seq FROM sqlite_sequence WHERE name = '{table}'"
        )
    _run(f"DROP TABLE {table}")
    _run(f"ALTER TABLE {beside} RENAME TO {table}")
    for sql in (*new.indexes, *new.triggers):
        _run(sql)


def _run(sql: str) -> int | None:
    """Run SQL as it is; returns the number of rows, unless it is only written."""
    if op.get_context().as_sql:
        op.execute(sa.text(sql.replace(":", "\\:")))
        return None
    return op.get_bind().exec_driver_sql(sql).rowcount


# SQLite: triggers.


def _split(sql: str) -> Iterator[str]:
    """Yield what takes a trigger's place: one for rows that stay, one for rows that move."""
    found = SEES_UPDATE.fullmatch(sql)
    key, *others = (found["columns"] or "").split(", ") if found else [""]
    if found is None or key != "id":
        yield sql
        return
    stays, moves = SPLIT.get(found["name"], ("", found["name"]))
    if others:
        yield _trigger(found, stays, f"UPDATE OF {', '.join(others)}", " WHEN NEW.id = OLD.id")
    yield _trigger(found, moves, "UPDATE", " WHEN NEW.id <> OLD.id")


def _joined(table: str, triggers: tuple[str, ...]) -> Iterator[str]:
    """Yield the triggers as they were before; those that are new here are left out."""
    found = {match["name"]: match for match in map(SEES_UPDATE.fullmatch, triggers) if match}
    before = {moves: (name, stays) for name, (stays, moves) in SPLIT.items()}
    gone = {stays for stays, _ in SPLIT.values()}
    for sql in triggers:
        match = SEES_UPDATE.fullmatch(sql)
        if match is None:
            if not _is_new(table, sql):
                yield sql
        elif match["name"] in before:
            name, stays = before[match["name"]]
            others = f", {found[stays]['columns']}" if stays in found else ""
            yield _trigger(match, name, f"UPDATE OF id{others}", "")
        elif match["name"] == "search_move":
            yield _trigger(match, "search_move", "UPDATE OF id", " WHEN NEW.id <> OLD.id")
        elif match["name"] not in gone:
            yield sql


def _is_new(table: str, sql: str) -> bool:
    """Whether a trigger is one that this revision brings."""
    watched = LISTS.get(table, "duration_seconds")
    return bool(re.match(rf"CREATE TRIGGER trg_{table}_{watched}_(insert|update) ", sql))


def _trigger(found: re.Match[str], name: str, event: str, condition: str) -> str:
    table = found["table"]
    return (
        f"CREATE TRIGGER trg_{table}_{name} {found['moment']} {event} ON {table} FOR EACH ROW"
        f"{condition} {found['body']}"
    )


def _watch_list(table: str, column: str) -> None:
    condition = f"NEW.{column} IS NOT NULL AND {NO_TEXT_IN_LIST.format(f'NEW.{column}')}"
    refusal = f"CHECK constraint failed: ck_{table}_{column}_list"
    for name, event in (("insert", "INSERT"), ("update", f"UPDATE OF {column}")):
        op.execute(
            f"CREATE TRIGGER trg_{table}_{column}_{name} AFTER {event} ON {table} FOR EACH ROW"
            f" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def _duration_trigger(name: str) -> str:
    event, stated = DURATION_ON_SQLITE[name]
    return (
        f"CREATE TRIGGER trg_test_runs_duration_seconds_{name} AFTER {event} ON test_runs"  # noqa: S608 - constants above
        " FOR EACH ROW WHEN NEW.duration_seconds IS NULL AND NEW.ended_at IS NOT NULL BEGIN"
        f" UPDATE test_runs SET duration_seconds = {ELAPSED}"
        f" WHERE id = NEW.id AND {ELAPSED} <= 999999999999;"
        " UPDATE test_runs SET updated_at = NEW.updated_at"
        f" WHERE id = NEW.id AND updated_at <> NEW.updated_at {stated}; END"
    )

"""The checks of the connection and of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Limits
from qadb.health import schema_probes as probes

if TYPE_CHECKING:
    from qadb.health.context import HealthCheck

POSTGRESQL = frozenset({"postgresql"})
_A_SINGLE_ONE = "our judgement: a single one is wrong"

SCHEMA_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-S01",
        title="Connection and latency",
        group="schema",
        severity="crit",
        limits=Limits("ms", 100, 1000, "our judgement: a page of results asks some ten times"),
        cost="cheap",
        why="Whatever works with the database waits this long for each of its questions.",
        remedy="Move closer to the server, or look at what keeps it busy.",
        probe=probes.ping,
        facts=("ping",),
        finds_damage=True,
    ),
    Check(
        id="QADB-S02",
        title="Server version",
        group="schema",
        severity="crit",
        limits=Limits(
            "days", 90, None, "https://www.postgresql.org/support/versioning/", lower_is_worse=True
        ),
        cost="cheap",
        why="An unsupported version lacks what qadb relies on; one past its end gets no fixes.",
        remedy="Upgrade the server to a newer major version.",
        probe=probes.server_version,
        reads="The server's version, and how many days its makers still mend it.",
    ),
    Check(
        id="QADB-S03",
        title="Revision",
        group="schema",
        severity="crit",
        limits=Limits("revisions", None, 1, _A_SINGLE_ONE),
        cost="cheap",
        why="A program of another revision than the database's fails, or writes what is wrong.",
        remedy="qadb migrate",
        probe=probes.revision,
        reads="SELECT version_num FROM qadb_version",
    ),
    Check(
        id="QADB-S04",
        title="Drift",
        group="schema",
        severity="warn",
        limits=Limits("objects", 1, None, _A_SINGLE_ONE),
        cost="costly",
        why="What somebody changed by hand is in no backup's revision, is missing in the next "
        "database, and makes the next migration fail.",
        remedy="qadb status --drift",
        probe=probes.drift,
        reads="The whole catalog, and the one that the revisions make in an empty place.",
    ),
    Check(
        id="QADB-S05",
        title="Edited revisions",
        group="schema",
        severity="warn",
        limits=Limits("revisions", 1, None, _A_SINGLE_ONE),
        cost="cheap",
        why="Databases made before and after the edit differ from here on.",
        remedy="Take the edit back and write a new revision; see: qadb status",
        probe=probes.edited_revisions,
        reads="SELECT * FROM qadb_history",
    ),
    Check(
        id="QADB-S06",
        title="Invalid indexes and constraints",
        group="schema",
        severity="crit",
        limits=Limits(
            "objects", None, 1, "https://www.postgresql.org/docs/current/sql-createindex.html"
        ),
        cost="cheap",
        why="An invalid index costs every write and serves no query, and a unique one does not "
        "keep duplicates out; a constraint that is not validated vouches for new rows only.",
        remedy="REINDEX INDEX CONCURRENTLY …",
        probe=probes.invalid_objects,
        facts=("invalid_objects",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-S07",
        title="Foreign keys without an index",
        group="schema",
        severity="warn",
        limits=Limits(
            "keys", 1, None, "https://www.postgresql.org/docs/current/ddl-constraints.html"
        ),
        cost="cheap",
        why="Each row deleted or renumbered in the table referred to reads the other one whole.",
        remedy="CREATE INDEX …",
        probe=probes.unindexed_keys,
        facts=("unindexed_keys",),
    ),
    Check(
        id="QADB-S08",
        title="Duplicate indexes",
        group="schema",
        severity="warn",
        limits=Limits("indexes", 1, None, _A_SINGLE_ONE),
        cost="cheap",
        why="Each costs every write and room on disk, and the other one serves the same queries.",
        remedy="DROP INDEX …",
        probe=probes.duplicate_indexes,
        facts=("duplicate_indexes",),
    ),
    Check(
        id="QADB-S09",
        title="Unused indexes",
        group="schema",
        severity="warn",
        limits=Limits(
            "B",
            probes.SMALL_INDEX_BYTES,
            None,
            "PgHero: unused indexes; ours: from 10 MB on, after 7 days of counting",
        ),
        cost="cheap",
        why="An index that no query uses costs every write and room on disk.",
        remedy="DROP INDEX CONCURRENTLY …",
        probe=probes.unused_indexes,
        facts=("statistics_age", "unused_indexes"),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-S10",
        title="Row-level security",
        group="schema",
        severity="crit",
        limits=Limits("tables", None, 1, _A_SINGLE_ONE),
        cost="cheap",
        why="Without it a tenant's role reads every other tenant's rows.",
        remedy="ALTER TABLE … ENABLE ROW LEVEL SECURITY",
        probe=probes.open_tables,
        facts=("open_tables",),
        engines=POSTGRESQL,
    ),
    Check(
        id="QADB-S11",
        title="Models and revisions",
        group="schema",
        severity="warn",
        limits=Limits("objects", 1, None, _A_SINGLE_ONE),
        cost="deep",
        why="Where the revisions make something else than the models say, this build is wrong.",
        remedy="Install qadb anew: pip install --force-reinstall qadb",
        probe=probes.drift_of_models,
        reads="The catalog that the revisions make and the one that the models make.",
    ),
)

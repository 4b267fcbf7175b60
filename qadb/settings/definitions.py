"""Definitions: every variable that qadb reads, with its kind, range and default.

Owns the list, which `qadb config` and `.env.example` follow. Reading values is ``sources``' work,
understanding them ``convert``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["url", "secret", "text", "path", "integer", "boolean", "choice"]
Scalar = str | int | bool

OPTION_FLAGS = {"log_level": "-v", "env_file": "--env-file"}


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable.

    Attributes:
        name: as it stands in the environment and in `.env`.
        kind: what its text means.
        meaning: one line for people.
        default: value when nobody sets it; None means off or left to others.
        minimum: smallest integer accepted.
        maximum: largest integer accepted.
        choices: the words accepted, for a choice.
        in_toml: whether a TOML file may set it.
    """

    name: str
    kind: Kind
    meaning: str
    default: Scalar | None = None
    minimum: int = 0
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    in_toml: bool = True

    @property
    def key(self) -> str:
        """The name as an option's and a flat TOML key: lower-case, without ``QADB_``."""
        return self.name.lower().removeprefix("qadb_")

    @property
    def database_key(self) -> str | None:
        """The name inside the TOML table ``database``; None for what does not belong there."""
        head, _, rest = self.name.lower().partition("database_")
        return None if head or not rest else rest.removeprefix("_")


PARTS = tuple(f"DATABASE__{part}" for part in ("TYPE", "HOST", "PORT", "NAME", "USER", "PASSWORD"))
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        # A file's `database_url` sets DATABASE_URL: what the environment says then stays stronger.
        Variable(
            "QADB_DATABASE_URL", "url", "qadb's own database, before all others", in_toml=False
        ),
        Variable(
            "DATABASE_URL", "url", "the database's URL", default="sqlite:///./data/qadb.sqlite3"
        ),
        Variable("DATABASE_REPLICA_URL", "url", "a replica for reading only"),
        Variable("DATABASE__TYPE", "text", "the database in parts: sqlite or postgresql"),
        Variable("DATABASE__HOST", "text", "host name, socket folder, or several with commas"),
        Variable("DATABASE__PORT", "integer", "port", minimum=1, maximum=65535),
        Variable("DATABASE__NAME", "text", "database name; for sqlite the file"),
        Variable("DATABASE__USER", "text", "role to sign in as"),
        Variable("DATABASE__PASSWORD", "secret", "its password, as it is (nothing encoded)"),
        Variable("DATABASE_SSL_MODE", "choice", "SSL unless the URL says", choices=SSL_MODES),
        Variable("DATABASE_POOL_SIZE", "integer", "connections kept open", default=10, minimum=1),
        Variable(
            "DATABASE_MAX_OVERFLOW", "integer", "more under load; -1: no limit", 20, minimum=-1
        ),
        Variable(
            "DATABASE_POOL_RECYCLE", "integer", "seconds to reuse one; -1: ever", 3600, minimum=-1
        ),
        Variable("DATABASE_POOL_TIMEOUT", "integer", "seconds to wait for one", 30, minimum=1),
        Variable("DATABASE_CONNECT_RETRIES", "integer", "retries on connection failures", 5),
        Variable("DATABASE_ECHO", "boolean", "show SQL on stderr", default=False),
        Variable("DEBUG", "boolean", "show SQL and tracebacks", default=False),
        Variable("QADB_BACKUP_DIR", "path", "folder of the backups", default="./backups"),
        Variable("QADB_TENANT", "text", "confine every command to one tenant"),
        Variable("QADB_LOG_LEVEL", "choice", "how much to log", "warning", choices=LOG_LEVELS),
        Variable("QADB_SLOW_QUERY_MS", "integer", "log queries slower than this (0: all, off)"),
    )
}

OPTIONS: dict[str, Variable] = {
    variable.key: variable for variable in VARIABLES.values() if variable.name != "DATABASE_URL"
}
TOML_KEYS: dict[str, Variable] = {
    variable.key: variable for variable in VARIABLES.values() if variable.in_toml
}
TOML_DATABASE_KEYS: dict[str, Variable] = {
    variable.database_key: variable
    for variable in VARIABLES.values()
    if variable.in_toml and variable.database_key
}

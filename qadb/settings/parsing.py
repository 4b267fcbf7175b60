"""From text to a DatabaseUrl: which engine it names, and SQLite's own spellings.

PostgreSQL's spellings are ``postgresql_url``'s work. No message here repeats a part of the text
that could be a secret: a password with an unlucky character may end up in any part.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from qadb.errors import ConfigurationError
from qadb.redaction import HIDDEN, redact
from qadb.settings.paths import absolute_path
from qadb.settings.postgresql_url import parse_postgresql
from qadb.settings.url import DatabaseUrl, EngineName, is_secret_option

if TYPE_CHECKING:
    from pathlib import Path

_ENGINES: dict[str, EngineName] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
_SCHEME = r"[A-Za-z][\w.-]*(\+[\w.-]+)?"
# Parameters of Python's driver that change nothing about which file is meant.
_IDLE_SQLITE_PARAMETERS = frozenset({"uri", "check_same_thread"})
_EXAMPLES = "sqlite:///./data/qadb.sqlite3 or postgresql://user:password@host:5432/name"


def parse_database_url(text: str, *, source: str, base_dir: Path) -> DatabaseUrl:
    """Read a database URL as people write it.

    Args:
        text: the URL; passwords may be percent-encoded or raw.
        source: what the user would have to edit, for messages.
        base_dir: the folder that a relative SQLite path starts from.

    Raises:
        ConfigurationError: it can't be understood; the message names the source and no secret.
    """
    stripped = text.strip()
    if "\0" in stripped or "%00" in stripped:
        raise ConfigurationError(f"{source} holds a NUL character.")
    if stripped in {":memory:", "file::memory:"}:
        return DatabaseUrl(engine="sqlite", is_memory=True)
    scheme, separator, rest = stripped.partition("://")
    if not separator or not re.fullmatch(_SCHEME, scheme):
        raise ConfigurationError(
            f"{source} is not a database URL.", hint=f"Write it like {_EXAMPLES}."
        )
    if engine_name(scheme, source=source) == "sqlite":
        return _parse_sqlite(rest, source=source, base_dir=base_dir)
    return parse_postgresql(rest, source=source)


def engine_name(name: str, *, source: str) -> EngineName:
    """The engine that a URL's scheme or a type names, whichever driver stands behind the "+".

    Raises:
        ConfigurationError: there is no such engine.
    """
    base, _, _ = name.strip().lower().partition("+")
    if base not in _ENGINES:
        raise ConfigurationError(
            f"{source} names the engine '{base}'; qadb supports sqlite and postgresql.",
            hint="If it belongs to another application, set QADB_DATABASE_URL for qadb.",
        )
    return _ENGINES[base]


def sqlite_file(name: str, *, source: str, base_dir: Path) -> DatabaseUrl:
    """The SQLite database in a file; ``:memory:`` is the one in memory."""
    if name in {"", ":memory:"}:
        return DatabaseUrl(engine="sqlite", is_memory=True)
    path = absolute_path(name, base_dir=base_dir, source=source)
    return DatabaseUrl(engine="sqlite", path=path)


def hide_foreign_url(text: str) -> tuple[str, frozenset[str]]:
    """Show a URL that qadb need not understand, and tell the secrets in it.

    It belongs to somebody else or is overridden, so it may be anything; nothing is shown of a text
    that has not even a scheme.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator or not re.fullmatch(_SCHEME, scheme):
        return HIDDEN, frozenset()
    head, question, query = rest.partition("?")
    if "@" in query:  # a raw "?" in the password: rather hide too much
        head, question, query = rest, "", ""
    user_info, at, location = head.rpartition("@")
    if not at and re.search(r":(?![0-9]{1,5}(?:[/,]|$))", head):
        return f"{scheme}://{HIDDEN}", frozenset()  # a password whose host was forgotten
    user, colon, password = user_info.partition(":")
    options = [option.partition("=") for option in query.split("&") if option]
    values = [value for key, _, value in options if is_secret_option(key)]
    raw = frozenset(filter(None, [password, *values]))
    shown_query = "&".join(
        key + equals + (HIDDEN if is_secret_option(key) else value)
        for key, equals, value in options
    )
    shown_user = f"{user}:{HIDDEN}@" if colon else f"{user}{at}"
    shown = redact(f"{scheme}://{shown_user}{location}{question}{shown_query}")
    return shown, raw | {unquote(value) for value in raw}


def _parse_sqlite(rest: str, *, source: str, base_dir: Path) -> DatabaseUrl:
    """Read what follows ``sqlite://``; the path is taken as it stands, as SQLAlchemy does."""
    location, _, query = rest.partition("?")
    if location and not location.startswith("/"):
        raise ConfigurationError(
            f"{source} has two slashes after 'sqlite:', so its path reads as a host.",
            hint="Write three for a relative path (sqlite:///data/qadb.sqlite3), four for an"
            " absolute one (sqlite:////var/lib/qadb.sqlite3).",
        )
    parameters = dict(option.partition("=")[::2] for option in query.split("&") if option)
    name = location.removeprefix("/").removeprefix("file:")
    if parameters.get("mode") == "memory":
        return DatabaseUrl(engine="sqlite", is_memory=True)
    if parameters.keys() - _IDLE_SQLITE_PARAMETERS:
        # Ignoring them would be worse: whoever writes mode=ro relies on it.
        raise ConfigurationError(
            f"{source} has parameters after '?', and qadb takes none for SQLite.",
            hint="qadb sets SQLite's modes and timeouts itself; leave out everything from '?' on.",
        )
    return sqlite_file(name, source=source, base_dir=base_dir)

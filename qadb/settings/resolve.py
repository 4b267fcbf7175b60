"""Resolution: from all levels to one frozen Settings with the origin of every value.

Owns the precedence between names (`QADB_DATABASE_URL`, `DATABASE_URL`, parts) and the collecting of
secrets; the precedence between levels is ``sources``'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError
from qadb.redaction import HIDDEN, redact
from qadb.settings.convert import to_boolean, to_choice, to_integer, to_tenant
from qadb.settings.definitions import PARTS, VARIABLES
from qadb.settings.parsing import hide_foreign_url, parse_database_url
from qadb.settings.parts import build_from_parts, spoken_source
from qadb.settings.paths import absolute_path
from qadb.settings.raw import RawValue
from qadb.settings.sources import Sources, read_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.settings.health import HealthSettings
    from qadb.settings.retention import RetentionSetting
    from qadb.settings.url import DatabaseUrl

Shown = str | int | float | bool | None

_URLS = ("QADB_DATABASE_URL", "DATABASE_URL", "DATABASE_REPLICA_URL")


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A value as it may be shown, and where it came from."""

    value: Shown
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a caller can configure, understood and checked.

    Attributes:
        retention: what a TOML file says of it, by table.
        values: every variable by name, secrets hidden; ``database_url`` is the one in effect.
        notes: what the user should know about the configuration.
        secrets: what must never be shown, the secrets of overridden values included.
    """

    database_url: DatabaseUrl
    replica_url: DatabaseUrl | None
    pool_size: int
    max_overflow: int
    pool_recycle_seconds: int
    pool_timeout_seconds: int
    connect_retries: int
    echo: bool
    debug: bool
    backup_dir: Path
    tenant: str | None
    log_level: str
    slow_query_ms: int | None
    health: HealthSettings
    retention: Mapping[str, RetentionSetting] = field(hash=False)
    values: Mapping[str, SettingValue] = field(hash=False)
    notes: tuple[str, ...]
    secrets: frozenset[str] = field(repr=False)

    def redact(self, text: str) -> str:
        """Hide every secret of the configuration in a text."""
        return redact(text, self.secrets)


def load_settings(
    options: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    working_dir: Path | None = None,
    env_file: Path | None = None,
) -> Settings:
    """Read the configuration from every level.

    Args:
        options: values given by the caller, by key (``database_url``, ``tenant``, …).
        environ: instead of the process's environment.
        working_dir: instead of the process's working folder.
        env_file: instead of the nearest `.env`; relative to the working folder.

    Raises:
        ConfigurationError: a value or file is wrong; the message names it and shows no secret.
        ValueError: ``options`` has a key that is none.
    """
    environment = os.environ if environ is None else environ
    folder = _working_dir() if working_dir is None else working_dir.absolute()
    sources = read_sources(options or {}, environment, folder, env_file)
    return _Resolver(sources, folder).settings(_collect_secrets(sources, environment))


def _working_dir() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationError(
            f"The working folder can't be read: {error.strerror}.", hint="Change to another folder."
        ) from error


def _collect_secrets(sources: Sources, environ: Mapping[str, str]) -> frozenset[str]:
    """Every secret at every level: an overridden password is a password still."""
    found = {str(raw.value) for raw in sources.all_values("DATABASE__PASSWORD")}
    for name in _URLS:
        for raw in sources.all_values(name):
            found |= _show_url(raw)[1]
    return frozenset(filter(None, [*found, environ.get("PGPASSWORD", "")]))


def _show_url(raw: RawValue) -> tuple[str, frozenset[str]]:
    """A URL as it may be shown and its secrets, whether or not qadb could use it."""
    try:
        url = _parse(raw)
    except ConfigurationError:
        return hide_foreign_url(str(raw.value))
    return url.shown, url.secrets


def _parse(raw: RawValue) -> DatabaseUrl:
    return parse_database_url(str(raw.value), source=raw.label, base_dir=raw.base_dir)


class _Resolver:
    """Understands one variable after the other and remembers what was shown of it."""

    def __init__(self, sources: Sources, working_dir: Path) -> None:
        self._sources = sources
        self._working_dir = working_dir
        self._values: dict[str, SettingValue] = {}

    def settings(self, secrets: frozenset[str]) -> Settings:
        """Resolve everything."""
        return Settings(
            database_url=self._database_url(),
            replica_url=self._replica_url(),
            pool_size=self._integer("DATABASE_POOL_SIZE"),
            max_overflow=self._integer("DATABASE_MAX_OVERFLOW"),
            pool_recycle_seconds=self._integer("DATABASE_POOL_RECYCLE"),
            pool_timeout_seconds=self._integer("DATABASE_POOL_TIMEOUT"),
            connect_retries=self._integer("DATABASE_CONNECT_RETRIES"),
            echo=self._boolean("DATABASE_ECHO"),
            debug=self._boolean("DEBUG"),
            backup_dir=self._backup_dir(),
            tenant=self._tenant(),
            log_level=self._choice("QADB_LOG_LEVEL") or "warning",
            slow_query_ms=self._slow_query_ms(),
            health=self._sources.health,
            retention=self._sources.retention,
            values=self._ordered_values(),
            notes=self._sources.notes,
            secrets=secrets,
        )

    def _ordered_values(self) -> dict[str, SettingValue]:
        """In the order of the definitions, what is in effect first; checks and retention last."""
        health = self._sources.health
        values = {name: self._values[name] for name in ("database_url", *VARIABLES)}
        values |= {name: SettingValue(value, health.source) for name, value in health.shown()}
        for table, setting in self._sources.retention.items():
            values[f"retention.{table}"] = SettingValue(setting.shown, setting.source)
        return values

    def _record(self, name: str, value: Shown, raw: RawValue | None) -> None:
        self._values[name] = SettingValue(value, "default" if raw is None else raw.source)

    def _raw_or_default(self, name: str) -> RawValue:
        raw = self._sources.find(name)
        default = VARIABLES[name].default
        if raw is not None:
            return raw
        if default is None:
            raise ValueError(f"{name} has no default")
        return RawValue(default, "default", name, self._working_dir)

    def _integer(self, name: str) -> int:
        raw = self._raw_or_default(name)
        number = to_integer(VARIABLES[name], raw)
        self._record(name, number, raw)
        return number

    def _boolean(self, name: str) -> bool:
        raw = self._raw_or_default(name)
        value = to_boolean(raw)
        self._record(name, value, raw)
        return value

    def _choice(self, name: str) -> str | None:
        raw = self._sources.find(name)
        default = VARIABLES[name].default
        value = (
            to_choice(VARIABLES[name], raw) if raw else None if default is None else str(default)
        )
        self._record(name, value, raw)
        return value

    def _backup_dir(self) -> Path:
        raw = self._raw_or_default("QADB_BACKUP_DIR")
        path = absolute_path(str(raw.value), base_dir=raw.base_dir, source=raw.label)
        self._record("QADB_BACKUP_DIR", str(path), raw)
        return path

    def _tenant(self) -> str | None:
        raw = self._sources.find("QADB_TENANT")
        tenant = None if raw is None else to_tenant(raw)
        self._record("QADB_TENANT", tenant, raw)
        return tenant

    def _slow_query_ms(self) -> int | None:
        raw = self._sources.find("QADB_SLOW_QUERY_MS")
        is_off = raw is None or str(raw.value).strip().lower() == "off"
        number = None if raw is None or is_off else to_integer(VARIABLES["QADB_SLOW_QUERY_MS"], raw)
        self._record("QADB_SLOW_QUERY_MS", number, raw)
        return number

    def _database_url(self) -> DatabaseUrl:
        """The URL in effect: qadb's own name, the common one, the parts, the default."""
        url, source = self._effective_url()
        for name in ("QADB_DATABASE_URL", "DATABASE_URL"):
            raw = self._sources.find(name)
            self._record(name, None if raw is None else _show_url(raw)[0], raw)
        self._record_parts()
        secured = self._with_ssl_mode(url, self._choice("DATABASE_SSL_MODE"))
        self._values["database_url"] = SettingValue(secured.shown, source)
        if source == "default":
            self._record("DATABASE_URL", secured.shown, None)
        return secured

    def _effective_url(self) -> tuple[DatabaseUrl, str]:
        for name in ("QADB_DATABASE_URL", "DATABASE_URL"):
            raw = self._sources.find(name)
            if raw is not None:
                is_named = raw.source.startswith("option ")
                return _parse(raw), raw.source if is_named else f"{raw.source}: {name}"
        parts = {name: raw for name in PARTS if (raw := self._sources.find(name)) is not None}
        if parts:
            return build_from_parts(parts), spoken_source(parts)
        return _parse(self._raw_or_default("DATABASE_URL")), "default"

    def _record_parts(self) -> None:
        for name in PARTS:
            raw = self._sources.find(name)
            value = None if raw is None else raw.value
            is_secret = VARIABLES[name].kind == "secret" and value is not None
            self._record(name, HIDDEN if is_secret else value, raw)

    def _replica_url(self) -> DatabaseUrl | None:
        raw = self._sources.find("DATABASE_REPLICA_URL")
        url = None
        if raw is not None:
            url = self._with_ssl_mode(_parse(raw), self._choice("DATABASE_SSL_MODE"))
        self._record("DATABASE_REPLICA_URL", None if url is None else url.shown, raw)
        return url

    @staticmethod
    def _with_ssl_mode(url: DatabaseUrl, mode: str | None) -> DatabaseUrl:
        """Add the mode to a PostgreSQL URL that states none."""
        if mode is None or url.engine != "postgresql" or "sslmode" in url.query:
            return url
        return replace(url, query={**url.query, "sslmode": mode})

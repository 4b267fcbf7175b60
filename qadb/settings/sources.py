"""Sources: where values come from, strongest first, each with its origin.

Owns the levels (options, environment, `.env`, TOML) and which file is nearest. It understands no
value beyond telling an empty one, and a `DEBUG` that belongs to another tool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qadb.errors import ConfigurationError
from qadb.settings.definitions import OPTION_FLAGS, OPTIONS, VARIABLES
from qadb.settings.health import HealthSettings
from qadb.settings.raw import BOOLEANS, Level, RawValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from qadb.settings.retention import RetentionSetting
    from qadb.settings.toml_file import Table


@dataclass(frozen=True, slots=True)
class Sources:
    """Every level that was found, strongest first, and what to tell about the finding.

    Attributes:
        retention: what the TOML file says of it, by table; no other level does.
    """

    levels: tuple[Level, ...]
    notes: tuple[str, ...]
    health: HealthSettings
    retention: Mapping[str, RetentionSetting] = field(default_factory=dict)

    def find(self, name: str) -> RawValue | None:
        """The strongest value of a variable."""
        return next((level[name] for level in self.levels if name in level), None)

    def all_values(self, name: str) -> Iterator[RawValue]:
        """Every value of a variable, the overridden ones too."""
        return (level[name] for level in self.levels if name in level)


def read_sources(
    options: Mapping[str, str], environ: Mapping[str, str], working_dir: Path, env_file: Path | None
) -> Sources:
    """Read every level.

    Raises:
        ConfigurationError: a file can't be read, or states what qadb does not know.
    """
    notes: list[str] = []
    table = _find_table(working_dir, notes)
    levels = (
        _option_level(options, working_dir),
        _without_foreign_debug(_environment_level(environ, working_dir), notes),
        _without_foreign_debug(_env_file_level(working_dir, env_file, notes), notes),
        _toml_level(table),
    )
    return Sources(
        levels=levels, notes=tuple(notes), health=_health(table), retention=_retention(table)
    )


def folders_upwards(working_dir: Path) -> tuple[Path, ...]:
    """The working folder and all above it, nearest first."""
    return (working_dir, *working_dir.parents)


def is_file(path: Path) -> bool:
    """Tell whether there is a file; a folder that may not be entered has none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _option_level(options: Mapping[str, str], working_dir: Path) -> Level:
    """Options given by a caller, by key."""
    unknown = sorted(options.keys() - OPTIONS.keys())
    if unknown:
        raise ValueError(f"no such option: {', '.join(unknown)}")
    level: dict[str, RawValue] = {}
    for key, value in options.items():
        source = f"option {OPTION_FLAGS.get(key, '--' + key.replace('_', '-'))}"
        level[OPTIONS[key].name] = RawValue(value, source, source, working_dir)
    return _without_empty(level)


def _environment_level(environ: Mapping[str, str], working_dir: Path) -> Level:
    return _without_empty(
        {
            name: RawValue(environ[name], "environment", f"{name} in the environment", working_dir)
            for name in VARIABLES
            if name in environ
        }
    )


def _env_file_level(working_dir: Path, env_file: Path | None, notes: list[str]) -> Level:
    """The named `.env`, which must exist, or the nearest one upwards."""
    path = _nearest_env_file(working_dir) if env_file is None else working_dir / env_file
    if path is None:
        return {}
    if env_file is not None and _is_missing(path):
        raise ConfigurationError(f"--env-file names {path}, which does not exist.")
    from qadb.settings.env_file import read_env_file  # noqa: PLC0415  # loads dotenv

    values, complaints = read_env_file(path)
    notes.extend(complaints)
    source = f".env ({path})"
    return _without_empty(
        {
            name: RawValue(value, source, f"{name} in {path}", path.parent)
            for name, value in values.items()
            if name in VARIABLES
        }
    )


def _is_missing(path: Path) -> bool:
    """Tell a file that is not there from one that may not be looked at."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _nearest_env_file(working_dir: Path) -> Path | None:
    candidates = (folder / ".env" for folder in folders_upwards(working_dir))
    return next((path for path in candidates if is_file(path)), None)


def _find_table(working_dir: Path, notes: list[str]) -> Table | None:
    """The nearest `qadb.toml` or `[tool.qadb]`; of two in one folder the former."""
    for folder in folders_upwards(working_dir):
        own, project = folder / "qadb.toml", folder / "pyproject.toml"
        if not is_file(own) and not is_file(project):
            continue
        from qadb.settings import toml_file  # noqa: PLC0415  # most folders have neither

        table = toml_file.read_project_table(project) if is_file(project) else None
        if is_file(own):
            if table is not None:
                notes.append(f"{own} is used; [tool.qadb] in {project} is not.")
            return toml_file.read_own_table(own)
        if table is not None:
            return table
    return None


def _toml_level(table: Table | None) -> Level:
    if table is None:
        return {}
    from qadb.settings.toml_file import read_level  # noqa: PLC0415  # seldom used

    return _without_empty(read_level(table))


def _health(table: Table | None) -> HealthSettings:
    if table is None:
        return HealthSettings()
    from qadb.settings.toml_file import read_checks  # noqa: PLC0415  # seldom used

    return read_checks(table)


def _retention(table: Table | None) -> Mapping[str, RetentionSetting]:
    if table is None:
        return {}
    from qadb.settings.toml_file import read_retention_of  # noqa: PLC0415  # seldom used

    return read_retention_of(table)


def _without_empty(level: Level) -> Level:
    """An empty value is no value: `DATABASE_URL=` means unset everywhere."""
    return {name: raw for name, raw in level.items() if raw.value != ""}


def _without_foreign_debug(level: Level, notes: list[str]) -> Level:
    """Drop a `DEBUG` that is no boolean: many tools read patterns like `app:*` from it."""
    debug = level.get("DEBUG")
    if debug is None or str(debug.value).strip().lower() in BOOLEANS:
        return level
    notes.append(f"{debug.label} is no boolean and is ignored.")
    return {name: raw for name, raw in level.items() if name != "DEBUG"}

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from qadb.settings import Settings, load_settings

LEVELS = ("option", "environment", ".env", "toml", "default")


def load_with(levels: tuple[str, ...], folder: Path) -> Settings:
    """Set the tenant at the given levels, each to the level's own name."""
    if ".env" in levels:
        (folder / ".env").write_text("QADB_TENANT=from-env-file\n")
    if "toml" in levels:
        (folder / "pyproject.toml").write_text('[tool.qadb]\ntenant = "from-toml"\n')
    environ = {"QADB_TENANT": "from-environment"} if "environment" in levels else {}
    options = {"tenant": "from-option"} if "option" in levels else {}
    return load_settings(options, environ=environ, working_dir=folder)


@pytest.mark.parametrize(("stronger", "weaker"), list(combinations(LEVELS, 2)))
def test_the_stronger_level_wins_and_is_named(stronger: str, weaker: str, tmp_path: Path) -> None:
    settings = load_with((stronger, weaker), tmp_path)
    expected = {
        "option": ("from-option", "option --tenant"),
        "environment": ("from-environment", "environment"),
        ".env": ("from-env-file", f".env ({tmp_path / '.env'})"),
        "toml": ("from-toml", f"{tmp_path / 'pyproject.toml'} [tool.qadb]"),
    }
    shown = settings.values["QADB_TENANT"]
    assert (shown.value, shown.source) == expected[stronger]
    assert settings.tenant == expected[stronger][0]


URLS = {
    "option": "sqlite:////option.db",
    "QADB_DATABASE_URL": "sqlite:////qadb.db",
    "DATABASE_URL": "sqlite:////common.db",
    "parts": "sqlite:////parts.db",
    "default": "sqlite:////w/data/qadb.sqlite3",
}


@pytest.mark.parametrize(("stronger", "weaker"), list(combinations(URLS, 2)))
def test_the_stronger_name_wins(stronger: str, weaker: str) -> None:
    chosen = {stronger, weaker}
    names = ("QADB_DATABASE_URL", "DATABASE_URL")
    environ: dict[str, str] = {name: URLS[name] for name in names if name in chosen}
    if "parts" in chosen:
        environ |= {"DATABASE__TYPE": "sqlite", "DATABASE__NAME": "/parts.db"}
    options = {"database_url": URLS["option"]} if "option" in chosen else {}
    settings = load_settings(options, environ=environ, working_dir=Path("/w"))
    sources = {
        "option": "option --database-url",
        "QADB_DATABASE_URL": "environment: QADB_DATABASE_URL",
        "DATABASE_URL": "environment: DATABASE_URL",
        "parts": "parts: DATABASE__TYPE, DATABASE__NAME",
    }
    assert settings.database_url.shown == URLS[stronger]
    assert settings.values["database_url"].value == URLS[stronger]
    assert settings.values["database_url"].source == sources[stronger]


def test_a_name_beats_a_level(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QADB_DATABASE_URL=sqlite:///own.db\n")
    settings = load_settings(environ={"DATABASE_URL": "mysql://app"}, working_dir=tmp_path)
    assert settings.database_url.path == tmp_path / "own.db"


def test_the_environment_beats_a_url_in_toml(tmp_path: Path) -> None:
    (tmp_path / "qadb.toml").write_text('database_url = "sqlite:///toml.db"\n')
    settings = load_settings(environ={"DATABASE_URL": "sqlite:///e.db"}, working_dir=tmp_path)
    assert settings.database_url.path == tmp_path / "e.db"


def test_empty_values_count_as_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QADB_TENANT=acme\nDATABASE_URL=\n")
    environ = {"QADB_TENANT": "", "DATABASE_URL": "", "DATABASE__NAME": "", "QADB_LOG_LEVEL": ""}
    settings = load_settings(environ=environ, working_dir=tmp_path)
    assert settings.tenant == "acme"
    assert settings.values["database_url"].source == "default"
    assert settings.log_level == "warning"


def test_an_unknown_option_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="no such option: tenent"):
        load_settings({"tenent": "x"}, environ={}, working_dir=Path("/"))


def test_without_arguments_the_process_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QADB_TENANT", "acme")
    monkeypatch.delenv("QADB_BACKUP_DIR", raising=False)
    settings = load_settings()
    assert settings.tenant == "acme"
    assert settings.backup_dir == tmp_path / "backups"

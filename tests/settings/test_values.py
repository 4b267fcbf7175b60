from __future__ import annotations

from pathlib import Path

import pytest

from qadb.errors import ConfigurationError
from qadb.settings import Settings, load_settings
from qadb.settings.definitions import VARIABLES


def load(**environ: str) -> Settings:
    return load_settings(environ=environ, working_dir=Path("/w"))


def test_defaults_are_the_documented_ones() -> None:
    settings = load()
    assert settings.database_url.path == Path("/w/data/qadb.sqlite3")
    assert settings.replica_url is None
    assert (settings.pool_size, settings.max_overflow) == (10, 20)
    assert (settings.pool_recycle_seconds, settings.pool_timeout_seconds) == (3600, 30)
    assert (settings.connect_retries, settings.echo, settings.debug) == (5, False, False)
    assert settings.backup_dir == Path("/w/backups")
    assert (settings.tenant, settings.log_level, settings.slow_query_ms) == (None, "warning", None)
    assert settings.notes == ()
    assert {value.source for value in settings.values.values()} == {"default"}


def test_every_variable_has_a_value_and_a_source() -> None:
    assert set(load().values) == {"database_url", *VARIABLES}


def test_values_are_understood() -> None:
    settings = load(
        DATABASE_POOL_SIZE=" 3 ",
        DATABASE_MAX_OVERFLOW="-1",
        DATABASE_POOL_RECYCLE="-1",
        DATABASE_POOL_TIMEOUT="1",
        DATABASE_CONNECT_RETRIES="0",
        DATABASE_ECHO="Yes",
        DEBUG="1",
        QADB_LOG_LEVEL="DEBUG",
        QADB_SLOW_QUERY_MS="0",
        QADB_TENANT="acme-2",
        QADB_BACKUP_DIR="/b",
    )
    assert (settings.pool_size, settings.max_overflow) == (3, -1)
    assert (settings.pool_recycle_seconds, settings.pool_timeout_seconds) == (-1, 1)
    assert (settings.connect_retries, settings.echo, settings.debug) == (0, True, True)
    assert (settings.log_level, settings.slow_query_ms, settings.tenant) == ("debug", 0, "acme-2")
    assert settings.values["DATABASE_POOL_SIZE"].value == 3
    assert settings.values["QADB_BACKUP_DIR"].value == "/b"


def test_slow_queries_can_be_switched_off_by_word() -> None:
    assert load(QADB_SLOW_QUERY_MS="off").slow_query_ms is None


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("DATABASE_POOL_SIZE", "0", "1 or more"),
        ("DATABASE_POOL_SIZE", "ten", "a whole number"),
        ("DATABASE_POOL_SIZE", "1_0", "a whole number"),
        ("DATABASE_POOL_SIZE", "9" * 5000, "a whole number"),
        ("DATABASE_MAX_OVERFLOW", "-2", "-1 or more"),
        ("DATABASE_POOL_RECYCLE", "-2", "-1 or more"),
        ("DATABASE_POOL_TIMEOUT", "0", "1 or more"),
        ("DATABASE_CONNECT_RETRIES", "-1", "0 or more"),
        ("DATABASE_ECHO", "app:*", "true or false"),
        ("DATABASE_SSL_MODE", "on", "verify-full"),
        ("QADB_LOG_LEVEL", "warn", "one of debug, info, warning"),
        ("QADB_SLOW_QUERY_MS", "-1", "0 or more"),
        ("QADB_TENANT", "Acme Inc", "lower-case letters"),
        ("QADB_TENANT", "a" * 51, "1 to 50"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_is_accepted(
    name: str, value: str, wanted: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**{name: value})
    assert caught.value.message == f"{name} in the environment is {value!r}."
    assert wanted in str(caught.value.hint)


def test_a_debug_pattern_of_another_tool_is_ignored_with_a_note(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEBUG=true\n")
    settings = load_settings(environ={"DEBUG": "app:*"}, working_dir=tmp_path)
    assert settings.debug
    assert settings.notes == ("DEBUG in the environment is no boolean and is ignored.",)


def test_a_debug_pattern_in_an_env_file_is_ignored_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEBUG=app:*\n")
    settings = load_settings(environ={}, working_dir=tmp_path)
    assert not settings.debug
    assert settings.notes == (f"DEBUG in {tmp_path / '.env'} is no boolean and is ignored.",)


def test_the_parts_make_a_server_url() -> None:
    settings = load(
        DATABASE__TYPE="postgres",
        DATABASE__HOST="h1,h2",
        DATABASE__PORT="5433",
        DATABASE__NAME="my/db",
        DATABASE__USER="a@b",
        DATABASE__PASSWORD="p%20w ",
    )
    url = settings.database_url
    assert (url.user, url.password, url.database) == ("a@b", "p%20w ", "my/db")
    assert url.hosts == (("h1", 5433), ("h2", 5433))
    assert url.shown == "postgresql://a%40b:***@h1:5433,h2:5433/my%2Fdb"
    assert settings.values["DATABASE__PORT"].value == "5433"


@pytest.mark.parametrize("host", ["::1", "/var/run/postgresql"])
def test_a_host_part_may_be_an_address_or_a_socket(host: str) -> None:
    assert load(DATABASE__HOST=host, DATABASE__PORT="7").database_url.hosts == ((host, 7),)


def test_parts_without_a_type_are_postgresql_when_only_a_server_has_them() -> None:
    assert load(DATABASE__USER="ann").database_url.engine == "postgresql"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DATABASE__NAME": "x"}, "no DATABASE__TYPE says"),
        ({"DATABASE__TYPE": "sqlite"}, "DATABASE__NAME is not set"),
        (
            {"DATABASE__TYPE": "oracle"},
            "DATABASE__TYPE in the environment names the engine 'oracle'",
        ),
        ({"DATABASE__HOST": "h", "DATABASE__PORT": "70000"}, "DATABASE__PORT in the environment"),
        ({"DATABASE__HOST": "h h"}, "DATABASE__HOST in the environment"),
    ],
)
def test_wrong_parts_are_refused(environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**environ)
    assert says in caught.value.message


def test_wrong_parts_do_not_matter_when_a_url_wins() -> None:
    settings = load(DATABASE_URL="sqlite:////x.db", DATABASE__TYPE="oracle", DATABASE__PORT="x")
    assert settings.database_url.path == Path("/x.db")
    assert settings.values["DATABASE__TYPE"].value == "oracle"


def test_the_ssl_mode_holds_for_urls_that_state_none() -> None:
    settings = load(
        DATABASE_URL="postgresql://h/n",
        DATABASE_REPLICA_URL="postgresql://r/n?sslmode=disable",
        DATABASE_SSL_MODE="verify-full",
    )
    assert settings.database_url.query == {"sslmode": "verify-full"}
    assert settings.replica_url is not None
    assert settings.replica_url.query == {"sslmode": "disable"}
    assert load(DATABASE_SSL_MODE="require").database_url.query == {}


def test_an_example_stands_for_every_variable() -> None:
    example = Path(__file__).parents[2] / ".env.example"
    lines = example.read_text(encoding="utf-8").splitlines()
    named = [line[1:].partition("=")[0] for line in lines if line.startswith("#") and "=" in line]
    assert sorted(named) == sorted(VARIABLES)
    assert all(line.startswith("#") or not line for line in lines)
    for name in VARIABLES:
        index = next(i for i, line in enumerate(lines) if line.startswith(f"#{name}="))
        assert lines[index - 1].startswith("# ")

"""One password that looks like everything else in a URL, searched in all that can be shown."""

from __future__ import annotations

import io
import logging
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from qadb.errors import ConfigurationError
from qadb.settings import load_settings, parse_database_url
from qadb.settings.logs import RedactingFormatter
from qadb.settings.sources import read_sources

CANARIES = ("c@n:a/r%y ", "p%20w", "c@n:a/r%y p%20w")
TEMPLATES = (
    "postgresql://user:{}@host:5432/name",
    "postgresql://user:{}@host:bad/name",
    "postgresql://user:{}@host:99999/name",
    "postgresql://user:{}@ho st/name",
    "postgresql://user:{}@host/name?sslmod=x",
    "postgresql://user:{}@host/name?sslmode=x",
    "postgresql://user:{}@host/name?sslmode",
    "postgresql://user:{}%ff@host/name",
    "postgresql://user:{}",
    "postgresql://{}@host",
    "postgresql://:{}@",
    "postgresql://user:x@host/name?password={}",
    "postgresql://host/name?sslpassword={}",
    "mysql://user:{}@host/name",
    "mysql://host/name?password={}",
    "mysql://user:a@b?{}@host/name",
    "sqlite://user:{}@host/name",
    "sqlite:///x.db?password={}",
    "{}://host/name",
    "{}",
)


def spellings(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}


def assert_hidden(text: str, secret: str) -> None:
    for spelling in spellings(secret):
        assert spelling not in text


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("canary", CANARIES)
def test_no_error_and_no_repr_shows_a_part_of_a_url(canary: str, template: str) -> None:
    for spelling in spellings(canary):
        text = template.format(spelling)
        try:
            url = parse_database_url(text, source="DATABASE_URL", base_dir=Path("/base"))
        except ConfigurationError as error:
            shown = f"{''.join(traceback.format_exception(error))} {error.hint}"
        else:
            shown = f"{url!r} {url}"
            if "user:{}" not in template and "password={}" not in template:
                continue  # there it is a user's name
        assert_hidden(shown, canary)


@pytest.mark.parametrize("template", [text for text in TEMPLATES if text != "postgresql://{}@host"])
@pytest.mark.parametrize("canary", CANARIES)
def test_an_overridden_url_stays_hidden_whatever_it_is(canary: str, template: str) -> None:
    environ = {
        "QADB_DATABASE_URL": "sqlite:///x.db",
        "DATABASE_URL": template.format(quote(canary, safe="")),
    }
    settings = load_settings(environ=environ, working_dir=Path("/"))
    assert_hidden(repr(settings), canary)


def test_secrets_are_collected_from_every_level(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=mysql://a:in-env-file@h/n\n")
    (tmp_path / "qadb.toml").write_text('[database]\npassword = "in-toml"\n')
    environ = {
        "DATABASE_URL": "postgresql://a:in%20environ@h/n",
        "DATABASE__PASSWORD": "in-parts",
        "DATABASE_REPLICA_URL": "postgresql://a@h/n?password=in-replica",
        "PGPASSWORD": "in-libpq",
    }
    settings = load_settings(
        {"database_url": "postgresql://a:in-option@h/n"}, environ=environ, working_dir=tmp_path
    )
    assert settings.secrets >= {
        "in-option",
        "in environ",
        "in-parts",
        "in-replica",
        "in-libpq",
        "in-env-file",
        "in-toml",
    }
    for secret in settings.secrets:
        assert_hidden(repr(settings), secret)
        assert settings.redact(f"<{secret}>") == "<***>"


def test_raw_values_keep_out_of_repr(tmp_path: Path) -> None:
    (tmp_path / "qadb.toml").write_text('[database]\npassword = "in-toml"\n')
    environ = {"DATABASE__PASSWORD": "in-parts", "DATABASE_URL": "postgresql://a:in-url@h/n"}
    shown = repr(read_sources({}, environ, tmp_path, None))
    for secret in ("in-toml", "in-parts", "in-url"):
        assert secret not in shown


def test_values_hide_a_password_and_its_absence_shows() -> None:
    hidden = load_settings(
        environ={"DATABASE__TYPE": "postgresql", "DATABASE__PASSWORD": "hunter2"},
        working_dir=Path("/"),
    )
    assert hidden.values["DATABASE__PASSWORD"].value == "***"
    assert hidden.values["database_url"].value == "postgresql://:***@/"
    assert (
        load_settings(environ={}, working_dir=Path("/")).values["DATABASE__PASSWORD"].value is None
    )


def test_a_bad_value_beside_a_password_shows_the_value_only() -> None:
    environ = {"DATABASE__PASSWORD": "c@n:a/r%y ", "DATABASE_POOL_SIZE": "many"}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ, working_dir=Path("/"))
    assert caught.value.message == "DATABASE_POOL_SIZE in the environment is 'many'."
    assert_hidden("".join(traceback.format_exception(caught.value)), "c@n:a/r%y ")


def test_logging_hides_secrets_in_arguments_and_tracebacks() -> None:
    logger = logging.getLogger("qadb.test_secrets")
    logger.propagate = False
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("%(message)s", secrets={"hunter2"}))
    logger.addHandler(handler)
    try:
        int("hunter2")
    except ValueError:
        logger.exception("password %s", "hunter2")
    finally:
        logger.removeHandler(handler)
    shown = stream.getvalue()
    assert "hunter2" not in shown
    assert "Traceback" in shown
    assert shown.startswith("password ***")

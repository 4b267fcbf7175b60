from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from qadb.errors import ConfigurationError
from qadb.settings import DatabaseUrl, parse_database_url

BASE = Path("/base")
SOURCE = "DATABASE_URL in the environment"


def parse(text: str) -> DatabaseUrl:
    return parse_database_url(text, source=SOURCE, base_dir=BASE)


@pytest.mark.parametrize(
    "scheme",
    [
        "postgresql",
        "postgres",
        "POSTGRESQL",
        "postgresql+asyncpg",
        "postgres+psycopg",
        "postgresql+psycopg2",
        "postgresql+pg8000",
    ],
)
def test_every_postgresql_driver_name_means_postgresql(scheme: str) -> None:
    url = parse(f"{scheme}://user:pw@host:5433/name")
    assert (url.engine, url.user, url.password) == ("postgresql", "user", "pw")
    assert (url.hosts, url.database) == ((("host", 5433),), "name")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///data/x.db", "/base/data/x.db"),
        ("sqlite:///./data/x.db", "/base/data/x.db"),
        ("sqlite:///data/../x.db", "/base/x.db"),
        ("sqlite:////abs/x.db", "/abs/x.db"),
        ("sqlite+aiosqlite:///x.db", "/base/x.db"),
        ("sqlite+pysqlite:////abs/x.db", "/abs/x.db"),
        ("SQLite:///x.db", "/base/x.db"),
        ("sqlite:///file:x.db?uri=true", "/base/x.db"),
        ("sqlite:///x.db?check_same_thread=false", "/base/x.db"),
        ("sqlite:///my%20file.db", "/base/my%20file.db"),
        ("sqlite:///C:/x.db", "C:/x.db"),
        ("  sqlite:///x.db\r\n", "/base/x.db"),
    ],
)
def test_sqlite_paths_become_absolute(text: str, path: str) -> None:
    url = parse(text)
    assert url.engine == "sqlite"
    assert url.path is not None
    assert url.path.as_posix() == path
    assert not url.is_memory


def test_a_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert parse("sqlite:///~/x.db").path == Path("/home/ann/x.db")


@pytest.mark.parametrize(
    "text",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        ":memory:",
        "file::memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:name?mode=memory&cache=shared",
    ],
)
def test_memory_databases_are_recognised(text: str) -> None:
    url = parse(text)
    assert url.is_memory
    assert url.path is None


@pytest.mark.parametrize(
    "password",
    [
        "c@n:a/r%y ",
        "@@//::",
        "a?b",
        "pa?x=1",
        "a#b",
        "100%",
        "%zz",
        "with blank",
        "'quote\"",
        "back\\slash",
        "ünïcode",
    ],
)
def test_a_raw_password_is_read_as_it_stands(password: str) -> None:
    url = parse(f"postgresql://user:{password}@host:5432/name?sslmode=require")
    assert url.password == password
    assert (url.user, url.hosts, url.database) == ("user", (("host", 5432),), "name")
    assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize("password", ["c@n:a/r%y ", "p%20w", "a?b=c&d", "#+%2F", "ünïcode"])
def test_a_percent_encoded_password_is_decoded(password: str) -> None:
    url = parse(f"postgresql://user:{quote(password, safe='')}@host/name")
    assert url.password == password


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("postgresql:///name", ()),
        ("postgresql://", ()),
        ("postgresql://h", (("h", None),)),
        ("postgresql://h:/name", (("h", None),)),
        ("postgresql://:5433/name", (("", 5433),)),
        ("postgresql://h1:1,h2:2/name", (("h1", 1), ("h2", 2))),
        ("postgresql://u:p@h1,h2:2/name", (("h1", None), ("h2", 2))),
        ("postgresql://[::1]:5432/name", (("::1", 5432),)),
        ("postgresql://[fe80::1%25eth0]/name", (("fe80::1%eth0", None),)),
        ("postgresql:///name?host=/var/run/postgresql", (("/var/run/postgresql", None),)),
        ("postgresql:///name?host=/run&port=5433", (("/run", 5433),)),
        ("postgresql://u:p@/name?host=a&port=7", (("a", 7),)),
        ("postgresql://u@/name?host=a:1&host=b:2", (("a", 1), ("b", 2))),
        ("postgresql://h1,h2/name?port=7", (("h1", 7), ("h2", 7))),
        ("postgresql://%2Fvar%2Frun:5433/name", (("/var/run", 5433),)),
    ],
)
def test_hosts_are_read_in_every_spelling(
    text: str, hosts: tuple[tuple[str, int | None], ...]
) -> None:
    assert parse(text).hosts == hosts


def test_a_question_mark_in_a_raw_password_starts_no_options() -> None:
    assert parse("postgresql://user:pa?x=1@host/name").password == "pa?x=1"


def test_undecodable_text_is_not_chained_to_the_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("postgresql://u:%ff@h/n")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_options_for_libpq_hold_everything_in_clear() -> None:
    url = parse("postgresql://u:c%40n@h1:1,h2/name?sslmode=require&connect_timeout=3")
    assert url.libpq_options() == {
        "host": "h1,h2",
        "port": "1,",
        "user": "u",
        "password": "c@n",
        "dbname": "name",
        "sslmode": "require",
        "connect_timeout": "3",
    }


def test_what_a_url_leaves_out_is_left_to_libpq() -> None:
    assert parse("postgresql://").libpq_options() == {}
    assert parse("sqlite:///x.db").libpq_options() == {}


def test_user_and_name_may_stand_among_the_options() -> None:
    url = parse("postgresql://h/?user=a@b&dbname=n")
    assert (url.user, url.database, url.query) == ("a@b", "n", {})


@pytest.mark.parametrize(
    ("option", "mode"),
    [
        ("ssl=require", "require"),
        ("ssl=true", "require"),
        ("ssl=verify-full", "verify-full"),
        ("sslmode=VERIFY-CA", "verify-ca"),
        ("ssl=disable&sslmode=require", "require"),
    ],
)
def test_ssl_options_become_sslmode(option: str, mode: str) -> None:
    assert parse(f"postgresql+asyncpg://h/n?{option}").query == {"sslmode": mode}


def test_asyncpg_tuning_is_left_out() -> None:
    assert parse("postgresql+asyncpg://h/n?statement_cache_size=0").query == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "postgres://user:pw@host:5432/name?sslmode=require&password=pw2",
            "postgresql://user:***@host:5432/name?sslmode=require&password=***",
        ),
        ("postgresql://user@h1:1,h2/name", "postgresql://user@h1:1,h2/name"),
        ("postgresql://u:p@[::1]:5/n", "postgresql://u:***@[::1]:5/n"),
        ("postgresql:///n?host=/run&port=7", "postgresql:///n?host=/run&port=7"),
        ("postgresql://u%40x:p@h/a%2Fb", "postgresql://u%40x:***@h/a%2Fb"),
        (
            "postgresql://h/n?sslpassword=x&passfile=/p",
            "postgresql://h/n?sslpassword=***&passfile=/p",
        ),
        ("sqlite:///x.db", "sqlite:////base/x.db"),
        ("sqlite://", "sqlite:///:memory:"),
    ],
)
def test_the_shown_form_hides_secrets_and_nothing_else(text: str, shown: str) -> None:
    url = parse(text)
    assert url.shown == shown
    assert str(url) == shown
    assert repr(url) == f"DatabaseUrl({shown!r})"


def test_secrets_are_those_of_the_options_too() -> None:
    url = parse("postgresql://u:one@h/n?password=two&sslpassword=three&oauth_client_secret=four")
    assert url.secrets == {"one", "two", "three", "four"}
    assert url.redact("one two three four five") == "*** *** *** *** five"


def test_another_database_keeps_everything_else() -> None:
    url = parse("postgresql://u:p@h:1/name?sslmode=require").with_database("postgres")
    assert url.shown == "postgresql://u:***@h:1/postgres?sslmode=require"
    assert url.password == "p"
    with pytest.raises(ValueError, match="names a file"):
        parse("sqlite:///x.db").with_database("other")


def test_urls_compare_and_hash_by_value() -> None:
    assert len({parse("postgresql://u:p@h/n"), parse("postgres://u:p@h/n")}) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mysql://u:p@h/n", "the engine 'mysql'; qadb supports sqlite and postgresql"),
        ("hunter2", "is not a database URL"),
        ("./data/x.db", "is not a database URL"),
        ("sqlite://x.db", "two slashes"),
        ("sqlite:///x.db?mode=ro", "takes none for SQLite"),
        ("sqlite:///x\0.db", "NUL"),
        ("postgresql://u:p%00@h/n", "NUL"),
        ("postgresql://h:port/n", "a port that is no number from 1 to 65535"),
        ("postgresql://h:0/n", "a port that is no number from 1 to 65535"),
        ("postgresql://h:65536/n", "a port that is no number from 1 to 65535"),
        ("postgresql://::1:5432/n", "several colons"),
        ("postgresql://[::1/n", "a host that can't be one"),
        ("postgresql://a b/n", "a host that can't be one"),
        ("postgresql://h1,h2,h3/n?port=1,2", "3 hosts and 2 ports"),
        ("postgresql://u:%ff@h/n", "not as UTF-8"),
        ("postgresql://h/n?sslmod=require", "the option 'sslmod'"),
        ("postgresql://h/n?sslmode", "not key=value"),
        ("postgresql://h/n?sslmode=on", "no SSL mode"),
    ],
)
def test_a_wrong_url_is_refused_by_its_source(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert caught.value.message.startswith(SOURCE)
    assert says in caught.value.message


def test_a_misspelt_option_gets_a_suggestion() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("postgresql://h/n?sslmod=require")
    assert caught.value.hint == "Did you mean 'sslmode'?"

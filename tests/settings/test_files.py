from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qadb.errors import ConfigurationError
from qadb.settings import Settings, load_settings


def load(folder: Path, **environ: str) -> Settings:
    return load_settings(environ=environ, working_dir=folder)


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "src" / "deep"
    folder.mkdir(parents=True)
    return folder


def test_the_nearest_env_file_upwards_is_read(deep: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QADB_TENANT=far\nQADB_LOG_LEVEL=info\n")
    (tmp_path / "project" / ".env").write_text("QADB_TENANT=near\n")
    (deep / ".env").mkdir()
    settings = load(deep)
    assert settings.tenant == "near"
    assert settings.log_level == "warning"


def test_a_named_env_file_replaces_the_nearest(deep: Path, tmp_path: Path) -> None:
    (deep / ".env").write_text("QADB_TENANT=near\n")
    (tmp_path / "other.env").write_text("QADB_LOG_LEVEL=info\nQADB_BACKUP_DIR=b\n")
    named = tmp_path / "other.env"
    settings = load_settings(environ={}, working_dir=deep, env_file=named)
    assert (settings.tenant, settings.log_level) == (None, "info")
    assert settings.backup_dir == tmp_path / "b"
    assert settings.values["QADB_LOG_LEVEL"].source == f".env ({named})"


def test_a_named_env_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--env-file names .*none\.env"):
        load_settings(environ={}, working_dir=tmp_path, env_file=Path("none.env"))


def test_a_named_env_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        load_settings(environ={}, working_dir=tmp_path, env_file=tmp_path)


def test_an_env_file_is_read_as_dotenv_reads_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "\ufeffexport QADB_TENANT='acme' # comment\n"
        'DATABASE__PASSWORD="c@n:a/r%y "\nDATABASE__TYPE=postgresql\nOTHER=1\n',
        encoding="utf-8",
    )
    settings = load(tmp_path)
    assert settings.tenant == "acme"
    assert settings.database_url.password == "c@n:a/r%y "


def test_a_bad_line_in_an_env_file_is_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("QADB_TENANT=acme\nthis is: no 'assignment\n")
    settings = load(tmp_path)
    assert settings.tenant == "acme"
    assert len(settings.notes) == 1
    assert str(tmp_path / ".env") in settings.notes[0]
    assert caplog.records == []


def test_an_env_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"QADB_TENANT=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(tmp_path)


def test_relative_paths_belong_to_the_file_they_stand_in(deep: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///data/e.db\n")
    (tmp_path / "project" / "qadb.toml").write_text('backup_dir = "../kept"\n')
    settings = load(deep)
    assert settings.database_url.path == tmp_path / "data" / "e.db"
    assert settings.backup_dir == (tmp_path / "kept").resolve()


def test_relative_paths_elsewhere_belong_to_the_working_folder(deep: Path) -> None:
    settings = load_settings(
        {"backup_dir": "b"}, environ={"DATABASE_URL": "sqlite:///x.db"}, working_dir=deep
    )
    assert settings.database_url.path == deep / "x.db"
    assert settings.backup_dir == deep / "b"


def test_parts_in_toml_name_a_file_beside_it(deep: Path, tmp_path: Path) -> None:
    (tmp_path / "qadb.toml").write_text('[database]\ntype = "sqlite"\nname = "q.db"\n')
    assert load(deep).database_url.path == tmp_path / "q.db"


def test_two_dots_behind_a_symbolic_link_mean_what_the_system_means(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "inner")
    settings = load(tmp_path, QADB_BACKUP_DIR="link/../backups")
    assert settings.backup_dir == (tmp_path / "real" / "backups").resolve()


def test_the_nearest_table_is_read_and_others_are_passed_over(deep: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.qadb]\nslow_query_ms = 250\n")
    (tmp_path / "project" / "pyproject.toml").write_text('[project]\nname = "qadb-user"\n')
    (deep / "pyproject.toml").write_text("this is no TOML and says nothing of us")
    settings = load(deep)
    assert settings.slow_query_ms == 250
    source = f"{tmp_path / 'pyproject.toml'} [tool.qadb]"
    assert settings.values["QADB_SLOW_QUERY_MS"].source == source


def test_of_two_tables_in_one_folder_ours_wins_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.qadb]\ntenant = "theirs"\n')
    (tmp_path / "qadb.toml").write_text('tenant = "ours"\n')
    settings = load(tmp_path)
    assert settings.tenant == "ours"
    assert settings.values["QADB_TENANT"].source == str(tmp_path / "qadb.toml")
    assert len(settings.notes) == 1
    assert "[tool.qadb]" in settings.notes[0]


def test_every_toml_spelling_reaches_its_variable(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.qadb]\n"
        'database_replica_url = "postgresql://r/n"\n'
        "database_echo = true\ndebug = true\ndatabase_pool_size = 2\n"
        "[tool.qadb.database]\n"
        'type = "postgresql"\nhost = "h"\nport = 5433\nname = "n"\nuser = "u"\npassword = "p"\n'
        'ssl_mode = "require"\nmax_overflow = 3\npool_recycle = 4\npool_timeout = 5\n'
        "connect_retries = 6\n"
    )
    settings = load(tmp_path)
    assert settings.database_url.shown == "postgresql://u:***@h:5433/n?sslmode=require"
    assert settings.replica_url is not None
    assert (settings.echo, settings.debug) == (True, True)
    assert (settings.pool_size, settings.max_overflow, settings.connect_retries) == (2, 3, 6)
    assert (settings.pool_recycle_seconds, settings.pool_timeout_seconds) == (4, 5)
    assert settings.values["DATABASE__PORT"].value == 5433


@pytest.mark.parametrize(
    ("content", "says", "hint"),
    [
        ('tennant = "x"', "the unknown key 'tennant'", "Did you mean 'tenant'?"),
        ("[database]\nprot = 1", "the unknown key 'database.prot'", "'database.port'"),
        ("[pool]\nsize = 1", "the unknown key 'pool'", None),
        ("tenant = 5", "tenant in ", None),
        ("database_pool_size = '5'", "must be a whole number", None),
        ("database_pool_size = true", "must be a whole number", None),
        ("debug = 1", "must be true or false", None),
        ("debug = 'app:*'", "must be true or false", None),
        ("database = 'x'", "the unknown key 'database'", None),
        ("tenant = ['a']", "must be a string", None),
        ("[database]\npassword = 12345", "database.password in ", None),
        ("database_echo = true\n[database]\necho = true", "says again what", None),
    ],
)
def test_a_wrong_key_or_type_is_refused_by_file_and_key(
    content: str, says: str, hint: str | None, tmp_path: Path
) -> None:
    (tmp_path / "qadb.toml").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path)
    assert says in caught.value.message
    assert str(tmp_path / "qadb.toml") in caught.value.message
    assert "12345" not in caught.value.message
    if hint is not None:
        assert hint in str(caught.value.hint)


def test_toml_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "qadb.toml").write_text('\ufefftenant = "acme"\n', encoding="utf-8")
    assert load(tmp_path).tenant == "acme"


def test_broken_toml_is_refused_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "qadb.toml").write_text('tenant = "a"\npassword = hunter2\n')
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path)
    assert caught.value.message.startswith(f"{tmp_path / 'qadb.toml'}:2 ")
    assert "hunter2" not in caught.value.message


def test_a_tool_table_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nqadb = 3\n")
    with pytest.raises(ConfigurationError, match=r"tool\.qadb in .* is not a table"):
        load(tmp_path)


def test_settings_load_no_database_library_and_no_file_reader(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom qadb.settings import load_settings\n"
        "load_settings(environ={'DATABASE_URL': 'postgresql://u:p@h/n'})\n"
        "heavy = {'sqlalchemy', 'psycopg2', 'sqlite3', 'alembic', 'dotenv', 'tomllib', 'logging',"
        " 'urllib.request'}\nprint(sorted(heavy & sys.modules.keys()))"
    )
    checkout = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"

"""PostgreSQL's URLs: libpq's own grammar, read leniently where a password is written raw.

Owns the split into user, hosts, name and options. Which options exist is libpq's knowledge, kept
here as a list so that a misspelt one is refused by name before anything connects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from qadb.errors import ConfigurationError
from qadb.settings.definitions import SSL_MODES
from qadb.settings.url import DatabaseUrl, Host, is_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

# https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS, without replication
_LIBPQ_OPTIONS = frozenset(
    {
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "dbname",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "gsslib",
        "host",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_issuer",
        "oauth_scope",
        "options",
        "passfile",
        "password",
        "port",
        "require_auth",
        "requirepeer",
        "requiressl",
        "scram_client_key",
        "scram_server_key",
        "service",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcertmode",
        "sslcompression",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslkeylogfile",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "tcp_user_timeout",
        "user",
    }
)
# Tuning of asyncpg and its SQLAlchemy dialect; it means nothing to another driver.
_ASYNCPG_TUNING = frozenset(
    {"async_fallback", "prepared_statement_cache_size", "statement_cache_size"}
)
_SSL_SYNONYMS = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
_OPTION = r"[A-Za-z_][\w.]*=[^?&]*"
_QUERY = rf"(?:{_OPTION}(?:&{_OPTION})*&?)?"
_HOST = r"[^\s@/?#'\"\\,:\[\]]*"
_IPV6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?"
_ENCODE_HINT = "Percent-encode special characters in the user and password (@ is %40, / is %2F)."


def parse_postgresql(rest: str, *, source: str) -> DatabaseUrl:
    """Read what follows ``postgresql://``.

    The user info ends at the last "@" before the options; a "%" without two hex digits is itself.

    Raises:
        ConfigurationError: a port, host or option is wrong; no message repeats the password.
    """
    head, query = _split_query(rest)
    user_info, authority = _split_user_info(head)
    hosts_text, _, name = authority.partition("/")
    if "?" in authority:
        raise ConfigurationError(
            f"{source} has something after '?' that is not key=value.", hint=_ENCODE_HINT
        )
    user, _, password = user_info.partition(":")
    options = _read_options(query, source=source)
    hosts = _hosts_of(hosts_text, options, source=source)
    return DatabaseUrl(
        engine="postgresql",
        user=_last(options.pop("user", [])) or _decode(user, source=source) or None,
        password=_decode(password, source=source) or None,
        hosts=hosts,
        database=_last(options.pop("dbname", [])) or _decode(name, source=source) or None,
        query=_translate_ssl({key: values[-1] for key, values in options.items()}, source=source),
    )


def parse_hosts(hosts: str, ports: str = "", *, source: str) -> tuple[Host, ...]:
    """Read comma-separated hosts, and ports in the same order (one port serves them all).

    Raises:
        ConfigurationError: a host or port can't be one, or their numbers differ.
    """
    found = tuple(_parse_host(host, source=source) for host in hosts.split(",")) if hosts else ()
    return _with_ports(found, ports, source=source) if ports else found


def check_ssl_mode(mode: str, *, source: str) -> str:
    """Return the mode in libpq's spelling, or raise a ConfigurationError."""
    lowered = mode.strip().lower()
    if lowered not in SSL_MODES:
        raise ConfigurationError(
            f"{source} states no SSL mode that libpq knows.",
            hint=f"Use one of {', '.join(SSL_MODES)}.",
        )
    return lowered


def _with_ports(hosts: tuple[Host, ...], ports: str, *, source: str) -> tuple[Host, ...]:
    """Give the hosts their ports; ports alone belong to libpq's default host."""
    numbers = [_parse_port(port, source=source) for port in ports.split(",")]
    names = [host for host, _ in hosts] or [""] * len(numbers)
    if len(numbers) == 1:
        numbers *= len(names)
    if len(numbers) != len(names):
        raise ConfigurationError(f"{source} has {len(names)} hosts and {len(numbers)} ports.")
    return tuple(zip(names, numbers, strict=True))


def _split_query(rest: str) -> tuple[str, str]:
    """Cut off the options; a "?" with something else behind it belongs to the password."""
    for question in re.finditer(r"\?", rest):
        head, tail = rest[: question.start()], rest[question.end() :]
        if re.fullmatch(_QUERY, tail) and ("@" not in tail or _are_known(tail)):
            return head, tail
    return rest, ""


def _are_known(query: str) -> bool:
    keys = {option.partition("=")[0] for option in query.split("&") if option}
    return keys <= _LIBPQ_OPTIONS


def _split_user_info(head: str) -> tuple[str, str]:
    if head.startswith("/"):
        return "", head
    user_info, _, authority = head.rpartition("@")
    return user_info, authority


def _decode(text: str, *, source: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        # The exception holds the text, which may be the password: it must not be chained.
        raise ConfigurationError(
            f"{source} is percent-encoded, but not as UTF-8.", hint=_ENCODE_HINT
        ) from None


def _read_options(query: str, *, source: str) -> dict[str, list[str]]:
    """The options that libpq knows, each with all its values."""
    options: dict[str, list[str]] = {}
    for key, _, value in (option.partition("=") for option in query.split("&") if option):
        if key in _ASYNCPG_TUNING:
            continue
        if key not in _LIBPQ_OPTIONS | {"ssl"}:
            _refuse_option(key, source=source)
        options.setdefault(key, []).append(_decode(value, source=source))
    return options


def _refuse_option(key: str, *, source: str) -> None:
    from difflib import get_close_matches  # noqa: PLC0415  # only an error needs it

    close = get_close_matches(key, _LIBPQ_OPTIONS, n=1)
    meant = f"Did you mean '{close[0]}'?" if close else "Leave it out; libpq's manual lists them."
    raise ConfigurationError(f"{source} has the option '{key}', which libpq lacks.", hint=meant)


def _hosts_of(hosts_text: str, options: dict[str, list[str]], *, source: str) -> tuple[Host, ...]:
    """The hosts, from the options where they stand there (sockets must, SQLAlchemy's lists do)."""
    stated = ",".join(options.pop("host", []))
    ports = ",".join(options.pop("port", []))
    if stated or not hosts_text:
        return parse_hosts(stated, ports, source=source)
    hosts = tuple(_parse_url_host(host, source=source) for host in hosts_text.split(","))
    return _with_ports(hosts, ports, source=source) if ports else hosts


def _parse_url_host(text: str, *, source: str) -> Host:
    """Read one host of a URL: a socket's slashes are percent-encoded, IPv6 is bracketed."""
    if text.count(":") > 1 and not text.startswith("["):
        raise ConfigurationError(
            f"{source} has a host with several colons.",
            hint=f"Put an IPv6 address in brackets, [::1]:5432. {_ENCODE_HINT}",
        )
    if text.startswith("["):
        return _parse_host(_decode(text, source=source), source=source)
    host, _, port = text.partition(":")
    name = _decode(host, source=source)
    return _check_host(name, source=source), _parse_port(port, source=source)


def _parse_host(text: str, *, source: str) -> Host:
    """Read a host that stands alone or with its port; a bare IPv6 address has none."""
    if is_socket(text) or re.fullmatch(_IPV6, text):
        return text, None
    bracketed = re.fullmatch(r"\[(.+)\](?::(.*))?", text)
    host, port = bracketed.groups("") if bracketed else text.partition(":")[::2]
    return _check_host(host, source=source), _parse_port(port, source=source)


def _check_host(host: str, *, source: str) -> str:
    if is_socket(host) or re.fullmatch(_HOST, host) or re.fullmatch(_IPV6, host):
        return host
    raise ConfigurationError(f"{source} has a host that can't be one.", hint=_ENCODE_HINT)


def _parse_port(text: str, *, source: str) -> int | None:
    """Read a port; a wrong one is not repeated, for it may be a piece of a password."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:  # noqa: PLR2004
        raise ConfigurationError(
            f"{source} has a port that is no number from 1 to 65535.",
            hint=f"A URL ends in @host:port/name. {_ENCODE_HINT}",
        )
    return int(text)


def _translate_ssl(query: dict[str, str], *, source: str) -> dict[str, str]:
    """Turn asyncpg's and JDBC's ``ssl`` into ``sslmode`` and check the mode."""
    ssl = query.pop("ssl", None)
    if ssl is not None and "sslmode" not in query:
        query["sslmode"] = _SSL_SYNONYMS.get(ssl.lower(), ssl)
    if "sslmode" in query:
        query["sslmode"] = check_ssl_mode(query["sslmode"], source=source)
    return query


def _last(values: Sequence[str]) -> str | None:
    return values[-1] if values else None

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from qadb.redaction import redact

SECRETS = (
    "c@n:a/r%y ",
    "p%20w",
    "c@n:a/r%y p%20w",
    'it\'s "quoted" \\x',
    "a\\\\b'c",
    "%25%",
    "a+b c&<d>",
    "x\nünï\tcode",
)


def spellings(secret: str) -> dict[str, str]:
    encoded = quote(secret, safe="")
    lowered = "".join(
        piece.lower() if index % 2 else piece for index, piece in enumerate(_split_percent(encoded))
    )
    return {
        "raw": secret,
        "percent-encoded": encoded,
        "percent-encoded but the slash": quote(secret),
        "percent-encoded as SQLAlchemy does": quote(secret, safe=" +"),
        "as a form": quote_plus(secret),
        "lower-case hex": lowered,
        "doubled for a configuration file": encoded.replace("%", "%%"),
        "raw, doubled for a configuration file": secret.replace("%", "%%"),
        "encoded twice": quote(encoded, safe=""),
        "repr": repr(secret)[1:-1],
        "repr of bytes": repr(secret.encode())[2:-1],
        "JSON": json.dumps(secret)[1:-1],
        "JSON in Unicode": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "libpq": secret.replace("\\", "\\\\").replace("'", "\\'"),
        "SQL": secret.replace("'", "''"),
        "shell": secret.replace("'", "'\"'\"'"),
    }


def _split_percent(encoded: str) -> list[str]:
    """Alternate between plain text and two hex digits."""
    head, *rest = encoded.split("%")
    pieces = [head + "%"] if rest else [head]
    for index, piece in enumerate(rest):
        pieces += [piece[:2], piece[2:] + ("%" if index < len(rest) - 1 else "")]
    return pieces


@pytest.mark.parametrize("secret", SECRETS)
def test_every_spelling_of_a_secret_is_hidden(secret: str) -> None:
    for name, spelling in spellings(secret).items():
        assert redact(f"before {spelling} after", [secret]) == "before *** after", name


def test_text_without_secrets_stays_as_it_is() -> None:
    text = 'passed=3 pass_rate=0.9 tokens=5 user="postgres" a@b https://host/path?x=1'
    assert redact(text, ["hunter2"]) == text


def test_overlapping_secrets_leave_nothing() -> None:
    assert redact("-abcdefg-", ["abcd", "cdefg"]) == "-***-"
    assert redact("-abcdefg-", ["abc", "abcdefg"]) == "-***-"
    assert redact("-abcdefg-", ["abcdefg", "cde"]) == "-***-"


@pytest.mark.parametrize("secret", ["", " ", "a", "ab", "postgres", "Password"])
def test_short_and_ordinary_secrets_do_not_eat_the_message(secret: str) -> None:
    text = "role postgres may not read a table of the password store"
    assert redact(text, [secret]) == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://user:ab@host/name", "postgresql://user:***@host/name"),
        ("mysql://u:p@ss@h/n, next", "mysql://u:***@h/n, next"),
        ("://:x@h", "://:***@h"),
        ("postgresql://u:***@h/n?application_name=a@b",) * 2,
        ("host=h password=ab user=u", "host=h password=*** user=u"),
        ("?sslpassword=ab&x=1", "?sslpassword=***&x=1"),
        ("PGPASSWORD=ab pg_dump", "PGPASSWORD=*** pg_dump"),
        ("PGPASSWORD='a b' pg_dump", "PGPASSWORD=*** pg_dump"),
        ("password='a\\'b' x", "password=*** x"),
        ("DatabaseUrl(password='ab', user='u')", "DatabaseUrl(password=***, user='u')"),
        ("{'password': 'a b', 'port': 1}", "{'password': ***, 'port': 1}"),
        ('{"api_token": "ab", "port": 1}', '{"api_token": ***, "port": 1}'),
        ("ALTER ROLE r PASSWORD 'it''s' VALID", "ALTER ROLE r PASSWORD *** VALID"),
    ],
)
def test_what_stands_where_a_password_stands_is_hidden_unknown(text: str, hidden: str) -> None:
    assert redact(text) == hidden


def test_redacting_twice_changes_nothing() -> None:
    once = redact("postgresql://u:p@h password=x hunter2", ["hunter2"])
    assert redact(once, ["hunter2"]) == once

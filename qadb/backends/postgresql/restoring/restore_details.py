"""What a PostgreSQL backup notes about its database, read back for a restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.backends.postgresql.programs.finding import VERSION_DIGITS, major_of
from qadb.errors import BackupDamaged

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RestoreDetails:
    """The details of `dump_facts.read_facts`, checked.

    Attributes:
        server_major: of the server that was backed up.
        dump_major: of the pg_dump that wrote the archive.
        locale: the collation provider's own locale; None where the C library is the provider.
        acl: the rights on the database as the server writes them, None for the usual ones.
        settings: pairs of a role, or None for all of them, and its ``name=value`` settings.
    """

    server_version: str
    server_major: int
    dump_version: str
    dump_major: int
    encoding: str
    collate: str
    ctype: str
    locale_provider: str | None
    locale: str | None
    icu_rules: str | None
    owner: str
    acl: str | None
    comment: str | None
    has_public: bool
    roles: tuple[str, ...]
    owners: tuple[str, ...]
    extensions: tuple[str, ...]
    tablespaces: tuple[str, ...]
    settings: tuple[tuple[str | None, tuple[str, ...]], ...]


def read_details(details: Mapping[str, object]) -> RestoreDetails:
    """Read what `dump_facts.read_facts` has noted.

    Raises:
        BackupDamaged: something is missing, or is not what it should be.
    """
    try:
        return _read(details)
    except (KeyError, TypeError, ValueError) as error:
        raise BackupDamaged(
            f"The backup's notes about its database can't be read: {error!r}.",
            hint="Take another backup.",
        ) from error


def _read(details: Mapping[str, object]) -> RestoreDetails:
    dump_version = _text(details, "pg_dump")
    number = details["server_version_num"]
    if not isinstance(number, int):
        raise TypeError("server_version_num")
    return RestoreDetails(
        server_version=_text(details, "server_version"),
        server_major=number // VERSION_DIGITS,
        dump_version=dump_version,
        dump_major=major_of(dump_version),
        encoding=_text(details, "encoding"),
        collate=_text(details, "collate"),
        ctype=_text(details, "ctype"),
        locale_provider=_text_or_none(details, "locale_provider"),
        locale=_text_or_none(details, "locale"),
        icu_rules=_text_or_none(details, "icu_rules"),
        owner=_text(details, "owner"),
        acl=_text_or_none(details, "acl"),
        comment=_text_or_none(details, "comment"),
        has_public=details.get("has_public") is not False,
        roles=_texts(details["roles"]),
        owners=_texts(details["owners"]),
        extensions=_texts(details["extensions"]),
        tablespaces=_texts(details["tablespaces"]),
        settings=tuple(_setting(each) for each in _list(details["settings"])),
    )


def _text(details: Mapping[str, object], key: str) -> str:
    value = details[key]
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _text_or_none(details: Mapping[str, object], key: str) -> str | None:
    return None if details.get(key) is None else _text(details, key)


def _list(value: object) -> list[object]:
    """The members of a list, or the names in an object."""
    if not isinstance(value, (list, tuple, dict)):
        raise TypeError(type(value).__name__)
    return list(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in _list(value))


def _setting(value: object) -> tuple[str | None, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise TypeError("settings")
    return _text_or_none(value, "role"), _texts(value["settings"])

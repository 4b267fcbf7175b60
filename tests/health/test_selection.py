"""Which checks run: ids, groups, what the configuration leaves out, and limits of one's own."""

from __future__ import annotations

import pytest

from qadb.backends.registry import ENGINES, load_backend
from qadb.checks import Check, Finding, some_or_none
from qadb.errors import ConfigurationError
from qadb.health.catalogue import all_checks, statement_of
from qadb.health.selection import find_check, select
from qadb.models import schema
from qadb.schema import Schema
from qadb.settings.health import HealthSettings, OwnLimits

CHECKS = all_checks(schema)


def chosen(
    *only: str,
    skip: tuple[str, ...] = (),
    deep: bool = False,
    engine: str = "sqlite",
    settings: HealthSettings | None = None,
) -> dict[str, str | None]:
    found = select(
        CHECKS,
        engine=engine,
        only=only,
        skip=skip,
        deep=deep,
        settings=settings or HealthSettings(),
    )
    return {each.check.id: each.skip_reason for each in found}


def test_all_that_are_for_the_engine_run_but_the_deep_ones() -> None:
    usual = {c.id for c in CHECKS if "sqlite" in c.engines and c.cost != "deep"}
    deep = {c.id for c in CHECKS if "sqlite" in c.engines}

    assert chosen().keys() == usual
    assert chosen(deep=True).keys() == deep > usual


def test_groups_ids_and_short_ids_select() -> None:
    assert {name[:6] for name in chosen("schema")} == {"QADB-S"}
    assert chosen("QADB-S03").keys() == {"QADB-S03"}
    assert chosen("s03", "D01,b02").keys() == {"QADB-S03", "QADB-D01", "QADB-B02"}


def test_a_deep_check_that_is_named_runs() -> None:
    assert chosen("D03") == {"QADB-D03": None}


def test_a_check_for_another_engine_says_so_when_it_is_named() -> None:
    assert chosen("S06") == {"QADB-S06": "It is for postgresql."}


def test_what_is_left_out_has_its_reason() -> None:
    settings = HealthSettings(skip={"QADB-B01": "a copy for tests"})

    found = chosen(skip=("data",), settings=settings)

    assert found["QADB-D01"] == "Left out with --skip."
    assert found["QADB-B01"] == "a copy for tests"
    assert found["QADB-S03"] is None
    assert chosen("B01", settings=settings) == {"QADB-B01": None}
    assert chosen("backups", settings=settings)["QADB-B01"] == "a copy for tests"


@pytest.mark.parametrize(("word", "hint"), [("QADB-S99", "QADB-S0"), ("backup", "backups")])
def test_a_check_that_is_none_is_refused(word: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        chosen(word)

    assert hint in (refusal.value.hint or "")
    with pytest.raises(ConfigurationError, match="--explain"):
        find_check(CHECKS, "nothing")


def test_a_configuration_that_names_no_check_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"qadb\.toml names 'X1'"):
        chosen(settings=HealthSettings(skip={"X1": "why"}, source="qadb.toml"))


def test_limits_of_ones_own_take_the_place_of_the_usual() -> None:
    settings = HealthSettings(limits={"QADB-B01": OwnLimits(warn=1)}, source="qadb.toml")
    found = select(CHECKS, engine="sqlite", only=(), skip=(), deep=False, settings=settings)

    (limits,) = [each.check.limits for each in found if each.check.id == "QADB-B01"]
    assert (limits.warn, limits.crit, limits.source) == (1, 50, "qadb.toml")


def test_every_check_says_all_that_there_is_to_say() -> None:
    for check in CHECKS:
        assert check.id.startswith("QADB-"), check
        for text in (check.title, check.why, check.remedy, check.limits.source):
            assert text.strip(), check.id
        assert check.engines <= set(ENGINES)
        for engine in check.engines:
            backend = load_backend(engine)
            assert set(check.facts) <= backend.inspector.statements.keys(), check.id
            assert statement_of(check, backend).strip(), check.id


def test_the_worst_that_a_check_reports_is_what_its_limits_allow() -> None:
    for check in CHECKS:
        if check.severity == "warn":
            assert check.limits.crit is None, check.id


def test_a_statement_is_told_on_the_other_engine_too() -> None:
    check = find_check(CHECKS, "S06")

    assert "pg_index" in statement_of(check, load_backend("sqlite"))


def own_probe(_: object) -> Finding:
    return Finding("ok", "It is mine.")


OWN = (
    Check(
        id="QADB-Z01",
        title="Own",
        group="data",
        severity="warn",
        limits=some_or_none(),
        cost="cheap",
        why="Why.",
        remedy="How.",
        probe=own_probe,
    ),
)
TWICE = (*OWN, *OWN)


def test_a_schema_brings_checks_of_its_own() -> None:
    own = Schema("own", schema.metadata_name, schema.migrations, checks_name=f"{__name__}:OWN")
    none = Schema("own", schema.metadata_name, schema.migrations)
    twice = Schema("own", schema.metadata_name, schema.migrations, checks_name=f"{__name__}:TWICE")

    assert "QADB-Z01" in {check.id for check in all_checks(own)}
    assert {check.id for check in all_checks(none)} < {check.id for check in CHECKS}
    with pytest.raises(ValueError, match="QADB-Z01"):
        all_checks(twice)

"""When runs happen, of what kind, and what goes wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from qadb.demo.companies import PERFORMANCE
from qadb.demo.failures import ASSERTION, DATABASE_DOWN, REFUND, VOUCHER
from qadb.demo.plan import DAYS, Scene, draw_sha

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from qadb.demo.companies import App
    from qadb.demo.failures import FailureKind

Flavour = Literal["push", "nightly", "load", "cancelled", "broken", "running"]

FIRST_DAYS_AGO = DAYS - 0.3
LAST_DAYS_AGO = 0.12
LOAD_EVERY_DAYS = 3
RUNNING_SINCE_DAYS = 0.03
SHARDS_WITHIN = timedelta(minutes=30)
NIGHTLY_EVERY = 3
SUITES_A_FAULT = 3

MAIN = "main"
BRANCHES = (
    "feature/gift-cards",
    "feature/one-page-checkout",
    "fix/rounding",
    "fix/größentabelle",
    "chore/upgrade-framework",
)
_CHANCE_OF_BRANCH = 0.5
_CHANCE_OF_BROKEN_BRANCH = 0.44
_OUTAGE_AT = (0.31, 0.74)  # of an application's runs
_SHARE_OF_OUTAGE = 0.6
_SHARE_OF_BROKEN_SUITE = 0.75


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault that was there for some days.

    Attributes:
        tests: a word in the names of those that it hits; empty hits the whole suite.
        bug: its title, and how bad it is.
    """

    kind: FailureKind
    suite: str
    tests: str
    from_days_ago: float
    to_days_ago: float
    bug: str
    severity: str


INCIDENTS = (
    Incident(
        VOUCHER, "checkout.test_voucher", "applies", 1.9, 0.0,
        "Checkout loses the voucher when the cart was renamed", "critical",
    ),
    Incident(
        REFUND, "api.test_refund", "", 18.0, 13.5,
        "Refunds answer 500 while the capture is being booked", "high",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slot:
    """One run, or one of each shard.

    Attributes:
        faults: what goes wrong: kind, suite (empty: all of them), a word in the names of the tests
            that it hits, and the share of those.
    """

    app: App
    flavour: Flavour
    at: datetime
    build: int
    branch: str
    commit_sha: str
    faults: tuple[tuple[FailureKind, str, str, float], ...]


def slots(scene: Scene) -> Sequence[Slot]:
    """The company's runs in the order of their time."""
    found = [slot for app in scene.company.apps for slot in _of_app(scene, app)]
    return sorted(found, key=lambda slot: (slot.at, slot.build))


def started_at(scene: Scene, slot: Slot, shard: int) -> datetime:
    """When a shard of the slot starts: one after the other, within half an hour."""
    return slot.at + SHARDS_WITHIN * shard / scene.plan.scale


def _of_app(scene: Scene, app: App) -> Iterator[Slot]:
    rng = scene.rng(f"schedule of {app.code}")
    moments = [*_moments(scene, app, rng)]
    for build, (at, flavour) in enumerate(sorted(moments), start=app.first_build):
        number = build - app.first_build
        is_branch = flavour == "push" and rng.random() < _CHANCE_OF_BRANCH
        branch = rng.choice(BRANCHES) if is_branch else MAIN
        faults = [*_incidents(scene, app, at), *_branch_faults(app, rng, branch)]
        if flavour == "push" and number in [int(share * app.runs) for share in _OUTAGE_AT]:
            faults = [(DATABASE_DOWN, "", "", _SHARE_OF_OUTAGE)]
        yield Slot(app, flavour, at, build, branch, draw_sha(rng), tuple(faults))


def _moments(scene: Scene, app: App, rng: Random) -> Iterator[tuple[datetime, Flavour]]:
    span = FIRST_DAYS_AGO - LAST_DAYS_AGO
    rare: dict[int, Flavour] = {app.runs // 5: "cancelled", app.runs // 2: "broken"}
    for number in range(app.runs):
        days_ago = FIRST_DAYS_AGO - span * (number + rng.random()) / app.runs
        flavour: Flavour = "nightly" if number % NIGHTLY_EVERY == 0 else "push"
        yield scene.plan.ago(days_ago), rare.get(number, flavour)
    for number in range(DAYS // LOAD_EVERY_DAYS):
        yield scene.plan.ago(LOAD_EVERY_DAYS * (number + 0.5)), "load"
    yield scene.plan.ago(RUNNING_SINCE_DAYS), "running"


def _incidents(
    scene: Scene, app: App, at: datetime
) -> Iterator[tuple[FailureKind, str, str, float]]:
    names = {suite.name for suite in app.suites}
    for incident in INCIDENTS:
        began, ended = scene.plan.ago(incident.from_days_ago), scene.plan.ago(incident.to_days_ago)
        if incident.suite in names and began <= at < ended:
            yield incident.kind, incident.suite, incident.tests, 1.0


def _branch_faults(
    app: App, rng: Random, branch: str
) -> Iterator[tuple[FailureKind, str, str, float]]:
    """Somebody's unfinished work breaks some suites of a branch."""
    if branch == MAIN or rng.random() > _CHANCE_OF_BROKEN_BRANCH:
        return
    suites = [suite.name for suite in app.suites if suite.kind != PERFORMANCE]
    for suite in rng.sample(suites, max(1, len(suites) // SUITES_A_FAULT)):
        yield ASSERTION, suite, "", _SHARE_OF_BROKEN_SUITE

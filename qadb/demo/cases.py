"""Test cases: the same tests once a shard, linked to the features that they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.demo.companies import PERFORMANCE
from qadb.demo.plan import DAYS, Batch, CaseBlock, Scene
from qadb.models import TestCase, TestCaseFeature
from qadb.repositories.ingesting.case_keys import make_case_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.demo.companies import App

COLUMNS = (
    "id",
    "tenant_id",
    "case_key",
    "external_id",
    "name",
    "suite",
    "classname",
    "file",
    "description",
    "application_id",
    "product_id",
    "test_type_id",
    "target_subsystem",
    "required_hardware_id",
    "expected_outcome",
    "timeout_seconds",
    "tags",
    "first_seen_at",
    "last_seen_at",
    "created_at",
    "updated_at",
)
LINK_COLUMNS = ("test_case_id", "feature_id", "tenant_id")
SUITE = "pytest"


def test_cases(scene: Scene) -> Iterator[Batch]:
    """The tests of every application; rows are made as they are written."""
    for app in scene.company.apps:
        tests = sum(1 for _ in app.tests())
        block = CaseBlock(scene.counted[TestCase.__tablename__] + 1, tests)
        scene.counted[TestCase.__tablename__] += tests * scene.plan.scale
        scene.cases[app.code] = block
        yield Batch(TestCase, COLUMNS, _cases(scene, app, block))
        yield Batch(TestCaseFeature, LINK_COLUMNS, _links(scene, app, block))


def classname(app: App, suite: str, shard: int) -> str:
    """The dotted module of a suite; further shards test the same for further regions."""
    region = f"region_{shard + 1:03}." if shard else ""
    return f"tests.{app.code}.{region}{suite}"


def _cases(scene: Scene, app: App, block: CaseBlock) -> Iterator[tuple[object, ...]]:
    plan, tenant_id = scene.plan, scene.company.tenant_id
    first_seen, last_seen = plan.ago(DAYS - 0.2), plan.ago(0.1)
    application_id, product_id = scene.applications[app.code], scene.products[app.code]
    for shard in range(plan.scale):
        for position, (suite, name) in enumerate(app.tests()):
            module = classname(app, suite.name, shard)
            is_load = suite.kind == PERFORMANCE
            yield (
                block.case_id(shard, position),
                tenant_id,
                make_case_key(app.code, SUITE, module, name),
                f"T-{block.case_id(shard, position):05}",
                name,
                SUITE,
                module,
                module.replace(".", "/") + ".py",
                f"{suite.section}: {name.removeprefix('test_').replace('_', ' ')}.",
                application_id,
                product_id,
                scene.reference.test_types[suite.kind],
                suite.section,
                scene.hardware["load-generator"] if is_load else None,
                "passes",
                600 if is_load else 30,
                [suite.kind, suite.section.lower()],
                first_seen,
                last_seen,
                first_seen,
                first_seen,
            )


def _links(scene: Scene, app: App, block: CaseBlock) -> Iterator[tuple[object, ...]]:
    for shard in range(scene.plan.scale):
        for position, (suite, _) in enumerate(app.tests()):
            feature_id = scene.features[f"{app.code}/{suite.section}"]
            yield block.case_id(shard, position), feature_id, scene.company.tenant_id

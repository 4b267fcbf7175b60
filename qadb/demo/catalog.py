"""Catalog: applications, and the machines and environments that their tests run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.demo.plan import Batch, Row, Scene, batch
from qadb.models import Application, Environment, HardwareConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE_DAYS_AGO = 200

# name, architecture, processor, memory in MB, storage in GB, virtual, peripherals
_HARDWARE: tuple[tuple[str, str, str, int, int, bool, list[object]], ...] = (
    ("ci-8-cores", "x86_64", "AMD EPYC 7763", 32_768, 200, True, []),
    ("arm-4-cores", "aarch64", "Ampere Altra", 16_384, 100, True, []),
    ("load-generator", "x86_64", "Intel Xeon Gold 6338", 131_072, 1_000, False,
     [{"kind": "network", "speed_gbit": 25}]),
    ("till", "x86_64", "Intel N100", 8_192, 128, False,
     [{"kind": "card reader"}, {"kind": "receipt printer", "port": "usb"}]),
)  # fmt: skip

# name, kind, status, last used so many days ago, hardware
ENVIRONMENTS = (
    ("ci-linux", "ci", "available", 0.1, "ci-8-cores"),
    ("ci-arm", "ci", "busy", 0.02, "arm-4-cores"),
    ("staging", "staging", "available", 0.4, "ci-8-cores"),
    ("production", "production", "available", 1.3, "ci-8-cores"),
    ("load-lab", "dev", "available", 2.1, "load-generator"),
    ("till-corner", "local", "offline", 9.0, "till"),
    ("old-jenkins", "ci", "retired", 150.0, "ci-8-cores"),
)


def catalog(scene: Scene) -> Iterator[Batch]:
    """Applications, hardware, environments."""
    yield batch(Application, [*_applications(scene)])
    yield batch(HardwareConfig, [*_hardware(scene)])
    yield batch(Environment, [*_environments(scene)])


def _author(scene: Scene) -> int:
    return scene.users[scene.company.people[0].username]


def _applications(scene: Scene) -> Iterator[Row]:
    for app in scene.company.apps:
        row = scene.row(
            Application,
            scene.plan.ago(MADE_DAYS_AGO),
            code=app.code,
            name=app.name,
            description=app.description,
            is_active=True,
            created_by=_author(scene),
        )
        scene.applications[app.code] = scene.counted[Application.__tablename__]
        yield row


def _hardware(scene: Scene) -> Iterator[Row]:
    for name, architecture, cpu_model, memory_mb, storage_gb, is_virtual, peripherals in _HARDWARE:
        row = scene.row(
            HardwareConfig,
            scene.plan.ago(MADE_DAYS_AGO),
            name=name,
            architecture=architecture,
            cpu_model=cpu_model,
            memory_mb=memory_mb,
            storage_gb=storage_gb,
            is_virtual=is_virtual,
            peripherals=peripherals,
        )
        scene.hardware[name] = scene.counted[HardwareConfig.__tablename__]
        yield row


def _environments(scene: Scene) -> Iterator[Row]:
    for name, kind, status, used_days_ago, hardware in ENVIRONMENTS:
        is_retired = status == "retired"
        row = scene.row(
            Environment,
            scene.plan.ago(MADE_DAYS_AGO),
            name=name,
            kind=kind,
            base_url=f"https://{name}.example.org" if kind in ("staging", "production") else None,
            status=status,
            last_used_at=scene.plan.ago(used_days_ago),
            hardware_config_id=scene.hardware[hardware],
            created_by=_author(scene),
            deleted_at=scene.plan.ago(used_days_ago - 10) if is_retired else None,
        )
        scene.environments[name] = scene.counted[Environment.__tablename__]
        yield row

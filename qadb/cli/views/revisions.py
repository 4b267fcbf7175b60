"""`qadb init`, `migrate` and `rollback`: revisions applied or taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Line, Table
from qadb.cli.views.plan import plan_document, plan_text
from qadb.humanize import format_count, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qadb.operations.adopt import AdoptResult
    from qadb.operations.demo import DemoResult
    from qadb.operations.init import InitResult
    from qadb.operations.migrate import MigrateResult
    from qadb.operations.rollback import RollbackResult
    from qadb.revisions.losses import Loss
    from qadb.revisions.runner import AppliedRevision

_MOST_NAMED = 6


def init_document(
    result: InitResult, demo: DemoResult | None = None, *, adopted: AdoptResult | None = None
) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "created": result.created,
        "from": result.from_revision,
        "to": result.to_revision,
        "applied": result.applied,
        "dry_run": False,
        "adopted": None if adopted is None else adopted.adopted,
        "nearest": None,
        "differences": [],
        "demo": demo,
        "backup": result.backup,
    }


def init_text(
    result: InitResult,
    where: str,
    demo: DemoResult | None = None,
    *,
    adopted: AdoptResult | None = None,
) -> Iterator[Block]:
    """Say what was made."""
    if adopted is not None and adopted.adopted:
        rows = (
            f"; {adopted.reference_rows} reference rows written" if adopted.reference_rows else ""
        )
        yield Line(f"Took over {where} at revision {adopted.revision}{rows}.", "ok")
    if result.created:
        yield Line(f"Created {where}", "ok")
    if result.applied:
        yield from _steps(result.applied)
        yield Line(f"{where} is ready at revision {result.to_revision}.", "ok")
        yield from _saved(result.backup)
    else:
        rest = "." if demo is not None and demo.added else ": nothing to do."
        yield Line(f"{where} is at {result.to_revision} already{rest}", "ok")
    if demo is not None:
        yield from _demo(demo)


def _demo(demo: DemoResult) -> Iterator[Block]:
    made_from = f"seed {demo.seed}, scale {demo.scale}"
    if not demo.added:
        known = "" if demo.seed is None else f" ({made_from})"
        yield Line(f"The demo data are there already{known}; nothing was changed.", "ok")
        return
    results, runs = (demo.rows[name] for name in ("test_results", "test_runs"))
    others = sum(demo.rows.values()) - results - runs
    yield Line(
        f"Added the demo data ({made_from}): {format_count(results)} results of"
        f" {format_count(runs)} runs and {format_count(others)} other rows for the tenants"
        f" {' and '.join(demo.tenants)}, in {format_duration(demo.elapsed_seconds)}.",
        "ok",
    )
    yield Line("Look at them with: qadb stats")


def migrate_document(result: MigrateResult) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "from": result.from_revision,
        "to": result.to_revision,
        "applied": result.applied,
        "dry_run": result.dry_run,
        "plan": plan_document(result.plan),
        "backup": result.backup,
    }


def migrate_text(result: MigrateResult, where: str) -> Iterator[Block]:
    """Say what was applied, or would be."""
    if not result.applied:
        yield Line(f"{where} is at {_name(result.to_revision)}: nothing to do.", "ok")
        return
    yield from _steps(result.applied, timed=not result.dry_run)
    if result.plan is not None:
        yield from plan_text(result.plan)
    movement = f"{_name(result.from_revision)} to {_name(result.to_revision)}"
    if result.dry_run:
        yield Line(f"Would bring {where} from {movement}. Nothing was changed.")
    else:
        yield Line(f"Brought {where} from {movement}.", "ok")
        yield from _saved(result.backup)


def script_text(script: str) -> Iterator[Block]:
    """The script as it is."""
    yield from (Line(line) for line in script.rstrip("\n").split("\n"))


def rollback_document(result: RollbackResult) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "from": result.from_revision,
        "to": result.to_revision,
        "applied": result.applied,
        "dry_run": result.dry_run,
        "losses": result.losses,
        "empty": list(result.empty),
        "backup": result.backup,
    }


def rollback_text(result: RollbackResult, where: str) -> Iterator[Block]:
    """Say what was taken back and lost, or would be."""
    if not result.applied:
        yield Line(f"{where} is at {_name(result.to_revision)}: nothing to do.", "ok")
        return
    yield from _steps(result.applied, timed=not result.dry_run)
    yield from _losses(result.losses)
    if result.empty:
        yield Line(_nothing_back(result), "warn")
    movement = f"{_name(result.from_revision)} back to {_name(result.to_revision)}"
    if result.dry_run:
        yield Line(f"Would bring {where} from {movement}. Nothing was changed.")
    else:
        yield Line(f"Brought {where} from {movement}.", "ok")
        yield from _saved(result.backup)


def losses_question(plan: RollbackResult, where: str) -> str:
    """The question that stands before a rollback that destroys something."""
    filled = sorted((loss for loss in plan.losses if loss.rows), key=lambda loss: -loss.rows)
    named = [f"{loss.name} ({format_count(loss.rows)})" for loss in filled[:_MOST_NAMED]]
    if len(filled) > _MOST_NAMED:
        named.append(f"{len(filled) - _MOST_NAMED} more")
    what = f" and lose {', '.join(named)}" if named else ""
    warning = f"{_nothing_back(plan)} " if plan.empty else ""
    return f"{warning}Take {where} back to {_name(plan.to_revision)}{what}?"


def _nothing_back(result: RollbackResult) -> str:
    names = ", ".join(result.empty)
    which = "Revision" if len(result.empty) == 1 else "Revisions"
    return (
        f"{which} {names}: the way back does nothing, so what was made stays and only the version"
        " changes."
    )


def _steps(applied: Sequence[AppliedRevision], *, timed: bool = True) -> Iterator[Block]:
    columns = [Column("Revision"), Column("What it does")]
    if timed:
        columns.append(Column("Took", "right"))
    rows = []
    for step in applied:
        row = [step.revision, step.title]
        rows.append([*row, format_duration(step.elapsed_seconds)] if timed else row)
    yield Table(columns, rows)


def _saved(backup: Path | None) -> Iterator[Block]:
    if backup is not None:
        yield Line(f"What it was before: {backup}")


def _losses(losses: Sequence[Loss]) -> Iterator[Block]:
    if losses:
        columns = [Column("Goes"), Column("Rows", "right")]
        yield Table(columns, [(loss.name, format_count(loss.rows)) for loss in losses])


def _name(revision: str | None) -> str:
    return revision or "base"

"""The verb ``health``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qadb.cli.coercion import parse_duration
from qadb.cli.parameters import Wait
from qadb.cli.verb import command
from qadb.errors import ExitCode, QadbError

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.cli.health_formats import Format
    from qadb.cli.json_document import JsonObject
    from qadb.operations.health import FailOn, HealthOptions, HealthReport

LOCK_WAIT_SECONDS = 0.5  # a database that somebody holds is told, not waited for


@command
def health(
    context: CommandContext,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Run these alone: ids or groups, with commas."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="ID", help="Leave these out: ids or groups, with commas."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Run those as well that read all of the database.")
    ] = False,
    fail_on: Annotated[
        Literal["warn", "crit", "never"],
        typer.Option("--fail-on", help="End with 4 when anything is this bad, or worse."),
    ] = "crit",
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="DURATION",
            parser=parse_duration,
            show_default=False,
            help="How long all may take together; the rest is not run. 5 s, with --deep no end.",
        ),
    ] = None,
    wait: Wait = 0.0,
    output_format: Annotated[
        Literal["text", "json", "prometheus", "nagios", "junit", "github"],
        typer.Option("--format", help="How to show it; nagios has exit codes of its own, 0 to 3."),
    ] = "text",
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report", metavar="FORMAT=FILE", help="Write a file in a format as well; repeatable."
        ),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="Show the checks that there are; run none.")
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="ID", help="Tell what a check looks at, and why."),
    ] = None,
) -> int:
    """Check whether the database is well, and tell what to do where it is not.

    Schema, data, engine and backups, each check by itself in a short read-only transaction. What
    nobody could tell, and what the budget left no time for, counts as a warning; where nothing
    could be checked the command ends with 4.

    Example:
        qadb health
        qadb health --only schema --fail-on warn --report junit=health.xml
        qadb health --explain QADB-S01
    """
    from qadb.operations import health as operation  # noqa: PLC0415 - not for --help

    if list_them or explain is not None:
        return _show_catalogue(context, explain)
    if context.options.tenant is not None:
        raise typer.BadParameter("health looks at all tenants; leave --tenant out")
    if context.options.as_json and output_format not in {"text", "json"}:
        raise typer.BadParameter(f"--json and --format {output_format} exclude each other")
    usual = None if deep else operation.DEFAULT_BUDGET_SECONDS
    options = operation.HealthOptions(
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        deep=deep,
        budget_seconds=usual if budget is None else budget,
        backup_dir=context.settings.backup_dir,
        retention=context.settings.retention,
        settings=context.settings.health,
    )
    shown = "json" if context.options.as_json else output_format
    return _Run(context, shown, tuple(report or ()), fail_on).check(options, wait)


class _Run:
    """One run, shown in one format and written in others, whether it could begin or not."""

    def __init__(
        self, context: CommandContext, shown: Format, words: tuple[str, ...], fail_on: FailOn
    ) -> None:
        self._context = context
        self._shown = shown
        self._fail_on = fail_on
        self._words = words
        context.output.as_json = shown == "json"

    def check(self, options: HealthOptions, wait_seconds: float) -> int:
        """Run the checks, write the files, show the answer and return the exit code."""
        from qadb.cli import health_formats as formats  # noqa: PLC0415 - not for --help
        from qadb.operations.health import check_health  # noqa: PLC0415 - the same

        targets = formats.parse_targets(self._words)
        context = self._context
        where = context.settings.database_url.shown
        database = context.open_database(lock_wait_seconds=LOCK_WAIT_SECONDS)
        try:
            found = check_health(database, options, wait_seconds=wait_seconds)
        except QadbError as error:
            header = context.header()
            for target in targets:
                text = formats.render_failure(target.format, error, header=header, where=where)
                formats.write_target(target, text)
            return self._show_failure(error, header, where)
        header = context.header()
        for target in targets:
            text = formats.render_report(
                target.format, found, header=header, where=where, fail_on=self._fail_on
            )
            formats.write_target(target, text)
        return self._show(found, header, where)

    def _show(self, found: HealthReport, header: JsonObject, where: str) -> int:
        from qadb.cli import health_formats as formats  # noqa: PLC0415 - not for --help
        from qadb.cli.views.health import health_document, health_text  # noqa: PLC0415 - the same
        from qadb.cli.views.health_nagios import nagios_code  # noqa: PLC0415 - the same

        code = ExitCode.CHECK_FAILED if found.fails(self._fail_on) else ExitCode.OK
        if self._shown in {"text", "json"}:
            blocks = health_text(found, where)
            return self._context.show(health_document(found), blocks, exit_code=code)
        text = formats.render_report(
            self._shown, found, header=header, where=where, fail_on=self._fail_on
        )
        self._context.show_raw(text, code)
        return nagios_code(found) if self._shown == "nagios" else code

    def _show_failure(self, error: QadbError, header: JsonObject, where: str) -> int:
        """Show it in formats that others read, too; whatever reads the others has the error."""
        from qadb.cli import health_formats as formats  # noqa: PLC0415 - not for --help

        if self._shown in {"text", "json"}:
            raise error
        text = formats.render_failure(self._shown, error, header=header, where=where)
        self._context.show_raw(text, error.exit_code)
        self._context.output.error(error.message, error.hint)
        return formats.failure_code(error) if self._shown == "nagios" else error.exit_code


def _show_catalogue(context: CommandContext, name: str | None) -> ExitCode:
    from qadb.cli.views import health as views  # noqa: PLC0415 - not for --help
    from qadb.health.catalogue import all_checks, statement_of  # noqa: PLC0415 - the same
    from qadb.health.selection import find_check  # noqa: PLC0415 - the same

    database = context.open_database()
    checks = all_checks(database.schema)
    if name is None:
        return context.show(views.catalogue_document(checks), views.catalogue_text(checks))
    check = find_check(checks, name)
    statement = statement_of(check, database.backend)
    return context.show(views.check_document(check, statement), views.check_text(check, statement))

"""The command's context: settings, database and output, each made only when a command asks.

Owns what lives as long as one command: the log handler, the database, the clock. A verb gets a
`CommandContext` and hands its parts to the operation it calls.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from qadb.cli.confirm import confirm
from qadb.cli.json_document import DatabaseIdentity, header, to_json
from qadb.cli.options import GlobalOptions
from qadb.cli.output import Output
from qadb.cli.progress import show_progress
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from qadb.cli.blocks import Block
    from qadb.cli.json_document import JsonObject
    from qadb.database import Database
    from qadb.progress import Progress
    from qadb.settings import Settings


class CommandContext:
    """What one run of one verb works with.

    Attributes:
        command: the verb's name.
        options: the shared options, from before and after the verb.
        output: stdout and stderr.
    """

    def __init__(self, command: str, options: GlobalOptions, *, started: float) -> None:
        self.command = command
        self.options = options
        self.output = Output(as_json=options.as_json, quiet=options.quiet)
        self._started = started
        self._database: Database | None = None
        self._more_secrets: frozenset[str] = frozenset()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Load the settings, show their notes and begin to log."""
        from qadb.cli.logs import logging_to_stderr  # noqa: PLC0415 - not for --help

        self._resources.enter_context(logging_to_stderr(self.settings))
        for note in self.settings.notes:
            self.output.note(note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close whatever the command has opened."""
        self._resources.__exit__(kind, error, traceback)

    @cached_property
    def settings(self) -> Settings:
        """The settings, options included.

        Raises:
            ConfigurationError: a value is missing or wrong.
        """
        from qadb.settings import load_settings  # noqa: PLC0415 - not for --help

        return load_settings(self.options.settings(), env_file=self.options.env_file)

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be shown; empty while the settings are not loaded."""
        loaded: Settings | None = self.__dict__.get("settings")
        return self._more_secrets | (frozenset() if loaded is None else loaded.secrets)

    @property
    def elapsed_seconds(self) -> float:
        """Time since the command began."""
        return time.monotonic() - self._started

    def open_database(
        self, url: str | None = None, *, lock_wait_seconds: float | None = None
    ) -> Database:
        """Make the database that the settings name; it is closed with the context.

        Args:
            url: instead of the one that the settings name; all else is as they say.
            lock_wait_seconds: how long a file that somebody has locked is waited for; None: as
                long as usual.
        """
        from qadb.database import Database  # noqa: PLC0415 - not for --help

        settings = self.settings if url is None else self._settings_for(url)
        settings.database_url.refuse_memory()
        application = f"qadb {self.command}"
        database = Database.from_settings(
            settings, application=application, lock_wait_seconds=lock_wait_seconds
        )
        self._database = self._resources.enter_context(database)
        return database

    def backup_folder(self, database: Database, *, wanted: bool | None) -> Path | None:
        """Where a backup goes that is made before revisions run; None where none is to be made.

        Args:
            database: whose engine says what is usual.
            wanted: what was asked for; None leaves it to the engine.
        """
        wanted = database.backend.migrations.backs_up_first if wanted is None else wanted
        return self.settings.backup_dir if wanted else None

    def _settings_for(self, url: str) -> Settings:
        from qadb.settings import load_settings  # noqa: PLC0415 - not for --help

        given = {**self.options.settings(), "database_url": url}
        settings = load_settings(given, env_file=self.options.env_file)
        self._more_secrets |= settings.secrets
        return settings

    def header(self) -> JsonObject:
        """Return the fields that every JSON document of this command begins with."""
        return header(self.command, self._identity(), self.elapsed_seconds)

    def _identity(self) -> DatabaseIdentity | None:
        if self._database is None:
            return None
        url = self._database.url
        return DatabaseIdentity(url.shown, url.engine, self._database.server_version)

    def show(
        self,
        document: Mapping[str, object],
        blocks: Iterable[Block],
        *,
        exit_code: ExitCode = ExitCode.OK,
    ) -> ExitCode:
        """Write the answer and return the exit code, for a command to return in its turn.

        Args:
            document: the answer's JSON fields, without the header.
            blocks: the answer as text; drawn only when text is wanted.
            exit_code: what the answer means; the text of a failure is shown with ``--quiet`` too.
        """
        full = self.header()
        if self.output.as_json:
            full.update({name: to_json(value) for name, value in document.items()})
        self.output.answer(full, blocks, succeeded=exit_code is ExitCode.OK)
        return exit_code

    def show_raw(self, text: str, exit_code: ExitCode) -> ExitCode:
        """Write an answer in a format of its own; ``--quiet`` does not silence what is read."""
        self.output.raw(text)
        return exit_code

    def progress(self) -> AbstractContextManager[Progress]:
        """Show the progress of what runs inside, on a terminal and when it takes long."""
        return show_progress(quiet=self.output.quiet)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Return when a destructive step may be taken.

        Raises:
            ConfirmationRequired: nobody can be asked and ``--yes`` was not given.
            Declined: somebody was asked and said no.
        """
        if not yes:
            confirm(question, may_ask=not self.output.as_json)


@dataclass(slots=True)
class Invocation:
    """One run of the program: what the error boundary knows when something fails.

    Attributes:
        options: shared options, as far as they are parsed.
        context: the verb's context, once it runs.
        started: monotonic time.
    """

    options: GlobalOptions = field(default_factory=GlobalOptions)
    context: CommandContext | None = None
    started: float = field(default_factory=time.monotonic)

    def begin(self, command: str, options: GlobalOptions) -> CommandContext:
        """Make the verb's context; what stands after the verb wins over what stands before."""
        self.options = options.over(self.options)
        self.context = CommandContext(command, self.options, started=self.started)
        return self.context

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be shown, as far as it is known."""
        return frozenset() if self.context is None else self.context.secrets

    @property
    def output(self) -> Output:
        """The verb's output, or one for what fails before a verb runs."""
        if self.context is None:
            return Output(as_json=self.options.as_json, quiet=self.options.quiet)
        return self.context.output

    def header(self) -> JsonObject:
        """Return the fields that a failure's document begins with."""
        if self.context is None:
            return header(None, None, time.monotonic() - self.started)
        return self.context.header()

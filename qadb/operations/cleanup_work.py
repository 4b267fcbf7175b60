"""What a plan and a cleanup have in common: options, rules, and the rows that they are about."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.cleaning.holds import HoldReader
from qadb.cleaning.keeping import OWNER_ONLY, Keeper, find_last
from qadb.cleaning.rules import Rule, Wishes, find_rules
from qadb.cleaning.subjects import candidates, count_expired, make_subject
from qadb.cleaning.unreferenced import find_unreferenced
from qadb.revisions.state import read_state, require_current, require_managed
from qadb.sessions.known_tenants import require_known_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.cleaning.subjects import Candidate, Key, Subject
    from qadb.cleaning.unreferenced import Unreferenced
    from qadb.database import Database
    from qadb.settings.retention import RetentionSetting


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """How to clean up.

    Attributes:
        wishes: what is said of the policies.
        settings: what the configuration says of them, by table.
        tenant: the only one meant; None: all.
        is_fast: writers may be shut out for long.
        max_seconds: when to stop; None: when all is done.
        archive: a folder for what goes; None: it is kept nowhere.
        now: what ages count up to; None: the present.
    """

    wishes: Wishes = field(default_factory=Wishes)
    settings: Mapping[str, RetentionSetting] = field(default_factory=dict)
    tenant: str | None = None
    is_fast: bool = False
    max_seconds: float | None = None
    archive: Path | None = None
    now: datetime | None = None


class Work:
    """One database with the rules that hold for it.

    Attributes:
        rules: all that are meant, in the order in which they are carried out.
        rules_in_force: those of them that let anything go.
    """

    def __init__(self, database: Database, options: CleanupOptions) -> None:
        now = options.now or datetime.now(UTC)
        retention = database.schema.retention
        self.database = database
        self.options = options
        self.rules = find_rules(retention, options.settings, options.wishes, now)
        self.rules_in_force = [rule for rule in self.rules if rule.cutoff is not None]
        self.metadata = database.schema.metadata
        self._now = now
        self._unreferenced: dict[str, Unreferenced] | None = None
        self._takes_log: bool | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short transaction that reads, confined as the cleanup is."""
        with self.database.connect(read_only=True) as connection:
            self.database.backend.context.set_context(
                connection, tenant=self.options.tenant, actor=None
            )
            yield connection

    def require_current(self) -> str | None:
        """Raise unless the database stands at this qadb's revision, which is returned.

        A tenant that it does not know is refused too: nothing would ever go.
        """
        if not self.database.exists():
            require_managed(self.database, read_state(self.database))
        with self.read() as connection:
            revision = require_current(self.database, connection).revision
            if self.options.tenant is not None:
                require_known_tenant(connection, self.metadata, self.options.tenant)
            return revision

    def subject(self, rule: Rule) -> Subject:
        """The rule's table."""
        return make_subject(rule, self.metadata, self.options.tenant)

    def make_keepers(self, subject: Subject) -> Callable[[], Keeper]:
        """What makes one that tells the table's rows apart; each belongs to one thread."""
        with self.read() as connection:
            last = find_last(connection, subject)
        together = (subject,) if subject.rule.policy.is_soft else ()
        return lambda: Keeper(subject, self.metadata, self._make_hold_reader(), last, together)

    def candidates(
        self,
        subject: Subject,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        with_places: bool = False,
    ) -> Iterator[tuple[str, Sequence[Candidate]]]:
        """Yield what is old enough, by tenant; of softly deleted rows those that go."""
        if self._is_left_to_owner(subject.rule):
            return iter(())
        if subject.rule.policy.is_soft:
            return self._find_unreferenced()[subject.name].by_tenant(since, until)
        return candidates(self.read, subject, since=since, until=until, with_places=with_places)

    def kept_before(self, rule: Rule) -> Mapping[str, int]:
        """What stays that is no candidate any more, or never was one for this role."""
        policy = rule.policy
        if self._is_left_to_owner(rule):
            with self.read() as connection:
                return {OWNER_ONLY: count_expired(connection, self.subject(rule))}
        return self._find_unreferenced()[policy.table].kept if policy.is_soft else {}

    def find(self, rule: Rule) -> Iterator[tuple[Subject, Sequence[Key], Mapping[str, int]]]:
        """Yield what goes, with how many stay of those looked at."""
        subject = self.subject(rule)
        yield subject, (), self.kept_before(rule)
        keeper = None if rule.policy.is_soft else self.make_keepers(subject)()
        for _, portion in self.candidates(subject):
            keys = [each.key for each in portion]
            if keeper is None:
                yield subject, keys, {}
                continue
            with self.read() as connection:
                told = keeper.sort_out(connection, keys)
            yield subject, told.going, told.kept

    def _is_left_to_owner(self, rule: Rule) -> bool:
        """Whether the rule is about the audit log, and this role may take nothing from that."""
        if not rule.policy.is_log:
            return False
        if self._takes_log is None:
            with self.read() as connection:
                takes_log_of = self.database.backend.cleaner.takes_log_of
                self._takes_log = takes_log_of(connection, rule.policy.table)
        return not self._takes_log

    def _find_unreferenced(self) -> dict[str, Unreferenced]:
        """What goes of all softly deleted rows, found before the first one does."""
        if self._unreferenced is None:
            soft = [self.subject(rule) for rule in self.rules_in_force if rule.policy.is_soft]
            holds = self._make_hold_reader()
            self._unreferenced = find_unreferenced(self.read, self.metadata, soft, holds)
        return self._unreferenced

    def _make_hold_reader(self) -> HoldReader:
        return HoldReader(self.metadata, self.database.schema.retention.holds, self._now)

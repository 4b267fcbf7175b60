"""What the checks of a server's sessions ask, and how they judge the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Finding
from qadb.health.engine_access import server, unless_hidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.backends.base_server_health import Session
    from qadb.health.context import Context

MOST_SHOWN = 10
CANCEL = "SELECT pg_cancel_backend({pid})"
END = "SELECT pg_terminate_backend({pid})"
_SESSIONS = ("session's work is", "sessions' work is")


def connections(context: Context) -> Finding:
    """How many of the connections that ordinary roles may have are in use."""
    found = server(context).connection_use(context.connection)
    percent = round(100 * found.used / max(found.most, 1), 1)
    return Finding(
        context.limits.judge(percent),
        f"{found.used} of {found.most} connections are in use, {percent:g} %.",
        percent,
    )


def long_statements(context: Context) -> Finding:
    """How long the longest statement runs."""
    sessions = server(context).sessions(context.connection)
    timed = [(s.statement_seconds or 0.0, s) for s in sessions.seen if s.state == "active"]
    finding = _judge_longest(context, timed, ("statement runs", "No statement runs."), CANCEL)
    return unless_hidden(finding, sessions.hidden, _SESSIONS)


def long_transactions(context: Context) -> Finding:
    """How long the longest transaction lasts, whatever it is at."""
    sessions = server(context).sessions(context.connection)
    timed = [(s.transaction_seconds, s) for s in sessions.seen if s.transaction_seconds is not None]
    finding = _judge_longest(context, timed, ("transaction lasts", "No transaction is open."), END)
    return unless_hidden(finding, sessions.hidden, _SESSIONS)


def idle_transactions(context: Context) -> Finding:
    """How long a session has done nothing with its transaction open, and whom it keeps waiting."""
    sessions = server(context).sessions(context.connection)
    timed = [
        (s.idle_seconds or 0.0, s)
        for s in sessions.seen
        if s.state.startswith("idle in transaction")
    ]
    finding = _judge_longest(
        context, timed, ("idle transaction lasts", "No session is idle in a transaction."), END
    )
    return unless_hidden(finding, sessions.hidden, _SESSIONS)


def _judge_longest(
    context: Context, timed: Sequence[tuple[float, Session]], words: tuple[str, str], remedy: str
) -> Finding:
    """Judge the longest; those that reach a limit are shown, and how the first one is ended."""
    if not timed:
        return Finding("ok", words[1], 0)
    worst_first = sorted(timed, key=lambda each: -each[0])
    longest = worst_first[0][0]
    late = [each for each in worst_first if context.limits.judge(each[0]) != "ok"]
    shown = tuple(_describe(seconds, session) for seconds, session in late[:MOST_SHOWN])
    return Finding(
        context.limits.judge(longest),
        f"The longest {words[0]} for {longest:.1f} s.",
        round(longest, 3),
        shown,
        remedy.format(pid=late[0][1].pid) if late else None,
    )


def _describe(seconds: float, session: Session) -> str:
    blocks = ", ".join(map(str, session.blocks))
    waiting = f", keeps waiting: {blocks}" if blocks else ""
    query = f": {session.query}" if session.query else ""
    return f"pid {session.pid} ({session.who}), {seconds:.1f} s, {session.state}{waiting}{query}"


def lock_waits(context: Context) -> Finding:
    """How long the longest wait for a lock lasts, and who has the lock."""
    waits = server(context).lock_waits(context.connection)
    if not waits:
        return Finding("ok", "Nobody waits for a lock.", 0)
    sessions = "1 session waits" if len(waits) == 1 else f"{len(waits)} sessions wait"
    first = waits[0]
    details = tuple(
        f"pid {wait.pid} ({wait.who}) waits {wait.seconds:.1f} s for {wait.wants}, kept by "
        f"{', '.join(map(str, wait.blocked_by)) or 'nobody by now'}"
        for wait in waits[:MOST_SHOWN]
    )
    return Finding(
        context.limits.judge(first.seconds),
        f"{sessions} for a lock, the longest for {first.seconds:.1f} s.",
        round(first.seconds, 3),
        details,
        END.format(pid=first.blocked_by[0]) if first.blocked_by else None,
    )

"""How tests fail: what they say, from where, and why; words of one kind share a signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.reports.fingerprint import failure_signature

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class FailureKind:
    """One reason for which tests don't pass.

    Attributes:
        status: of the results, as the table has them.
        message: with ``{n}``, ``{m}`` and ``{id}`` where it differs from run to run.
        frames: of the stack trace below the test, innermost last.
        category, cause, fixes: what an analysis says of it.
    """

    name: str
    status: str
    error_type: str
    message: str
    frames: tuple[str, ...]
    category: str
    cause: str
    fixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What one result says."""

    message: str
    stack_trace: str
    signature: str


ASSERTION = FailureKind(
    name="assertion",
    status="failed",
    error_type="AssertionError",
    message="assert {n} == {m}",
    frames=("compare",),
    category="product",
    cause="A change on a branch breaks what the test expects.",
    fixes=("Finish the branch before it is merged.",),
)
FLAKY_WAIT = FailureKind(
    name="flaky-wait",
    status="failed",
    error_type="TimeoutException",
    message="element '#suggestions' did not appear within {n} ms",
    frames=("open_page", "wait_for"),
    category="flaky",
    cause="The test waits for a fixed time while the page loads its script late.",
    fixes=("Wait for the request's end, not for a time.",),
)
FLAKY_ORDER = FailureKind(
    name="flaky-order",
    status="failed",
    error_type="AssertionError",
    message="expected delivery {n} before {m}, got them the other way round",
    frames=("deliver", "check_order"),
    category="flaky",
    cause="Two workers race for the queue when the machine is busy.",
    fixes=("Take the deliveries' numbers into account.",),
)
SLOW = FailureKind(
    name="slow",
    status="timeout",
    error_type="TimeoutError",
    message="gave up after {n} ms",
    frames=("sort_all",),
    category="performance",
    cause="Sorting happens in the application since the index was dropped.",
    fixes=("Bring the index on (category, price) back.",),
)
VOUCHER = FailureKind(
    name="voucher-lost",
    status="failed",
    error_type="KeyError",
    message="'voucher' of cart {id}",
    frames=("apply_voucher", "session_value"),
    category="product",
    cause="The session no longer carries the voucher after the basket was renamed to cart.",
    fixes=("Read the voucher from the cart.", "Migrate sessions that are open."),
)
REFUND = FailureKind(
    name="refund-refused",
    status="failed",
    error_type="HTTPStatusError",
    message="Server error '500 Internal Server Error' for refund {id}: ledger line {n} missing",
    frames=("post", "raise_for_status"),
    category="product",
    cause="Refunds were booked before the capture's line was committed.",
    fixes=("Book refunds in the capture's transaction.",),
)
DATABASE_DOWN = FailureKind(
    name="database-down",
    status="error",
    error_type="ConnectionRefusedError",
    message="[Errno 111] connection to 10.0.{n}.7:5432 refused",
    frames=("set_up", "connect", "create_connection"),
    category="infrastructure",
    cause="The test database restarted during the run.",
    fixes=("Wait for the database before the first test.",),
)


def say(kind: FailureKind, classname: str, test: str, rng: Random) -> Words:
    """Say why a test failed, with the numbers of this one time."""
    message = kind.message.format(
        n=rng.randint(2, 250), m=rng.randint(251, 400), id=f"{rng.getrandbits(48):012x}"
    )
    file = classname.replace(".", "/") + ".py"
    frames = [f'  File "{file}", line {rng.randint(12, 90)}, in {test}']
    frames += [
        f'  File "src/support/{kind.category}.py", line {40 + 7 * depth}, in {name}'
        for depth, name in enumerate(kind.frames)
    ]
    lines = ["Traceback (most recent call last):", *frames, f"{kind.error_type}: {message}"]
    stack_trace = "\n".join(lines)
    return Words(message, stack_trace, failure_signature(kind.error_type, message, stack_trace))

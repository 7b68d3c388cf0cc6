"""The frame of a pass is its deadline, what the pass says about itself and the next pass, and where the pass computes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus
from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import ConditionType, Finding, Reason, Severity
from oidc_publisher.rotation import Ledger
from oidc_publisher.sources.sharing import SHARED_S
from oidc_publisher.telemetry.steps import Step

T = TypeVar("T")

#: Each call has a deadline of its own (an operation on a store 15 s, a request to an API server 10 s). A pass that meets
#: several of these deadlines is not worth waiting for: its readings no longer belong to one moment.
PASS_S = 90.0


#: When the last change was noted for which the pass in progress runs (monotonic seconds); the queue sets it.
caused_s: ContextVar[float] = ContextVar("caused_s", default=float("-inf"))

#: What concerns more keys is computed in a thread.
_MANY_KEYS = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome says when the next pass over the issuer should come.

    `wake_after` is the time after which the result may change by the clock alone. A `failed` pass comes again after its
    backoff, and never later than `wake_after`. `follows` are the objects whose change causes a pass at once, each with the
    resourceVersion that the pass has read, None where that is not known; None leaves the objects of the last outcome.
    """

    wake_after: timedelta | None = None
    failed: bool = False
    follows: Mapping[ObjectReference, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """Gone says that the object does not exist or belongs to another shard, so that it is forgotten."""


@dataclass(frozen=True, slots=True)
class PassDone:
    """PassDone is what one pass did, for logs and metrics.

    `issuer` is the object with the status that the pass left. `changes` names what the pass changed; it is empty where the
    pass wrote nothing, or nothing but times. `events` are what has happened. `seconds` are the durations of the steps,
    `took_s` that of the whole pass. `proven` says that everything was proven in this pass. `next_look_s` is the time until
    the next pass, as far as the clock alone decides; a failed pass comes again sooner.
    """

    issuer: OIDCIssuer
    failed: bool
    changes: tuple[str, ...]
    events: tuple[Finding, ...]
    seconds: Mapping[Step, float]
    took_s: float
    proven: bool
    next_look_s: float | None


class Observer(Protocol):
    """An observer is told of every pass. No pass depends on an observer."""

    def seen(self, issuer: OIDCIssuer) -> None:
        """Note an object as it was read, before its pass."""
        ...

    def passed(self, done: PassDone) -> None:
        """Note what a pass did."""
        ...

    def failed(self, name: str) -> None:
        """Note a pass that ended before it could report."""
        ...

    def happened(self, name: str, events: Sequence[Finding]) -> None:
        """Note what happened in a pass that somebody's change of the object ended."""
        ...

    def refused(self, name: str, status: OIDCIssuerStatus) -> None:
        """Note an object whose spec this version cannot read, with the status that says so."""
        ...

    def gone(self, name: str) -> None:
        """Note that the object does not exist or belongs to another shard."""
        ...


class Unobserved:
    """Unobserved is the observer of an operator whose metrics nobody reads."""

    def seen(self, issuer: OIDCIssuer) -> None:
        """Note nothing."""

    def passed(self, done: PassDone) -> None:
        """Note nothing."""

    def failed(self, name: str) -> None:
        """Note nothing."""

    def happened(self, name: str, events: Sequence[Finding]) -> None:
        """Note nothing."""

    def refused(self, name: str, status: OIDCIssuerStatus) -> None:
        """Note nothing."""

    def gone(self, name: str) -> None:
        """Note nothing."""


class PassLateError(Exception):
    """The deadline has ended a pass.

    Such an end is like a crash: what the pass has saved holds, and the next pass reads everything anew.
    """

    def finding(self, step: Step | None = None) -> Finding:
        """Return the finding for the status: a warning, so that conditions become Unknown and Ready follows after three intervals.

        `step` is the step in which the deadline came.
        """
        where = f" in its step {step}" if step else ""
        message = (
            f"The pass was ended after {PASS_S:g} s{where}, for the servers that it asks answer too slowly together"
        )
        hint = "Look at findings of earlier passes, and at the load of the store, the API servers and the network."
        return Finding.of(Reason.InternalError, message, hint=hint, severity=Severity.WARNING)


async def in_time(steps: Awaitable[T]) -> T:
    """Return the result of a pass, or cancel the pass at its deadline.

    Raises:
        PassLateError: the deadline has passed.
    """
    deadline = asyncio.timeout(PASS_S)
    try:
        async with deadline:
            return await steps
    except TimeoutError:
        if deadline.expired():
            raise PassLateError from None
        raise


def answers_since(
    issuer: OIDCIssuer, ledger: Ledger, now_s: float, *, ours: bool = False, shown: bool = False
) -> float:
    """Return since when answers count that other passes asked for, in monotonic seconds; infinity where none counts.

    They are a second old at most, and younger than the cause of the pass. No key leaves by them, and no question is
    answered by what was read before it. They count at rest, in passes that can give no permission, and in the first pass
    over a new issuer as the watch has `shown` it, whose keys are safe by what this pass writes and sees at the public URL.
    `ours`: the ledger is what this process has left; another one, such as that of a restored status, may be rebuilt in this
    pass (R9).
    """
    answered = issuer.reconcile_requested_at in (None, issuer.status.last_handled_reconcile_at)
    counts = answered and (shown or _rests(issuer, ledger, ours=ours))
    return max(now_s - SHARED_S, caused_s.get()) if counts else float("inf")


def _rests(issuer: OIDCIssuer, ledger: Ledger, *, ours: bool) -> bool:
    status = issuer.status
    ready = any(condition.type == ConditionType.READY and condition.status == "True" for condition in status.conditions)
    observed = status.observed_generation == issuer.metadata.generation
    return ours and ready and observed and ledger.settled


async def compute(work: Callable[[], T], *, keys: int) -> T:
    """Return what `work`, which computes about so many keys and does no I/O, returns; of many keys in a thread.

    Each step of a full ledger takes 20 to 60 ms of CPU, in which no other issuer would have a turn of the event loop. While
    a thread computes, the loop waits for 5 ms at most (sys.getswitchinterval).
    """
    return await asyncio.to_thread(work) if keys > _MANY_KEYS else work()

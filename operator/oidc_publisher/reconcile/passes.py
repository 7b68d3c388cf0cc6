"""The frame of a pass is its deadline, what the pass says about the next pass, and where the pass computes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding, Reason, Severity

T = TypeVar("T")

#: Each call has a deadline of its own (an operation on a store 15 s, a request to an API server 10 s). A pass that meets
#: several of these deadlines is not worth waiting for: its readings no longer belong to one moment.
PASS_S = 90.0


#: What concerns more keys is computed in a thread.
_MANY_KEYS = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome says when the next pass over the issuer should come.

    `wake_after` is the time after which the result may change by the clock alone. A `failed` pass comes again after its
    backoff, and never later than `wake_after`. `follows` are the objects whose change causes a pass at once; None leaves
    the objects of the last outcome.
    """

    wake_after: timedelta | None = None
    failed: bool = False
    follows: tuple[ObjectReference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """Gone says that the object does not exist or belongs to another shard, so that it is forgotten."""


class PassLateError(Exception):
    """The deadline has ended a pass.

    Such an end is like a crash: what the pass has saved holds, and the next pass reads everything anew.
    """

    def finding(self) -> Finding:
        """Return the finding for the status: a warning, so that conditions become Unknown and Ready follows after three intervals."""
        message = f"The pass was ended after {PASS_S:g} s, for the servers that it asks answer too slowly together"
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


async def compute(work: Callable[[], T], *, keys: int) -> T:
    """Return what `work`, which computes about so many keys and does no I/O, returns; of many keys in a thread.

    Each step of a full ledger takes 20 to 60 ms of CPU, in which no other issuer would have a turn of the event loop. While
    a thread computes, the loop waits for 5 ms at most (sys.getswitchinterval).
    """
    return await asyncio.to_thread(work) if keys > _MANY_KEYS else work()

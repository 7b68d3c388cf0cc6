"""The frame of a pass: what it says about the next one, and the deadline at which it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding, Reason, Severity

T = TypeVar("T")

#: Each call has a deadline of its own (an operation on a store 15 s, a request to an API server 10 s). A pass in which
#: several of them are reached one after the other is not worth waiting for: what it has read is no longer true together.
PASS_S = 90.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass says about the next pass over its issuer.

    `wake_after` is when the answer may change by the clock alone. A `failed` pass comes again after its backoff, and
    never later than `wake_after`. `follows` are the objects whose change is worth a pass at once; None: as before.
    """

    wake_after: timedelta | None = None
    failed: bool = False
    follows: tuple[ObjectReference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The object does not exist, or is another shard's: it is forgotten."""


class PassLateError(Exception):
    """A pass was ended at its deadline. It is like a crash: what was saved holds, and the next pass reads everything anew."""

    def finding(self) -> Finding:
        """What the object's status says of it. A warning: conditions become Unknown, and Ready follows after three intervals."""
        message = f"The pass was ended after {PASS_S:g} s, for the servers that it asks answer too slowly together"
        hint = "Look at findings of earlier passes, and at the load of the store, the API servers and the network."
        return Finding.of(Reason.InternalError, message, hint=hint, severity=Severity.WARNING)


async def in_time(steps: Awaitable[T]) -> T:
    """The result of a pass, which is cancelled at its deadline.

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

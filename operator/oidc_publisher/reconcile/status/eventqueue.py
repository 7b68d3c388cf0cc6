"""Events go to the API server evenly: a thousand issuers that come, or break, at once have thousands of them."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context

import structlog

from oidc_publisher.timing.backoff import Backoff, Pacer
from oidc_publisher.timing.clock import Clock

log = structlog.stdlib.get_logger(__name__)

#: A new issuer needs two writes of its status, and 1,000 of them become Ready within 55 s: 37 requests a second. With their
#: events these are 43, and 47 in the first second.
PER_SECOND = 6
BURST = 4
#: Two events of each of 2,000 issuers, which take eleven minutes.
MOST_WAITING = 4096
#: The pauses while the API server is away.
_AWAY = Backoff(base_s=1.0, cap_s=30.0)

#: Sends an event; returns False where it should be sent again later.
Sending = Callable[[], Awaitable[bool]]


class EventQueue:
    """An event queue sends events at once while they are few; those of a burst wait, and no pass waits for them.

    One that cannot be sent is sent again, and those after it wait. What waits when the process ends is left to the log.
    """

    def __init__(self, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._pacer = Pacer(burst=BURST, spacing_s=1 / PER_SECOND, longest_s=float("inf"))
        self._waiting: deque[Sending] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    async def send(self, sending: Sending) -> None:
        """Send an event, or let it wait for those before it; what is one too many is left to the log."""
        if self._closed or len(self._waiting) >= MOST_WAITING:
            log.debug("The event was not recorded.", waiting=len(self._waiting), closed=self._closed)
            return
        delay_s = 0.0
        if not self._waiting:
            delay_s = self._delay_s()
            if not delay_s:
                if await sending():
                    return
                delay_s = _AWAY.delay(1, self._jitter)
        self._waiting.append(sending)
        if self._task is None or self._task.done():
            # Of the pass that happens to come first nothing is inherited: no span, no shared answers.
            self._task = asyncio.create_task(self._send_waiting(delay_s), name="events", context=Context())

    async def aclose(self) -> None:
        """Send no more, from now on."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._waiting:
            log.info("Events that waited are not recorded.", count=len(self._waiting))
            self._waiting.clear()

    async def _send_waiting(self, delay_s: float) -> None:
        failures = 0
        while self._waiting:
            await asyncio.sleep(delay_s)
            failures = 0 if await self._sent(self._waiting[0]) else failures + 1
            if failures:
                delay_s = _AWAY.delay(failures, self._jitter)
                continue
            self._waiting.popleft()
            delay_s = self._delay_s() if self._waiting else 0.0

    async def _sent(self, sending: Sending) -> bool:
        try:
            return await sending()
        except Exception:  # an event is for people, and the next one may be sent
            log.exception("The event was not recorded.")
            return True

    def _delay_s(self) -> float:
        return self._pacer.delay("", self._clock.monotonic())

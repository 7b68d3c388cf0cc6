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
#: An event is tried so often, in some four minutes: one that the API server never takes holds up the others no longer, and
#: of those that wait while it is away for an hour about ten are lost.
MOST_TRIES = 16
_PAUSES = Backoff(base_s=1.0, cap_s=30.0)
#: A task that does not end although it was cancelled keeps the process no longer.
_CLOSE_S = 0.1

#: Sends an event; returns False where the API server may take it later.
Sending = Callable[[], Awaitable[bool]]


class EventQueue:
    """An event queue sends events at once while they are few; those of a burst wait, and no pass waits for them.

    One that the API server does not take is tried again, and those after it wait. What is lost is counted in the log.
    """

    def __init__(self, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._pacer = Pacer(burst=BURST, spacing_s=1 / PER_SECOND, longest_s=float("inf"))
        self._waiting: deque[Sending] = deque()
        self._task: asyncio.Task[None] | None = None
        self._lost = 0
        self._closed = False

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    async def send(self, sending: Sending) -> None:
        """Send an event, or let it wait for those before it."""
        pause_s = 0.0
        if not self._waiting and not self._closed:
            pause_s = self._pacing_s()
            if not pause_s:
                if await self._sent(sending):
                    return
                pause_s = self._backoff_s(1)
        if self._closed or len(self._waiting) >= MOST_WAITING:
            self._lose("the operator ends" if self._closed else f"{len(self._waiting)} others wait")
            return
        self._waiting.append(sending)
        if self._task is None or self._task.done():
            # Of the pass that happens to come first nothing is inherited: no span, no shared answers.
            self._task = asyncio.create_task(self._send_waiting(pause_s), name="events", context=Context())

    async def aclose(self) -> None:
        """Send no more, from now on."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CLOSE_S)
        self._lost += len(self._waiting)
        self._waiting.clear()
        self._tell_lost()

    async def _send_waiting(self, pause_s: float) -> None:
        tries = failures = 0
        while self._waiting:
            await asyncio.sleep(pause_s)
            if self._closed:
                return
            tries += 1
            done = await self._sent(self._waiting[0])
            if self._closed:  # what is closed has counted its events
                return
            failures = 0 if done else failures + 1
            if not done and tries >= MOST_TRIES:
                self._lose(f"it was tried {tries} times")
                done = True
            if done:
                self._waiting.popleft()
                tries = 0
            pause_s = self._backoff_s(failures) if failures else self._pacing_s() if self._waiting else 0.0
        self._tell_lost()

    async def _sent(self, sending: Sending) -> bool:
        try:
            return await sending()
        except Exception:  # an event is for people: no pass depends on it, and the next one may be sent
            log.exception("An event was not recorded.")
            return True

    def _lose(self, why: str) -> None:
        if not self._lost:
            log.warning("An event is not recorded, and perhaps more after it.", why=why)
        self._lost += 1

    def _tell_lost(self) -> None:
        if self._lost:
            log.warning("Events were not recorded; what they say is in the log.", count=self._lost)
        self._lost = 0

    def _pacing_s(self) -> float:
        return self._pacer.delay("", self._clock.monotonic())

    def _backoff_s(self, failures: int) -> float:
        return _PAUSES.delay(failures, self._jitter)

"""Events go to the API server evenly: a thousand issuers that come, or break, at once have thousands of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from oidc_publisher.timing.backoff import Pacer
from oidc_publisher.timing.clock import Clock

log = structlog.stdlib.get_logger(__name__)

#: A new issuer needs two writes of its status, and 1,000 of them become Ready within 55 s: 37 requests a second. With their
#: events these are 43, and 47 in the first second.
PER_SECOND = 6
BURST = 4
#: Two events of each of 2,000 issuers, which take eleven minutes.
MOST_WAITING = 4096

_Sending = Callable[[], Awaitable[None]]


class EventQueue:
    """An event queue sends events at once while they are few; those of a burst wait, and no pass waits for them.

    What waits when the process ends is not sent: the log has it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pacer = Pacer(burst=BURST, spacing_s=1 / PER_SECOND, longest_s=float("inf"))
        self._waiting: deque[_Sending] = deque()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    async def send(self, sending: _Sending) -> None:
        """Send an event, or let it wait for those before it; what is one too many is left to the log."""
        if self._task is None:
            delay_s = self._delay_s()
            if not delay_s:
                await sending()
                return
            self._task = asyncio.create_task(self._send_waiting(delay_s), name="events")
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(sending)
        else:
            log.debug("The event was not recorded: too many wait.", waiting=len(self._waiting))

    async def aclose(self) -> None:
        """Send no more."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        if self._waiting:
            log.info("Events that waited are not recorded.", count=len(self._waiting))
            self._waiting.clear()

    async def _send_waiting(self, delay_s: float) -> None:
        while self._waiting:
            await asyncio.sleep(delay_s)
            try:
                await self._waiting.popleft()()
            except Exception:  # an event is for people, and the next one may be sent
                log.exception("The event was not recorded.")
            delay_s = self._delay_s()
        self._task = None

    def _delay_s(self) -> float:
        return self._pacer.delay("", self._clock.monotonic())

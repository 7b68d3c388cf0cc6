"""Steps of the wall clock: no timer moves with them, and yet what a timer was set for comes sooner or later (R13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)

LOOK_S = 1.0

#: The ledger counts whole seconds, so a smaller step makes nothing late that anybody could see. What NTP corrects
#: without a step stays far below: Linux slews both clocks alike, and the fastest slew there is (chrony's maxslewrate,
#: 1/12 s in a second) would not reach it between two looks where only one of them were slewed.
STEP_S = 1.0


class ClockSteps:
    """Compares the wall clock with the monotonic one, and calls `on_step` when one of them has jumped.

    A machine that was suspended is such a case too: its monotonic clock stood still, and every timer with it.
    """

    def __init__(self, on_step: Callable[[], None], clock: Clock | None = None) -> None:
        self._on_step = on_step
        self._clock = clock or SystemClock()
        self._offset_s = self._measured()

    async def run(self) -> None:
        """Look once per second for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Say so and call `on_step` when the wall clock was stepped since the last look."""
        before, self._offset_s = self._offset_s, self._measured()
        moved_s = self._offset_s - before
        if abs(moved_s) < STEP_S:
            return
        log.warning("The wall clock was stepped: all issuers are looked at.", by_s=round(moved_s, 1))
        self._on_step()

    def _measured(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

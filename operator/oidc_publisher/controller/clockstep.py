"""Detect steps of the wall clock, which timers do not follow although the times that they were set for do (R13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)

LOOK_S = 1.0

#: The ledger counts whole seconds, so a smaller step delays nothing by a visible amount. Corrections of NTP without a
#: step stay far below: Linux slews both clocks alike, and even if it slewed only one of them, the fastest slew
#: (chrony's maxslewrate, 1/12 s in a second) would not reach this limit between two checks.
STEP_S = 1.0


class ClockSteps:
    """ClockSteps compares the wall clock with the monotonic clock, and calls `on_step` when one of them has jumped.

    A suspended machine is such a case too: its monotonic clock stops, and every timer with it.
    """

    def __init__(self, on_step: Callable[[], None], clock: Clock | None = None) -> None:
        self._on_step = on_step
        self._clock = clock or SystemClock()
        self._offset_s = self._measured()

    async def run(self) -> None:
        """Check the clocks once per second, without end."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Log a step of the wall clock since the last check, and call `on_step`."""
        before, self._offset_s = self._offset_s, self._measured()
        moved_s = self._offset_s - before
        if abs(moved_s) < STEP_S:
            return
        log.warning("The wall clock was stepped: all issuers are looked at.", by_s=round(moved_s, 1))
        self._on_step()

    def _measured(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

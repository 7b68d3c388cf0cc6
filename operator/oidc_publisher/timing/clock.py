"""Define the port to the clocks, which tests replace by clocks of their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A Clock gives two times: a monotonic one for waiting, and the wall clock, which other machines share."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary instant; they never decrease."""
        ...

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""
        ...


class SystemClock:
    """The SystemClock reads the clocks of this machine."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary instant, by the clock that asyncio's event loop uses."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""
        return datetime.now(UTC)

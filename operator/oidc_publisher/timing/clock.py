"""Time as the controller sees it, so that tests can hand in their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that never jumps, for waiting, and one that means something to other machines."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant; never goes back."""
        ...

    def now(self) -> datetime:
        """The wall clock as aware UTC."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant; the clock that asyncio's loop waits by."""
        return time.monotonic()

    def now(self) -> datetime:
        """The wall clock as aware UTC."""
        return datetime.now(UTC)

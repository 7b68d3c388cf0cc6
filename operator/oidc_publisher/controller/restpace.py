"""Space the passes of keys that only rest, so that API servers and stores are asked evenly. Pure.

Whatever delays many passes at once makes them begin together from then on, since each comes one interval after its last.
"""

from __future__ import annotations

#: Two requests to the API server a pass: below 50 in a second, which leaves room for changes.
SPACING_S = 0.045
#: A line that has grown is passed within this time, however long it is: then the fleet needs more passes than one in SPACING_S.
DRAIN_S = 1.0


class RestPace:
    """A RestPace knows when the last resting key began, and says how long the next one waits; times are monotonic seconds."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def wait_s(self, now: float, waiting: int) -> float:
        """Return the seconds until one of so many waiting keys may begin, 0 where it may begin now."""
        spacing_s = min(SPACING_S, DRAIN_S / max(1, waiting))
        return max(0.0, self._last + spacing_s - now)

    def began(self, now: float) -> None:
        """Note that a resting key begins."""
        self._last = now

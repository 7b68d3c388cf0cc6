"""Compute delays: growing ones with jitter after failures, and evenly spaced ones for a burst."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: 2**10 times the base is above every cap in use. Without a limit the power overflows after 1,024 failures.
_MAX_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Backoff:
    """A Backoff computes exponential delays from `base_s` to `cap_s`, each shortened by a random part up to one half.

    An iterator yields the delays without end and without jitter, from the first one.
    """

    base_s: float
    cap_s: float

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after so many failures in a row; `random` returns a number from [0, 1)."""
        return self._full(failures) * (1.0 - random() / 2)

    def __iter__(self) -> Iterator[float]:
        failures = 0
        while True:
            failures += 1
            yield self._full(failures)

    def _full(self, failures: int) -> float:
        doublings = min(max(failures, 1) - 1, _MAX_DOUBLINGS)
        return min(self.cap_s, self.base_s * 2.0**doublings)


class Pacer:
    """A Pacer turns a burst into a steady flow.

    The first `burst` arrivals do not wait, and each further one waits `spacing_s` longer than the one before. An
    arrival that would wait longer than `longest_s` waits a shorter time instead, by the hash of its name. After a
    period without arrivals the next burst does not wait either.
    """

    def __init__(self, *, burst: int, spacing_s: float, longest_s: float) -> None:
        self._burst = burst
        self._spacing_s = spacing_s
        self._longest_s = longest_s
        self._next_free = float("-inf")

    def delay(self, name: str, now: float) -> float:
        """Return the seconds that the arrival of `name` at the monotonic time `now` has to wait."""
        self._next_free = max(self._next_free, now - (self._burst - 1) * self._spacing_s)
        wait = self._next_free - now
        if wait > self._longest_s:
            return unit_interval(name) * self._longest_s
        self._next_free += self._spacing_s
        return wait if wait > self._spacing_s / 2 else 0.0  # less than half is the rounding error of a sum


def unit_interval(text: str) -> float:
    """Map a text to [0, 1), evenly distributed and the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / float(1 << 48)

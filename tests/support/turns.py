"""The turns of the event loop, each measured by the CPU time of its thread: the machine's load does not count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """The longest turn since it was last taken: while one lasts nobody else has a turn."""

    def __init__(self) -> None:
        self._longest_s = 0.0

    def note(self, cpu_s: float) -> None:
        """Note one that has ended."""
        self._longest_s = max(self._longest_s, cpu_s)

    def take(self) -> float:
        """Return its CPU seconds, and begin anew."""
        longest, self._longest_s = self._longest_s, 0.0
        return longest


@contextmanager
def measured_turns(turns: Turns) -> Iterator[None]:
    """Note every turn of every loop of this process; `Handle._run` is the one place that all of them pass through."""
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        used = time.thread_time()
        run(handle)
        turns.note(time.thread_time() - used)

    asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]

"""Measure for how long the event loop did not run although its turn had come.

What a program measures with a clock is also about the program: a process without CPU time finds every host slow.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

#: How often the loop has to run. A delay that is shorter than this may go unnoticed.
_TICK_S = 0.05


class Starvation:
    """Starvation counts the seconds by which the running event loop was late; use it in a `with` statement."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._late_s = 0.0

    def __enter__(self) -> Self:
        """Begin to count."""
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._timer.cancel()

    @property
    def seconds(self) -> float:
        """By how much the loop was late since the beginning, with a turn that is due and has not come yet."""
        return self._late_s + max(0.0, self._loop.time() - self._timer.when())

    def _wait(self) -> None:
        self._timer = self._loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        self._late_s = self.seconds
        self._wait()

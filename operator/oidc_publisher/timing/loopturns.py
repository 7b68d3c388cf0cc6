"""Measure for how long single turns of the event loop take, while which nothing else of the process has a turn.

A turn runs from one look of the loop at its sockets to the next one, and calls everything that is due. The loop is
measured by its selector, through which each turn passes: that costs a microsecond a turn, and nothing while the loop waits.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

#: The longest turn is that of so many seconds: twice the longest usual time between two scrapes.
WINDOW_S = 120.0
#: Shorter turns are none that anybody waits for.
_SHORTEST_S = 0.001

_Seconds = Callable[[], float]


@dataclass(slots=True)
class _Longest:
    """The turns that no later turn exceeds, longest first, each with its end: the first one is the longest of the window."""

    kept: deque[tuple[float, float]] = field(default_factory=deque)

    def note(self, ended: float, took_s: float) -> None:
        while self.kept and self.kept[-1][1] <= took_s:
            self.kept.pop()
        self.kept.append((ended, took_s))
        while self.kept[0][0] < ended - WINDOW_S:
            self.kept.popleft()

    def at(self, now: float) -> float:
        return max((took_s for ended, took_s in tuple(self.kept) if ended >= now - WINDOW_S), default=0.0)


class LoopTurns:
    """LoopTurns knows the longest turn of the last WINDOW_S seconds. Any thread may ask; `began` and `ended` are the loop's."""

    def __init__(self, wall: _Seconds = time.perf_counter, cpu: _Seconds = time.thread_time) -> None:
        self._wall = wall
        self._cpu = cpu
        self._began: float | None = None  # by the wall clock; None while the loop waits
        self._cpu_began = 0.0
        self._longest_wall, self._longest_cpu = _Longest(), _Longest()

    def began(self) -> None:
        """Note that a turn begins."""
        self._cpu_began = self._cpu()
        self._began = self._wall()

    def ended(self) -> None:
        """Note that the turn ends, and the loop waits."""
        began, self._began = self._began, None
        if began is None:
            return
        now = self._wall()
        if now - began >= _SHORTEST_S:
            self._longest_wall.note(now, now - began)
            self._longest_cpu.note(now, self._cpu() - self._cpu_began)

    @property
    def longest_wall_s(self) -> float:
        """The seconds of the longest turn, the one in progress included: so long a message on a socket waited at most."""
        now, began = self._wall(), self._began
        return max(self._longest_wall.at(now), 0.0 if began is None else now - began)

    @property
    def longest_cpu_s(self) -> float:
        """The processor seconds of the loop's thread in the turn that took most of them."""
        return self._longest_cpu.at(self._wall())


class MeasuredLoop(asyncio.SelectorEventLoop):
    """A MeasuredLoop is asyncio's own event loop of this platform, whose turns are measured."""

    def __init__(self) -> None:
        self.turns = LoopTurns()
        super().__init__(_MeasuredSelector(self.turns))


def turns_of(loop: asyncio.AbstractEventLoop) -> LoopTurns | None:
    """Return the turns of a loop, None where they are not measured."""
    return loop.turns if isinstance(loop, MeasuredLoop) else None


class _MeasuredSelector(selectors.DefaultSelector):
    def __init__(self, turns: LoopTurns) -> None:
        super().__init__()
        self._turns = turns

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns.ended()
        try:
            return super().select(timeout)
        finally:
            self._turns.began()

"""Turns of the event loop: how long they take by both clocks, and for how long the longest one is remembered."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from oidc_publisher.timing.loopturns import WINDOW_S, LoopTurns, MeasuredLoop, turns_of


class Clocks:
    """Two clocks that a test sets."""

    def __init__(self) -> None:
        self.wall = self.cpu = 1000.0

    def turn(self, turns: LoopTurns, wall_s: float, cpu_s: float) -> None:
        """Let a turn take so long."""
        turns.began()
        self.wall += wall_s
        self.cpu += cpu_s
        turns.ended()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def turns(clocks: Clocks) -> LoopTurns:
    return LoopTurns(lambda: clocks.wall, lambda: clocks.cpu)


def run(work: Coroutine[Any, Any, None]) -> LoopTurns:
    """The turns of a loop that has done the work."""
    with asyncio.Runner(loop_factory=MeasuredLoop) as runner:
        runner.run(work)
        found = turns_of(runner.get_loop())
    assert found is not None
    return found


def test_the_longest_turn_is_told_by_each_clock(clocks: Clocks, turns: LoopTurns) -> None:
    """One turn may take most of the time, and another one most of the processor."""
    clocks.turn(turns, 0.2, 0.01)
    clocks.turn(turns, 0.1, 0.09)
    clocks.turn(turns, 0.05, 0.02)
    assert turns.longest_wall_s == pytest.approx(0.2)
    assert turns.longest_cpu_s == pytest.approx(0.09)


def test_the_longest_turn_is_forgotten_and_the_next_longest_comes_forward(clocks: Clocks, turns: LoopTurns) -> None:
    """A turn at the start of the process says nothing about now."""
    clocks.turn(turns, 0.3, 0.3)
    clocks.wall += WINDOW_S / 2
    clocks.turn(turns, 0.1, 0.1)
    clocks.wall += WINDOW_S / 2
    assert (turns.longest_wall_s, turns.longest_cpu_s) == pytest.approx((0.1, 0.1))
    clocks.wall += WINDOW_S
    assert turns.longest_wall_s == turns.longest_cpu_s == 0.0


def test_what_is_remembered_does_not_grow(clocks: Clocks, turns: LoopTurns) -> None:
    """Turns by the thousand, each a little shorter than the last one: the worst case of the window."""
    for number in range(5000):
        clocks.turn(turns, 0.5 - number * 1e-5, 0.0)
    assert len(turns._longest_wall.kept) <= WINDOW_S / 0.45
    assert turns.longest_wall_s == pytest.approx(0.5 - (5000 - WINDOW_S / 0.45) * 1e-5, rel=0.01)


def test_a_turn_in_progress_counts(clocks: Clocks, turns: LoopTurns) -> None:
    """A scrape tells of a loop that stands still now."""
    turns.began()
    clocks.wall += 7.0
    assert turns.longest_wall_s == pytest.approx(7.0)
    turns.ended()
    clocks.wall += 5.0
    assert turns.longest_wall_s == pytest.approx(7.0)


def test_a_turn_that_waits_in_a_call_takes_time_and_no_processor() -> None:
    """So an admin tells work of the operator from a machine that takes the processor away."""

    async def blocks() -> None:
        time.sleep(0.08)  # noqa: ASYNC251 - what is measured

    turns = run(blocks())
    assert turns.longest_wall_s >= 0.08
    assert turns.longest_cpu_s < 0.06


def test_a_turn_that_computes_takes_processor() -> None:
    """Of the loop's thread, whatever else runs."""

    async def computes() -> None:
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass

    assert run(computes()).longest_cpu_s >= 0.03


def test_waiting_is_no_turn() -> None:
    """Neither for a timer nor for another thread, even where the wait is long."""

    async def waits() -> None:
        await asyncio.sleep(0.15)
        woken = asyncio.Event()
        threading.Timer(0.15, asyncio.get_running_loop().call_soon_threadsafe, (woken.set,)).start()
        await woken.wait()

    assert run(waits()).longest_cpu_s < 0.1
    assert run(waits()).longest_wall_s < 0.15


def test_another_loop_has_no_turns() -> None:
    """Its owner did not ask for them."""
    loop = asyncio.new_event_loop()
    try:
        assert turns_of(loop) is None
    finally:
        loop.close()

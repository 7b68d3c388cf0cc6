"""What issuers that went leave in memory, and when it is let go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from oidc_publisher.controller import leftovers
from oidc_publisher.controller.leftovers import AT_ONCE, COLLECTED_UP_TO, FORGET_S, SETTLE_S, Leftovers
from oidc_publisher.keys.remembering import Remembered
from tests.support.looptime import run_jumping


@dataclass
class Process:
    """What is done in this process, and after how many seconds; `there` issuers are there."""

    there: int = 1
    done: list[tuple[float, str]] = field(default_factory=list)
    leftovers: Leftovers = field(init=False)

    def does(self, what: str) -> Callable[[], None]:
        """A function that notes that it was called."""
        return lambda: self.done.append((round(asyncio.get_running_loop().time(), 3), what))

    def times(self, what: str) -> list[float]:
        """When it was done."""
        return [at for at, one in self.done if one == what]

    def go(self, number: int) -> None:
        """So many issuers go at once."""
        for _ in range(number):
            self.leftovers.add()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The operator's part runs."""
        self.leftovers = Leftovers(lambda: self.there)
        task = asyncio.create_task(self.leftovers.run())
        try:
            yield
        finally:
            task.cancel()

    def run(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do the steps while it runs, on a clock that jumps."""

        async def main() -> None:
            async with self.running():
                await steps()

        run_jumping(main)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    """A process in which nothing is really let go, and threads are none."""
    process = Process()

    async def to_thread(function: Callable[[], None]) -> None:
        function()

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    monkeypatch.setattr(leftovers, "gc", SimpleNamespace(collect=process.does("collected")))
    monkeypatch.setattr(leftovers, "forget_unused", process.does("forgotten"))
    monkeypatch.setattr(leftovers, "return_freed", process.does("returned"))
    return process


@pytest.mark.parametrize(
    ("gone", "there", "collections"),
    [(3, COLLECTED_UP_TO, 1), (3, COLLECTED_UP_TO + 1, 0), (0, 1, 0)],
    ids=["went", "a fleet", "none went"],
)
def test_garbage_is_collected_once_after_issuers_went(
    gone: int, there: int, collections: int, process: Process
) -> None:
    """At rest there is none that is worth a walk; among a thousand issuers the walk holds the event loop for too long."""
    process.there = there

    async def steps() -> None:
        process.go(gone)
        await asyncio.sleep(3.5 * FORGET_S)

    process.run(steps)
    assert len(process.times("collected")) == collections
    assert process.times("forgotten") == process.times("returned") == [FORGET_S, 2 * FORGET_S, 3 * FORGET_S]


def test_garbage_of_a_fleet_is_collected_once_it_is_small_enough(process: Process) -> None:
    """Whoever deletes a fleet gets its memory back with the last of it, also when nothing goes after that."""
    process.there = COLLECTED_UP_TO + 1

    async def steps() -> None:
        process.go(1)
        await asyncio.sleep(2.5 * FORGET_S)
        process.there -= 1
        await asyncio.sleep(2 * FORGET_S)

    process.run(steps)
    assert process.times("collected") == [3 * FORGET_S]


@pytest.mark.parametrize(("there", "at"), [(0, AT_ONCE), (AT_ONCE, AT_ONCE), (AT_ONCE + 50, AT_ONCE + 50)])
def test_a_wave_of_issuers_that_go_does_not_wait_for_the_period(there: int, at: int, process: Process) -> None:
    """Among more issuers more may go before: what is parsed anew for those that stay must not exceed what went."""
    process.there = there

    async def steps() -> None:
        for _ in range(3):
            process.go(at - 1)
            await asyncio.sleep(10.0)
            process.go(1)
            await asyncio.sleep(10.0)

    process.run(steps)
    waves = [at + 10 + SETTLE_S for at in (0, 20, 40)]
    assert process.done == [(at, what) for at in waves for what in ("forgotten", "collected", "returned")]


def test_all_that_go_together_are_one_wave(process: Process) -> None:
    """What is in progress for so many at that time is not walked through; the next period finds it done."""

    async def steps() -> None:
        for _ in range(10):
            process.go(AT_ONCE)
            await asyncio.sleep(SETTLE_S / 11)
        await asyncio.sleep(1.5 * FORGET_S)

    process.run(steps)
    assert process.times("forgotten") == [SETTLE_S, SETTLE_S + FORGET_S]
    assert process.times("collected") == [SETTLE_S + FORGET_S]


def test_a_period_ends_the_wave_too(process: Process) -> None:
    """What went before it is no part of the next wave, and the period counts anew from a wave."""

    async def steps() -> None:
        process.go(AT_ONCE - 1)
        await asyncio.sleep(FORGET_S + 1)
        process.go(AT_ONCE - 1)
        await asyncio.sleep(FORGET_S + 1)
        process.go(AT_ONCE)
        await asyncio.sleep(1.5 * FORGET_S)

    process.run(steps)
    wave = 2 * FORGET_S + 2 + SETTLE_S
    assert process.times("forgotten") == [FORGET_S, 2 * FORGET_S, wave, wave + FORGET_S]


def test_a_wave_just_before_the_period_is_let_go_with_it_and_once_more(process: Process) -> None:
    """No later than without a wave; what was no garbage yet goes with the next period, although nothing went since."""

    async def steps() -> None:
        await asyncio.sleep(FORGET_S - SETTLE_S / 2)
        process.go(AT_ONCE)
        await asyncio.sleep(3 * FORGET_S)

    process.run(steps)
    assert process.times("collected") == [FORGET_S, 2 * FORGET_S]


@pytest.mark.parametrize(
    ("there", "rate"), [(20, 10.0), (50, 30.0), (100, 10.0), (150, 2.5), (200, 1.0), (COLLECTED_UP_TO - 7, 1.0)]
)
def test_garbage_never_waits_for_two_periods_while_issuers_come_and_go(
    there: int, rate: float, process: Process
) -> None:
    """What went long before is not walked through any more, and counts for nothing."""
    process.there = there

    async def steps() -> None:
        for _ in range(int(900 * rate)):
            process.go(1)
            await asyncio.sleep(1 / rate)

    process.run(steps)
    times = [0.0, *process.times("collected"), 900.0]
    assert max(later - sooner for sooner, later in itertools.pairwise(times)) <= 2 * FORGET_S


def test_a_wave_in_a_fleet_forgets_and_collects_nothing(process: Process) -> None:
    """The walk through all that stay would take too long at each wave."""
    process.there = COLLECTED_UP_TO + 1

    async def steps() -> None:
        process.go(process.there)
        await asyncio.sleep(FORGET_S)

    process.run(steps)
    assert process.done == [(SETTLE_S, "forgotten"), (SETTLE_S, "returned")]


async def test_waves_really_forget_and_collect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of documents what nobody has asked for since, after two waves; of garbage what only the collector can free."""

    class Cycle:
        """Garbage that is its own reason."""

        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            freed.append(True)

    monkeypatch.setattr(leftovers, "SETTLE_S", 0.0)
    remembered, freed, process, threads = Remembered(bytes.upper), list[bool](), Process(), set[threading.Thread]()
    monkeypatch.setattr(leftovers, "return_freed", lambda: threads.add(threading.current_thread()))
    stays = [remembered(b"stays"), remembered(b"went")][0]
    gc.disable()
    try:
        Cycle()
        async with process.running():
            for _ in range(2):
                process.go(AT_ONCE)
                async with asyncio.timeout(60):
                    while process.leftovers._gone or not threads:  # noqa: ASYNC110 - nobody is told
                        await asyncio.sleep(0.005)
                assert remembered(b"stays") is stays
    finally:
        gc.enable()
    assert len(remembered) == 1
    assert freed == [True]
    assert threading.main_thread() not in threads, "it takes milliseconds"


def test_without_a_thread_to_spare_it_goes_on(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was freed is not returned then, and is at the next period."""
    note = process.does("asked")

    def return_freed() -> None:
        note()
        if len(process.times("asked")) == 1:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(leftovers, "return_freed", return_freed)

    async def steps() -> None:
        await asyncio.sleep(2.5 * FORGET_S)

    process.run(steps)
    assert process.times("asked") == [FORGET_S, 2 * FORGET_S]

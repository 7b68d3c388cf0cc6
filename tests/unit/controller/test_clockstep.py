"""R13: timers run on the monotonic clock, and a step of the wall clock re-plans."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from oidc_publisher.controller.clockstep import LOOK_S, STEP_S, ClockSteps
from oidc_publisher.controller.kopf.events import IssuerEvents
from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.shard import WHOLE
from oidc_publisher.reconcile.passes import Outcome
from tests.support.looptime import EPOCH, LoopClock, run_jumping

DAY = timedelta(days=1)


class SteppedClock(LoopClock):
    """The loop's time, and a wall clock that is `error` off and goes wrong by `slew` of each second."""

    def __init__(self, slew: float = 0.0) -> None:
        self.error = timedelta(0)
        self.slew = slew

    def now(self) -> datetime:
        """What the wall clock says."""
        return EPOCH + timedelta(seconds=self.monotonic() * (1 + self.slew)) + self.error


def told(*steps: float, slew: float = 0.0, for_s: float = 60.0) -> list[float]:
    """The sizes of the steps that were found, each `for_s` after the one before; each calls on_step once."""

    async def main() -> list[float]:
        clock, calls = SteppedClock(slew), []
        watch = ClockSteps(lambda: calls.append(clock.monotonic()), clock)
        running = asyncio.create_task(watch.run())
        with capture_logs() as lines:
            await asyncio.sleep(for_s)
            for step in steps:
                clock.error += timedelta(seconds=step)
                await asyncio.sleep(for_s)
        assert not running.done()
        assert len(calls) == len(lines)
        return [line["by_s"] for line in lines]

    return run_jumping(main)


@pytest.mark.parametrize("step", [STEP_S, 200.0, 86_400.0, -STEP_S, -200.0])
def test_a_step_is_told_once_with_its_size(step: float) -> None:
    """Forward and backward; afterwards the new offset is the usual one."""
    assert told(step) == [pytest.approx(step, abs=0.1)]


def test_each_of_several_steps_is_told() -> None:
    """Two in the same direction, one back; and two between the same two looks are one."""
    assert told(10.0, 10.0, -20.0, for_s=3 * LOOK_S) == [10.0, 10.0, -20.0]
    assert told(10.0, 20.0, for_s=LOOK_S / 10) == []  # not looked at yet
    assert told(10.0, 20.0, 0.0, 0.0, for_s=LOOK_S * 0.45) == [30.0]


@pytest.mark.parametrize("slew", [500e-6, -500e-6, 1 / 12, -1 / 12])
def test_a_clock_that_is_slewed_is_no_step(slew: float) -> None:
    """The kernel's fastest slew and chrony's, for ten minutes, also where one of the two clocks alone is slewed."""
    assert told(slew=slew, for_s=600.0) == []


def test_a_step_below_the_ledgers_seconds_is_none() -> None:
    """Nobody could see what it makes late."""
    assert told(STEP_S * 0.9, -STEP_S * 0.9) == []


@pytest.mark.parametrize(("step_s", "looks"), [(0.0, 1), (240.0, 2), (-240.0, 2)])
def test_a_step_makes_every_known_issuer_be_looked_at(step_s: float, looks: int) -> None:
    """With an interval of a day what falls due by the wall clock would come a step too late otherwise."""

    async def main() -> dict[str, list[float]]:
        clock = SteppedClock()
        seen: dict[str, list[float]] = {}

        async def process(key: str) -> Outcome:
            seen.setdefault(key, []).append(clock.monotonic())
            return Outcome(wake_after=DAY)

        queue = WorkQueue(process, clock=clock)
        queue.start()
        events = IssuerEvents(queue, WHOLE, clock=clock)
        running = asyncio.create_task(ClockSteps(events.look_at_all, clock).run())
        for name in ("one", "two"):
            events.seen(None, {"metadata": {"name": name, "uid": f"uid-of-{name}", "generation": 1}})
        await asyncio.sleep(600)
        clock.error = timedelta(seconds=step_s)
        await asyncio.sleep(600)
        running.cancel()
        return seen

    seen = run_jumping(main)
    assert {name: len(times) for name, times in seen.items()} == {"one": looks, "two": looks}
    assert all(times[-1] < 600 + 2 * LOOK_S for times in seen.values())

"""How resting keys are spaced, alone and in the work queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.restpace import DRAIN_S, SPACING_S, RestPace
from oidc_publisher.reconcile.passes import Outcome
from tests.support.looptime import LoopClock, run_jumping

INTERVAL = timedelta(minutes=1)
#: Of an API server; a pass asks it twice.
MOST_PASSES_IN_A_SECOND = 25


def test_the_first_waits_not_and_the_next_until_the_spacing_is_over() -> None:
    """One issuer by itself is never paused."""
    pace = RestPace()
    assert pace.wait_s(100.0, 1) == 0
    pace.began(100.0)
    assert pace.wait_s(100.0, 1) == pytest.approx(SPACING_S)
    assert pace.wait_s(100.0 + SPACING_S, 1) == 0


def test_a_long_line_is_not_paced_beyond_its_drain() -> None:
    """A fleet that needs more passes gets them: no line is too long for its time."""
    pace = RestPace()
    pace.began(0.0)
    assert pace.wait_s(0.0, 500) == pytest.approx(DRAIN_S / 500)


def begun(keys: int, for_s: float, *, at_once: int, changed_at: float | None = None) -> list[tuple[float, str]]:
    """When passes of so many keys began; the first ones are due at once, the others one after the other in a minute."""
    seen: list[tuple[float, str]] = []

    async def process(key: str) -> Outcome:
        seen.append((asyncio.get_running_loop().time(), key))
        await asyncio.sleep(0.1)
        return Outcome(wake_after=INTERVAL)

    async def main() -> None:
        queue = WorkQueue(process, clock=LoopClock())
        queue.start()
        for number in range(keys):
            queue.wake_at(f"issuer-{number}", 0.0 if number < at_once else 60.0 * number / keys)
        if changed_at is not None:
            asyncio.get_running_loop().call_at(changed_at, queue.add, "changed", "created")
        await asyncio.sleep(for_s)
        await queue.stop(0)

    run_jumping(main)
    return seen


def test_what_came_together_once_comes_apart() -> None:
    """Sixty of a thousand issuers whose passes were delayed to one instant do not begin together in every minute after it."""
    seen = begun(1000, 300, at_once=60)
    late = Counter(int(at) for at, _ in seen if at > 180)
    assert max(late.values()) <= MOST_PASSES_IN_A_SECOND


def test_a_changed_key_does_not_wait_for_the_pace() -> None:
    """The line of those that rest is long, and the change begins at once."""
    seen = begun(400, 20, at_once=400, changed_at=2.0)
    assert next(at for at, key in seen if key == "changed") == pytest.approx(2.0, abs=0.11)


def test_passes_that_follow_each_other_are_not_delayed() -> None:
    """A thousand issuers, spread over their minute: each begins when it is due."""
    seen = begun(1000, 130, at_once=0)
    first = [at for at, _ in seen if at < 60]
    assert all(later - earlier == pytest.approx(0.06, abs=0.001) for earlier, later in pairwise(first))

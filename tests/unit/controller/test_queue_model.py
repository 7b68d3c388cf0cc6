"""The work queue against arbitrary sequences of events, with every reconcile watched."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.controller.places import SLOW_RUNS_PER_PLACE
from oidc_publisher.controller.queue import SLOW_S, WorkQueue
from oidc_publisher.reconcile.passes import Gone, Outcome
from oidc_publisher.timing.backoff import Backoff
from tests.support.examples import about
from tests.support.looptime import LoopClock, run_jumping

KEYS = st.sampled_from(["a", "b", "c", "d"])
SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS),
        st.tuples(st.just("wake"), KEYS, SECONDS),
        st.tuples(st.just("sleep"), SECONDS),
    ),
    max_size=40,
)
#: The longest run outlasts SLOW_S, so that it goes on beside the places.
RUN_SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 7.0])
RUNS = st.lists(st.tuples(RUN_SECONDS, st.sampled_from(["done", "again", "failed", "raise", "gone"])), max_size=20)
SETTLE_S = 500.0


class World:
    """Reconciles whose length and result hypothesis chose; each notes which version of its object it saw."""

    def __init__(self, runs: list[tuple[float, str]], limit: int) -> None:
        self.runs = iter(runs)
        self.limit = limit
        self.version: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.began: dict[str, float] = {}
        self.slow: set[str] = set()

    async def process(self, key: str) -> Outcome | Gone:
        """Look at the object, take the chosen time, give the chosen result."""
        self.running[key] += 1
        assert self.running[key] == 1, "a key ran twice at once"
        now = self.began[key] = asyncio.get_running_loop().time()
        at_once = [other for other in self.running.elements() if other not in self.slow]
        assert sum(now - self.began[other] < SLOW_S for other in at_once) <= self.limit, "too many ran at once"
        assert self.running.total() <= self.limit * (1 + SLOW_RUNS_PER_PLACE), "too many slow ones ran at once"
        self.seen[key] = self.version[key]  # a reconcile reads its object when it begins
        seconds, result = next(self.runs, (0.0, "done"))
        try:
            await asyncio.sleep(seconds)
        finally:
            self.running[key] -= 1
            slow = asyncio.get_running_loop().time() - now > SLOW_S
            (self.slow.add if slow else self.slow.discard)(key)
        return _result(result)


def _result(name: str) -> Outcome | Gone:
    match name:
        case "raise":
            raise RuntimeError("a bug")
        case "gone":
            return Gone()
        case "again":
            return Outcome(wake_after=timedelta(seconds=2))
        case _:
            return Outcome(failed=name == "failed")


@pytest.mark.slow  # histories of an event loop, of minutes each
@given(steps=STEPS, runs=RUNS, limit=st.integers(1, 3))
@about(150)
def test_every_change_is_seen_by_a_run_that_began_after_it(
    steps: list[tuple[str, ...]], runs: list[tuple[float, str]], limit: int
) -> None:
    """Whatever happens in whatever order: no change is lost, no key runs twice at once, and it all comes to rest."""

    async def main() -> None:
        world = World(runs, limit)
        queue = WorkQueue(
            world.process,
            max_concurrent=limit,
            retry=Backoff(0.5, 8.0),
            clock=LoopClock(),
            jitter=lambda: 0.5,
        )
        queue.start()
        for step in steps:
            await _do(queue, world, step)
        await asyncio.sleep(SETTLE_S)
        assert (len(queue._tasks), len(queue._waiting), len(queue._waiting_slow)) == (0, 0, 0)
        for key, version in world.version.items():
            assert world.seen[key] == version, f"a change of {key} was lost"
        assert not queue._deadlines or all(queue._entries[key].due != at for at, key in queue._deadlines)

    run_jumping(main)


async def _do(queue: WorkQueue, world: World, step: tuple[str, ...]) -> None:
    match step:
        case ("add", key):
            world.version[key] += 1
            queue.add(key, "changed")
        case ("wake", key, seconds):
            queue.wake_at(key, asyncio.get_running_loop().time() + float(seconds))
        case ("sleep", seconds):
            await asyncio.sleep(float(seconds))


@pytest.mark.slow
def test_a_thousand_issuers_are_each_looked_at_in_every_interval() -> None:
    """Sixteen at a time and 30 ms each: a minute is enough for a thousand, and none starves."""

    async def main() -> Counter[str]:
        runs: Counter[str] = Counter()

        async def process(key: str) -> Outcome:
            runs[key] += 1
            await asyncio.sleep(0.03)
            return Outcome(wake_after=timedelta(minutes=1))

        queue = WorkQueue(process, clock=LoopClock())
        queue.start()
        for number in range(1000):
            queue.add(f"issuer-{number}", "listed")
        await asyncio.sleep(600)
        return runs

    runs = run_jumping(main)
    assert len(runs) == 1000
    assert set(runs.values()) == {10}

"""A fleet in simulated time: issuers whose servers hang take nothing from those that are well.

The queue is the operator's own. A pass is CPU of one core, which all passes share, and a wait for servers; a pass over an
issuer whose server hangs waits until its timeout, and fails.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.reconcile.passes import PASS_S, Outcome
from oidc_publisher.reconcile.status.watchfulness import waited_s
from tests.support.looptime import LoopClock, run_jumping

INTERVAL = timedelta(minutes=1)
#: One call of a store, and the longest pass.
STORE_TIMEOUT_S = 15.0
LATE_S = 2.0


@dataclass(slots=True)
class Fleet:
    """So many healthy issuers, and so many whose servers fall silent at a time; `late_s` are the waits of the healthy ones."""

    healthy: int
    silent: int
    silent_from_s: float
    hangs_s: float
    cpu_s: float = 0.03
    io_s: float = 0.1
    late_s: list[float] = field(default_factory=list)
    silent_runs: dict[str, int] = field(default_factory=dict)
    running: int = 0
    most_at_once: int = 0
    core: asyncio.Lock = field(default_factory=asyncio.Lock)
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - no secret

    async def process(self, key: str) -> Outcome:
        """Make one pass."""
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            return await (self._hang(key) if self._hangs(key) else self._pass(key))
        finally:
            self.running -= 1

    def _hangs(self, key: str) -> bool:
        return key.startswith("silent") and asyncio.get_running_loop().time() >= self.silent_from_s

    async def _hang(self, key: str) -> Outcome:
        self.silent_runs[key] = self.silent_runs.get(key, 0) + 1
        await asyncio.sleep(self.hangs_s)
        return Outcome(failed=True, wake_after=INTERVAL)

    async def _pass(self, key: str) -> Outcome:
        if key.startswith("healthy"):
            self.late_s.append(waited_s.get())
        await self._burn()
        await asyncio.sleep(self.io_s * self.chance.uniform(0.5, 2.0))
        await self._burn()
        return Outcome(wake_after=INTERVAL)

    async def _burn(self) -> None:
        async with self.core:
            await asyncio.sleep(self.cpu_s / 2)

    def run(self, for_s: float) -> None:
        """Let the fleet begin, spread over a minute as at a start, and go on for so long."""

        async def main() -> None:
            queue = WorkQueue(self.process, clock=LoopClock())
            queue.start()
            names = [f"healthy-{n}" for n in range(self.healthy)] + [f"silent-{n}" for n in range(self.silent)]
            self.chance.shuffle(names)
            for number, name in enumerate(names):
                queue.wake_at(name, number * INTERVAL.total_seconds() / len(names))
            await asyncio.sleep(for_s)
            await queue.stop(0)

        run_jumping(main)

    @property
    def p99_s(self) -> float:
        """The lateness that one pass in a hundred exceeds."""
        return sorted(self.late_s)[int(len(self.late_s) * 0.99)]


def test_healthy_issuers_keep_their_interval_when_the_servers_of_others_fall_silent() -> None:
    """A small machine: 300 healthy issuers, 50 that hang until the deadline of a pass, and passes of 0.1 s of CPU."""
    fleet = Fleet(healthy=300, silent=50, silent_from_s=90, hangs_s=PASS_S, cpu_s=0.1)
    fleet.run(for_s=300)
    assert len(fleet.late_s) > 1400
    assert fleet.p99_s <= LATE_S
    assert len(fleet.silent_runs) == 50


@pytest.mark.slow  # several thousand passes each
@pytest.mark.parametrize(
    ("silent_from_s", "hangs_s"),
    [(0.0, STORE_TIMEOUT_S), (130.0, PASS_S)],
    ids=["from the start, until the store's timeout", "all at once, until the pass ends"],
)
def test_a_thousand_issuers_keep_their_interval_beside_fifty_that_hang(silent_from_s: float, hangs_s: float) -> None:
    """At 0.045 s of CPU a pass, three quarters of the core: p99 of the lateness is below 2 s, and the fifty have their turns."""
    fleet = Fleet(healthy=1000, silent=50, silent_from_s=silent_from_s, hangs_s=hangs_s, cpu_s=0.045, io_s=0.3)
    fleet.run(for_s=480)
    assert len(fleet.late_s) > 6800
    assert fleet.p99_s <= LATE_S
    assert len(fleet.silent_runs) == 50
    assert min(fleet.silent_runs.values()) >= 1, "no issuer that hangs starves"
    assert fleet.most_at_once <= 16 + 64


def test_far_too_many_that_hang_starve_nobody() -> None:
    """More silent servers than there is room for: all others go on, later, and as soon as the room is free again."""
    fleet = Fleet(healthy=50, silent=200, silent_from_s=70, hangs_s=STORE_TIMEOUT_S)
    fleet.run(for_s=600)
    assert fleet.most_at_once <= 16 + 64
    assert len(fleet.silent_runs) == 200
    assert len(fleet.late_s) >= 50 * 8
    assert max(fleet.late_s) <= STORE_TIMEOUT_S

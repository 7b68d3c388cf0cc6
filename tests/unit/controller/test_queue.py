"""The work queue: coalescing, concurrency, deadlines, backoff, stopping."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from oidc_publisher.controller.queue import Load, WorkQueue
from oidc_publisher.reconcile.passes import Gone, Outcome, caused_s
from oidc_publisher.reconcile.status.watchfulness import waited_s
from oidc_publisher.timing.backoff import Backoff
from tests.support.looptime import LoopClock, run_jumping

MINUTE = timedelta(minutes=1)


class Recorder:
    """A reconcile that takes `seconds` and notes when it began and what it did."""

    def __init__(self, seconds: float = 0.0, then: Callable[[str], Outcome | Gone] | None = None) -> None:
        self.seconds = seconds
        self.then = then or (lambda _key: Outcome())
        self.began: list[tuple[float, str]] = []
        self.now_running: Counter[str] = Counter()
        self.most_at_once = 0

    async def __call__(self, key: str) -> Outcome | Gone:
        """Note the beginning, take the time, answer."""
        self.began.append((round(asyncio.get_running_loop().time(), 3), key))
        self.now_running[key] += 1
        assert self.now_running[key] == 1, f"{key} runs twice at once"
        self.most_at_once = max(self.most_at_once, self.now_running.total())
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.now_running[key] -= 1
        return self.then(key)

    @property
    def keys(self) -> list[str]:
        """Which keys began, in order."""
        return [key for _, key in self.began]

    @property
    def times(self) -> list[float]:
        """When they began."""
        return [at for at, _ in self.began]


def queue_of(
    process: Callable[[str], Awaitable[Outcome | Gone]],
    *,
    max_concurrent: int = 16,
    max_slow: int | None = None,
    jitter: float = 0.0,
) -> WorkQueue:
    return WorkQueue(
        process,
        max_concurrent=max_concurrent,
        max_slow=max_slow,
        retry=Backoff(base_s=1.0, cap_s=60.0),
        clock=LoopClock(),
        jitter=lambda: jitter,
    )


def test_a_new_key_runs_at_once() -> None:
    """Nothing stands between an event and its reconcile."""

    async def main() -> list[tuple[float, str]]:
        record = Recorder()
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(0)
        return record.began

    assert run_jumping(main) == [(0.0, "prod")]


def test_keys_that_come_before_the_start_are_kept() -> None:
    """What kopf hands in while the rest still starts is not lost."""

    async def main() -> list[str]:
        record = Recorder()
        queue = queue_of(record)
        queue.add("a", "created")
        await asyncio.sleep(1)
        assert record.keys == []
        queue.start()
        await asyncio.sleep(1)
        return record.keys

    assert run_jumping(main) == ["a"]


def test_a_key_added_twice_while_it_waits_runs_once() -> None:
    """A burst of events of one object costs one reconcile."""

    async def main() -> list[str]:
        record = Recorder(seconds=1)
        queue = queue_of(record, max_concurrent=1)
        queue.start()
        queue.add("busy", "created")
        for _ in range(5):
            queue.add("waits", "changed")
        await asyncio.sleep(10)
        return record.keys

    assert run_jumping(main) == ["busy", "waits"]


def test_a_key_added_while_it_runs_runs_once_more_afterwards() -> None:
    """A change that comes too late for the present run is not lost, and never makes two runs at once."""

    async def main() -> list[float]:
        record = Recorder(seconds=1)
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(0.5)
        for _ in range(5):
            queue.add("prod", "changed")
        await asyncio.sleep(10)
        return record.times

    assert run_jumping(main) == [0.0, 1.0]


def test_no_more_than_the_limit_run_together_and_first_come_is_first_served() -> None:
    """The bound holds, the order is fair."""

    async def main() -> Recorder:
        record = Recorder(seconds=1)
        queue = queue_of(record, max_concurrent=3)
        queue.start()
        for number in range(10):
            queue.add(f"k{number}", "created")
        await asyncio.sleep(10)
        return record

    record = run_jumping(main)
    assert record.keys == [f"k{number}" for number in range(10)]
    assert record.times == [0.0] * 3 + [1.0] * 3 + [2.0] * 3 + [3.0]
    assert record.most_at_once == 3


def test_a_run_wakes_its_key_again() -> None:
    """`wake_after` is the interval: it counts from the end of the run."""

    async def main() -> list[float]:
        record = Recorder(seconds=1, then=lambda _key: Outcome(wake_after=MINUTE))
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(130)
        return record.times

    assert run_jumping(main) == [0.0, 61.0, 122.0]


def test_an_event_clears_the_deadline() -> None:
    """A run for whatever reason counts: the interval begins anew."""

    async def main() -> list[float]:
        record = Recorder(then=lambda _key: Outcome(wake_after=MINUTE))
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(50)
        queue.add("prod", "changed")
        await asyncio.sleep(100)
        return record.times

    assert run_jumping(main) == [0.0, 50.0, 110.0]


@pytest.mark.parametrize(("first", "second"), [(10, 20), (20, 10)])
def test_the_earlier_deadline_wins(first: float, second: float) -> None:
    """A later deadline does not push an earlier one away, in whatever order they come."""

    async def main() -> list[float]:
        record = Recorder()
        queue = queue_of(record)
        queue.start()
        queue.wake_at("prod", first)
        queue.wake_at("prod", second)
        await asyncio.sleep(60)
        return record.times

    assert run_jumping(main) == [10.0]


def test_a_deadline_during_the_run_makes_one_more_run() -> None:
    """A key that is due again before its run ends runs again when it ended."""

    async def main() -> list[float]:
        record = Recorder(seconds=5)
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(1)
        queue.wake_at("prod", 2.0)
        await asyncio.sleep(30)
        return record.times

    assert run_jumping(main) == [0.0, 5.0]


def test_failures_are_retried_ever_later_until_the_cap_and_success_resets() -> None:
    """1, 2, 4, 8 ... 60 s; after a success the next failure is retried fast again."""

    async def main() -> list[float]:
        failing = True
        record = Recorder(then=lambda _key: Outcome(failed=failing))
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(200)
        failing = False
        queue.add("prod", "changed")
        await asyncio.sleep(50)
        failing = True
        queue.add("prod", "changed")
        await asyncio.sleep(3.5)
        return record.times

    assert run_jumping(main) == [0, 1, 3, 7, 15, 31, 63, 123, 183, 200, 250, 251, 253]


def test_a_failed_run_is_retried_no_later_than_it_asks_for() -> None:
    """An interval of two seconds stays two seconds while the store is away."""

    async def main() -> list[float]:
        record = Recorder(then=lambda _key: Outcome(wake_after=timedelta(seconds=2), failed=True))
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(8)
        return record.times

    assert run_jumping(main) == [0.0, 1.0, 3.0, 5.0, 7.0]


def test_the_jitter_shortens_a_delay_by_at_most_half() -> None:
    """Objects that failed together do not come back together."""

    async def main() -> list[float]:
        record = Recorder(then=lambda _key: Outcome(failed=True))
        queue = queue_of(record, jitter=0.999999)
        queue.start()
        queue.add("prod", "created")
        await asyncio.sleep(3.6)
        return record.times

    assert run_jumping(main) == pytest.approx([0.0, 0.5, 1.5, 3.5], abs=0.01)


def test_an_unknown_error_is_a_failure_and_harms_no_other_key() -> None:
    """A bug in one reconcile neither ends the queue nor takes a place for ever."""

    def explode(key: str) -> Outcome:
        if key == "bad":
            raise ZeroDivisionError
        return Outcome()

    async def main() -> tuple[list[tuple[float, str]], int]:
        record = Recorder(then=explode)
        queue = queue_of(record, max_concurrent=1)
        queue.start()
        queue.add("bad", "created")
        queue.add("good", "created")
        await asyncio.sleep(1.5)
        return record.began, len(queue._tasks)

    assert run_jumping(main) == ([(0.0, "bad"), (0.0, "good"), (1.0, "bad")], 0)


def test_a_key_whose_object_is_gone_is_forgotten() -> None:
    """Nothing of a deleted object stays, not even a deadline that was set meanwhile."""

    async def main() -> tuple[list[str], frozenset[str]]:
        record = Recorder(seconds=1, then=lambda _key: Gone())
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "deleted")
        await asyncio.sleep(0.5)
        queue.wake_at("prod", 100.0)
        await asyncio.sleep(200)
        return record.keys, queue.keys

    assert run_jumping(main) == (["prod"], frozenset())


def test_an_object_made_again_while_its_deletion_is_handled_is_not_lost() -> None:
    """The event of the new object comes while the reconcile still sees that the old one is gone."""

    async def main() -> list[float]:
        answers: list[Outcome | Gone] = [Gone(), Outcome(wake_after=MINUTE)]
        record = Recorder(seconds=1, then=lambda _key: answers.pop(0))
        queue = queue_of(record)
        queue.start()
        queue.add("prod", "deleted")
        await asyncio.sleep(0.5)
        queue.add("prod", "created")
        await asyncio.sleep(10)
        assert queue.keys == {"prod"}
        return record.times

    assert run_jumping(main) == [0.0, 1.0]


def test_stopping_lets_running_keys_end_and_starts_no_others() -> None:
    """What runs ends by itself within the grace, what waits is left."""

    async def main() -> tuple[list[str], bool, float]:
        record = Recorder(seconds=1)
        queue = queue_of(record, max_concurrent=1)
        queue.start()
        queue.add("runs", "created")
        queue.add("waits", "created")
        await asyncio.sleep(0.5)
        clean = await queue.stop(grace_s=2.0)
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(60)
        return record.keys, clean, now

    assert run_jumping(main) == (["runs"], True, 1.0)


def test_stopping_cancels_what_does_not_end_within_the_grace() -> None:
    """A hanging reconcile delays the exit by the grace and no longer."""

    async def main() -> tuple[bool, float, int]:
        queue = queue_of(Recorder(seconds=3600))
        queue.start()
        queue.add("hangs", "created")
        await asyncio.sleep(0)
        clean = await queue.stop(grace_s=1.0)
        return clean, asyncio.get_running_loop().time(), len(queue._tasks)

    assert run_jumping(main) == (False, 1.0, 0)


def test_stopping_does_not_wait_for_one_that_resists_cancellation() -> None:
    """A run that swallows its cancellation is left behind after CANCEL_S."""

    async def stubborn(_key: str) -> Outcome:
        for _ in range(2):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
        return Outcome()

    async def main() -> float:
        queue = queue_of(stubborn)
        queue.start()
        queue.add("hangs", "created")
        await asyncio.sleep(0)
        await queue.stop(grace_s=1.0)
        return asyncio.get_running_loop().time()

    assert run_jumping(main) == pytest.approx(1.3)


def test_a_standstill_is_one_of_all_places_and_never_of_one() -> None:
    """The health page speaks of the operator: a reconcile that hangs keeps nobody from his place."""

    async def main() -> list[float]:
        queue = queue_of(Recorder(seconds=100), max_concurrent=2, max_slow=0)
        queue.start()
        ages = [queue.standstill_s()]
        queue.add("first", "created")
        await asyncio.sleep(30)
        ages.append(queue.standstill_s())
        queue.add("second", "created")
        await asyncio.sleep(30)
        ages.append(queue.standstill_s())
        await asyncio.sleep(50)
        return [*ages, queue.standstill_s()]

    assert run_jumping(main) == [0.0, 0.0, 30.0, 0.0]


def test_the_load_says_what_waits_and_runs_and_for_how_long() -> None:
    """Two places for three keys: what metrics say of a full queue."""

    async def main() -> list[Load]:
        queue = queue_of(Recorder(seconds=100), max_concurrent=2, max_slow=0)
        queue.start()
        loads = [queue.load()]
        for key in ("first", "second", "third"):
            queue.add(key, "created")
            await asyncio.sleep(10)
        loads.append(queue.load())
        await asyncio.sleep(500)
        return [*loads, queue.load()]

    idle = Load(waiting=0, running=0, slow=0, capacity=2, longest_wait_s=0, oldest_run_s=0, standstill_s=0)
    busy = Load(waiting=1, running=2, slow=0, capacity=2, longest_wait_s=10, oldest_run_s=30, standstill_s=20)
    assert run_jumping(main) == [idle, busy, idle]


def test_a_run_knows_how_long_it_has_waited_for_its_place() -> None:
    """So that a pass can say that it comes late; one that found a place at once has not waited."""
    waited: list[float] = []

    async def main() -> None:
        async def process(_: str) -> Outcome:
            waited.append(waited_s.get())
            await asyncio.sleep(70)
            return Outcome()

        queue = queue_of(process, max_concurrent=1, max_slow=0)
        queue.start()
        for key in ("first", "second"):
            queue.add(key, "created")
        await asyncio.sleep(200)

    run_jumping(main)
    assert waited == [0, 70]


def test_a_run_knows_since_when_it_has_to_see_a_change() -> None:
    """The last occasion before it; that an interval ends is none, and takes none away."""
    causes: list[tuple[str, float]] = []

    async def process(key: str) -> Outcome:
        causes.append((key, caused_s.get()))
        await asyncio.sleep(2)
        return Outcome(wake_after=MINUTE)

    async def main() -> None:
        queue = queue_of(process, max_concurrent=1)
        queue.start()
        began_s = asyncio.get_running_loop().time()
        queue.wake_at("resting", began_s)
        await asyncio.sleep(0.5)
        queue.add("changed", "one")
        await asyncio.sleep(0.5)
        queue.add("changed", "two")
        await asyncio.sleep(29)
        queue.wake_at("resting", began_s + 90.0)
        await asyncio.sleep(35)
        await queue.stop(0)
        assert [(key, at - began_s) for key, at in causes] == [
            ("resting", 0.0),
            ("changed", 1.0),
            ("resting", 30.0),
            ("changed", 1.0),
        ]

    run_jumping(main)


def test_keys_that_hang_leave_the_places_to_the_others() -> None:
    """Forty issuers of silent stores, and a healthy one that is looked at every second: it waits once, until they show it."""

    async def main() -> list[float]:
        waited = list[float]()

        async def process(key: str) -> Outcome:
            if key == "healthy":
                now = asyncio.get_running_loop().time()
                waited.append(now - due[0])
                due[0] = now + 1.0
                return Outcome(wake_after=timedelta(seconds=1))
            await asyncio.sleep(15)
            return Outcome(failed=True, wake_after=timedelta(seconds=1))

        due = [0.0]
        queue = queue_of(process)
        queue.start()
        for number in range(40):
            queue.add(f"silent-{number}", "created")
        queue.add("healthy", "created")
        await asyncio.sleep(600)
        await queue.stop(0)
        return waited

    waited = run_jumping(main)
    assert waited[0] == pytest.approx(10), "twice SLOW_S: forty runs come to sixteen places, and leave them together"
    assert len(waited) > 580
    assert max(waited[1:]) == pytest.approx(0.0, abs=0.01)


def test_a_run_that_takes_long_leaves_its_place_while_it_runs() -> None:
    """The next key need not wait until the silent server is given up."""

    async def main() -> tuple[list[float], Load]:
        record = Recorder(seconds=60)
        queue = queue_of(record, max_concurrent=1, max_slow=2)
        queue.start()
        for key in ("first", "second", "third", "fourth"):
            queue.add(key, "created")
        await asyncio.sleep(20)
        load = queue.load()
        await asyncio.sleep(60)
        await queue.stop(0)
        return record.times, load

    times, load = run_jumping(main)
    assert times == [0.0, 5.0, 10.0, 60.0], (
        "two runs go on beside the place, and the third keeps it until one of them ends"
    )
    assert (load.running, load.slow, load.waiting, load.longest_wait_s, load.standstill_s) == (3, 2, 1, 20.0, 10.0)


def test_a_changed_key_overtakes_those_that_only_rest() -> None:
    """A person who mends an issuer does not stand in line behind a thousand that are well."""

    async def main() -> list[str]:
        record = Recorder(seconds=1)
        queue = queue_of(record, max_concurrent=1)
        queue.start()
        queue.add("busy", "created")
        for number in range(5):
            queue.wake_at(f"rests-{number}", 0.5)
        await asyncio.sleep(0.6)
        queue.add("changed", "changed")
        queue.add("rests-4", "changed")
        await asyncio.sleep(10)
        return record.keys

    assert run_jumping(main) == ["busy", "changed", "rests-4", "rests-0", "rests-1", "rests-2", "rests-3"]


def test_a_key_that_changes_during_its_run_comes_before_those_that_rest() -> None:
    """The run that saw the old object does not cost the change its turn; a deadline during the run gives it none."""

    async def main(change: bool) -> list[str]:
        record = Recorder(seconds=1)
        queue = queue_of(record, max_concurrent=1)
        queue.start()
        queue.add("busy", "created")
        queue.wake_at("rests", 0.2)
        queue.wake_at("busy", 0.4)
        await asyncio.sleep(0.5)
        if change:
            queue.add("busy", "changed")
        await asyncio.sleep(10)
        return record.keys

    assert run_jumping(lambda: main(change=True)) == ["busy", "busy", "rests"]
    assert run_jumping(lambda: main(change=False)) == ["busy", "rests", "busy"]


def test_a_stream_of_changes_does_not_starve_those_that_rest() -> None:
    """One place, and four keys that change all the time: each fourth run is that of a resting key."""

    async def main() -> list[str]:
        record = Recorder(seconds=1, then=lambda _: Outcome(wake_after=timedelta(seconds=1)))
        queue = queue_of(record, max_concurrent=1)
        queue.start()
        for key in ("rests-0", "rests-1"):
            queue.add(key, "created")
        for _ in range(400):
            for number in range(4):
                queue.add(f"changes-{number}", "changed")
            await asyncio.sleep(0.25)
        await queue.stop(0)
        return record.keys

    keys = run_jumping(main)[10:]
    resting = [number for number, key in enumerate(keys) if key.startswith("rests")]
    assert {"rests-0", "rests-1"} <= set(keys)
    assert max(later - earlier for earlier, later in pairwise(resting)) <= 4


def test_a_key_that_was_slow_and_no_longer_is_has_every_place_again() -> None:
    """After an outage all are as before."""

    async def main() -> int:
        record = Recorder(seconds=15, then=lambda _: Outcome(wake_after=timedelta(seconds=1)))
        queue = queue_of(record, max_concurrent=4)
        queue.start()
        for number in range(4):
            queue.add(f"issuer-{number}", "created")
        await asyncio.sleep(60)
        record.seconds, record.most_at_once = 0.5, 0
        await asyncio.sleep(60)
        return record.most_at_once

    assert run_jumping(main) == 4


def test_a_thousand_keys_with_many_replaced_deadlines_keep_the_heap_small() -> None:
    """Replaced deadlines are thrown away, not collected for ever."""

    async def main() -> tuple[int, int]:
        record = Recorder()
        queue = queue_of(record)
        queue.start()
        for round_number in range(20):
            for number in range(1000):
                queue.wake_at(f"k{number}", 1000.0 - round_number)
        size = len(queue._deadlines)
        await asyncio.sleep(2000)
        return size, len(record.keys)

    size, runs = run_jumping(main)
    assert size <= 2 * 1000 + 65
    assert runs == 1000

"""Few events are sent at once, and thousands evenly: in their order, each once, and no pass waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from oidc_publisher.controller.kopf import events
from oidc_publisher.reconcile.status.eventqueue import BURST, MOST_TRIES, MOST_WAITING, PER_SECOND, EventQueue
from tests.support.looptime import LoopClock, run_jumping


@dataclass
class Server:
    """What the API server has recorded, and when; away until `back_s`, and slow by `takes_s`."""

    sent: list[tuple[float, int]] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    back_s: float = 0.0
    takes_s: float = 0.0

    async def record(self, number: int) -> bool:
        """Record one event."""
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        if now >= self.back_s:
            self.sent.append((now, number))
        return now >= self.back_s

    @property
    def numbers(self) -> list[int]:
        """Which events it has, in their order."""
        return [number for _, number in self.sent]


Script = Callable[[EventQueue, Callable[[int], Awaitable[bool]]], Awaitable[None]]


def sent_by(script: Script, for_s: float, server: Server | None = None) -> Server:
    """What was sent when, by a script that gets a queue and what records one event."""
    server = server or Server()

    async def main() -> Server:
        queue = EventQueue(LoopClock(), jitter=lambda: 0.0)
        await script(queue, server.record)
        await asyncio.sleep(for_s)
        await queue.aclose()
        return server

    return run_jumping(main)


def all_at_once(count: int) -> Script:
    """So many events in the same moment."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        for number in range(count):
            await queue.send(partial(record, number))

    return script


def test_few_events_are_sent_before_the_pass_goes_on() -> None:
    """A new issuer has two; whoever waits for the end of a pass finds them."""
    seen: list[int] = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        for number in range(BURST):
            await queue.send(partial(record, number))
            seen.append(len(queue))

    assert sent_by(script, 0).sent == [(0.0, number) for number in range(BURST)]
    assert seen == [0] * BURST


def test_a_thousand_events_are_sent_evenly_in_their_order_and_nobody_waits() -> None:
    """The API server is asked by the passes meanwhile."""
    took_s = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await all_at_once(1000)(queue, record)
        took_s.append(asyncio.get_running_loop().time())

    server = sent_by(script, 300)
    assert took_s == [0.0]
    assert server.numbers == list(range(1000))
    waited = [at for at, _ in server.sent[BURST:]]
    assert all(after - before > 0.99 / PER_SECOND for before, after in pairwise(waited))
    assert waited[-1] < 1000 / PER_SECOND + 1


def test_events_leave_the_first_passes_their_part_of_fifty_requests_a_second() -> None:
    """Two writes of each new issuer, a reading of what they share once a second, and a scrap for leases and reviews."""
    assert 2 / events._SPACING_S + 2 + PER_SECOND + BURST <= 50


def test_after_the_queue_is_empty_few_are_sent_at_once_again() -> None:
    """What was a burst an hour ago delays nobody."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await all_at_once(20)(queue, record)
        await asyncio.sleep(3600)
        await queue.send(partial(record, 20))

    assert sent_by(script, 0).sent[-1] == (3600.0, 20)


def test_no_event_overtakes_one_that_takes_long() -> None:
    """An API server that takes three seconds for each gets one after the other."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        for number in range(20):
            await queue.send(partial(record, number))
            if number > BURST:
                await asyncio.sleep(1)

    server = sent_by(script, 120, Server(takes_s=3.0))
    assert server.numbers == list(range(20))
    assert all(after - before >= 3.0 for before, after in pairwise(server.asked[BURST:]))


def test_an_event_that_fails_stops_no_other_one() -> None:
    """A fault of ours is in the log, and the next one is sent."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        async def fails() -> bool:
            raise ZeroDivisionError

        for number in range(20):
            await queue.send(fails if number == 15 else partial(record, number))

    with capture_logs() as told:
        server = sent_by(script, 60)
    assert server.numbers == [number for number in range(20) if number != 15]
    assert [(line["log_level"], line["event"]) for line in told] == [("error", "An event was not recorded.")]


def test_the_first_event_that_fails_ends_no_pass() -> None:
    """It is sent within the pass."""

    async def script(queue: EventQueue, _: Callable[[int], Awaitable[bool]]) -> None:
        async def fails() -> bool:
            raise ZeroDivisionError

        await queue.send(fails)
        assert len(queue) == 0

    with capture_logs() as told:
        sent_by(script, 0)
    assert [line["event"] for line in told] == ["An event was not recorded."]


def test_while_the_api_server_is_away_all_wait() -> None:
    """It is asked again after growing pauses, by one event; those of a mass failure are not used up meanwhile."""
    server = sent_by(all_at_once(100), 600, Server(back_s=200.0))
    assert server.numbers == list(range(100))
    pauses = [after - before for before, after in pairwise(at for at in server.asked if at < 200)]
    assert pauses[:6] == [1.0, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert set(pauses[6:]) == {30.0}


def test_an_outage_of_an_hour_costs_a_few_events_and_the_log_counts_them() -> None:
    """Each is tried for minutes, after pauses that grow no longer; the count comes as soon as no event waits."""
    server = Server(back_s=3600.0)

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        with capture_logs() as told:
            await all_at_once(100)(queue, record)
            await asyncio.sleep(4000)
        warnings.extend(line for line in told if line["log_level"] == "warning")

    warnings: list[Any] = []
    sent_by(script, 0, server)
    assert server.numbers == list(range(100 - len(server.numbers), 100))
    assert 88 <= len(server.numbers) <= 95
    assert len([at for at in server.asked if at < 3600]) <= 130
    assert [line["event"] for line in warnings] == [
        "An event is not recorded, and perhaps more after it.",
        "Events were not recorded; what they say is in the log.",
    ]
    assert warnings[1]["count"] == 100 - len(server.numbers)


def test_an_event_that_the_api_server_never_takes_holds_up_the_others_no_longer_than_minutes() -> None:
    """Those after it are sent at once then."""
    tried: list[float] = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        async def refused() -> bool:
            tried.append(asyncio.get_running_loop().time())
            return False

        await all_at_once(BURST)(queue, record)
        await queue.send(refused)
        for number in range(BURST, 20):
            await queue.send(partial(record, number))

    server = sent_by(script, 600)
    assert len(tried) == MOST_TRIES
    assert server.numbers == list(range(20))
    assert 200 < tried[-1] < 400


def test_an_api_server_that_is_away_again_is_asked_soon_at_first() -> None:
    """The pauses of the last time are over."""
    server = Server(back_s=100.0)

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await queue.send(partial(record, 0))
        await asyncio.sleep(1000)
        server.back_s = 1001.5
        await queue.send(partial(record, 1))

    assert sent_by(script, 60, server).numbers == [0, 1]
    assert [at for at in server.asked if at >= 1000] == [1000.0, 1001.0, 1002.0]


def test_a_queue_has_an_end() -> None:
    """What comes then is in the log alone, and memory does not grow."""
    length = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await all_at_once(MOST_WAITING + 100)(queue, record)
        length.append(len(queue))

    with capture_logs() as told:
        server = sent_by(script, 1000)
    assert length == [MOST_WAITING]
    assert server.numbers == list(range(MOST_WAITING + BURST))
    warnings = [line for line in told if line["log_level"] == "warning"]
    assert [line.get("count") for line in warnings] == [None, 100 - BURST], "the first at once, and all at the end"


def test_what_waits_when_the_process_ends_is_said_and_not_sent() -> None:
    """An exit takes a second, and a queue of a thousand takes minutes. The one that is being sent counts too."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await all_at_once(20)(queue, record)
        server.takes_s = 10.0

    server = Server()
    with capture_logs() as told:
        sent_by(script, 0.5, server)
    assert server.numbers == list(range(BURST))
    assert len(server.asked) == BURST + 1
    assert [line["count"] for line in told] == [20 - BURST]


def test_nothing_is_sent_after_the_end() -> None:
    """A pass that ends later than the queue has its events in the log."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await all_at_once(20)(queue, record)
        await queue.aclose()
        await queue.aclose()
        assert len(queue) == 0
        await all_at_once(20)(queue, record)

    assert sent_by(script, 60).numbers == list(range(BURST))


def test_an_event_that_is_being_sent_at_the_end_is_sent_no_second_time() -> None:
    """The pass that has sent it lets it wait no more."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        async def slow() -> bool:
            await asyncio.sleep(2)
            await record(0)
            return False

        within = asyncio.create_task(queue.send(slow))
        await asyncio.sleep(1)
        await queue.aclose()
        await within
        assert len(queue) == 0

    assert sent_by(script, 600).numbers == [0]


@pytest.mark.parametrize(("takes_s", "most_s"), [(0.05, 0.06), (10.0, 0.2)])
def test_the_end_waits_for_what_is_being_sent_but_not_for_long(takes_s: float, most_s: float) -> None:
    """A client may turn its end into an error, and one that does not feel it keeps no process."""
    took_s: list[float] = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        async def sending() -> bool:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                await asyncio.sleep(takes_s)
            return True

        loop = asyncio.get_running_loop()
        await all_at_once(BURST)(queue, record)
        await queue.send(sending)
        await asyncio.sleep(1)
        closes_s = loop.time()
        await queue.aclose()
        took_s.append(loop.time() - closes_s)
        await asyncio.sleep(60)
        assert queue._task is not None
        assert queue._task.exception() is None

    assert sent_by(script, 60).numbers == list(range(BURST))
    assert min(takes_s, 0.1) - 0.01 < took_s[0] < most_s


def test_nothing_is_sent_after_the_end_of_an_idle_queue() -> None:
    """A pass that ends later than the process's other parts."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        await queue.aclose()
        await queue.send(partial(record, 0))

    assert sent_by(script, 60).numbers == []


def test_an_end_in_the_middle_is_not_the_end_of_the_queue() -> None:
    """Whatever cancels what sends one event, the others are sent when the next one comes."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        async def cancelled() -> bool:
            stopped.append(1)
            if len(stopped) == 1:
                raise asyncio.CancelledError
            return await record(BURST + 1)

        stopped: list[int] = []
        await all_at_once(BURST + 1)(queue, record)
        await queue.send(cancelled)
        await asyncio.sleep(60)
        await queue.send(partial(record, BURST + 2))

    assert sent_by(script, 60).numbers == list(range(BURST + 3))


def test_a_waiting_event_has_nothing_of_the_pass_that_happened_to_come_first() -> None:
    """No span of its trace, and no answers that it may share."""
    of_pass: ContextVar[str] = ContextVar("of_pass", default="nobody")
    seen: list[str] = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[bool]]) -> None:
        async def sending() -> bool:
            seen.append(of_pass.get())
            return await record(0)

        of_pass.set("one")
        for _ in range(BURST + 2):
            await queue.send(sending)

    sent_by(script, 60)
    assert seen == ["one"] * BURST + ["nobody"] * 2

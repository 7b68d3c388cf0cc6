"""Few events are sent at once, and thousands evenly: in their order, each once, and no pass waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise

from structlog.testing import capture_logs

from oidc_publisher.reconcile.status.eventqueue import BURST, MOST_WAITING, PER_SECOND, EventQueue
from tests.support.looptime import LoopClock, run_jumping

Sent = list[tuple[float, int]]


def sent_by(script: Callable[[EventQueue, Callable[[int], Awaitable[None]]], Awaitable[None]], for_s: float) -> Sent:
    """Which event was sent when, by a script that gets a queue and what records one event."""

    async def main() -> Sent:
        sent: Sent = []

        async def record(number: int) -> None:
            sent.append((asyncio.get_running_loop().time(), number))

        queue = EventQueue(LoopClock())
        await script(queue, record)
        await asyncio.sleep(for_s)
        await queue.aclose()
        return sent

    return run_jumping(main)


def test_few_events_are_sent_before_the_pass_goes_on() -> None:
    """A new issuer has two; whoever waits for the end of a pass finds them."""
    seen: list[int] = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[None]]) -> None:
        for number in range(BURST):
            await queue.send(partial(record, number))
            seen.append(len(queue))

    assert sent_by(script, 0) == [(0.0, number) for number in range(BURST)]
    assert seen == [0] * BURST


def test_a_thousand_events_are_sent_evenly_in_their_order_and_nobody_waits() -> None:
    """The API server is asked by the passes meanwhile."""
    took_s = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[None]]) -> None:
        for number in range(1000):
            await queue.send(partial(record, number))
        took_s.append(asyncio.get_running_loop().time())

    sent = sent_by(script, 300)
    assert took_s == [0.0]
    assert [number for _, number in sent] == list(range(1000))
    waited = [at for at, _ in sent[BURST:]]
    assert all(after - before > 0.99 / PER_SECOND for before, after in pairwise(waited))
    assert waited[-1] < 1000 / PER_SECOND + 1


def test_after_the_queue_is_empty_few_are_sent_at_once_again() -> None:
    """What was a burst an hour ago delays nobody."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[None]]) -> None:
        for number in range(20):
            await queue.send(partial(record, number))
        await asyncio.sleep(3600)
        await queue.send(partial(record, 20))

    assert sent_by(script, 0)[-1] == (3600.0, 20)


def test_an_event_that_fails_stops_no_other_one() -> None:
    """An API server that refuses one is asked for the next one."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[None]]) -> None:
        async def fails() -> None:
            raise ZeroDivisionError

        for number in range(20):
            await queue.send(fails if number == 15 else partial(record, number))

    with capture_logs() as told:
        sent = sent_by(script, 60)
    assert [number for _, number in sent] == [number for number in range(20) if number != 15]
    assert [(line["log_level"], line["event"]) for line in told] == [("error", "The event was not recorded.")]


def test_a_queue_has_an_end() -> None:
    """What comes then is in the log alone, and memory does not grow."""
    length = []

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[None]]) -> None:
        for number in range(MOST_WAITING + 100):
            await queue.send(partial(record, number))
        length.append(len(queue))

    sent = sent_by(script, 1000)
    assert length == [MOST_WAITING]
    assert [number for _, number in sent] == list(range(len(sent)))
    assert len(sent) == MOST_WAITING + BURST


def test_what_waits_when_the_process_ends_is_said_and_not_sent() -> None:
    """An exit takes a second, and a queue of a thousand takes minutes."""

    async def script(queue: EventQueue, record: Callable[[int], Awaitable[None]]) -> None:
        for number in range(20):
            await queue.send(partial(record, number))

    with capture_logs() as told:
        assert len(sent_by(script, 0)) == BURST
    assert [(line["event"], line["count"]) for line in told] == [("Events that waited are not recorded.", 20 - BURST)]

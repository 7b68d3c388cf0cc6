"""Work that hangs keeps nobody waiting but those who want the same of the same server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from oidc_publisher.threads import Threads


@pytest.fixture
def hanging() -> Iterator[Callable[[], bool]]:
    """Work that goes on until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(60)
    over.set()


async def test_a_result_and_an_error_come_back() -> None:
    """As with asyncio.to_thread."""
    threads = Threads("test", 2)
    assert await threads.run(lambda: threading.current_thread().name, key="a", timeout_s=10) == "test"
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, key="a", timeout_s=10)


async def test_work_that_hangs_is_given_up_and_keeps_its_place(hanging: Callable[[], bool]) -> None:
    """The thread cannot be ended: its key has one place less until it ends, and every other key has all of its own."""
    threads = Threads("test", 2)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await threads.run(hanging, key="silent", timeout_s=0.01)
    begun = list[str]()
    with pytest.raises(TimeoutError):
        await threads.run(lambda: begun.append("silent"), key="silent", timeout_s=0.01)
    assert begun == []
    await asyncio.gather(*(threads.run(lambda: begun.append("well"), key="well", timeout_s=10) for _ in range(4)))
    assert begun == ["well"] * 4


async def test_places_come_back_when_the_threads_end() -> None:
    """A server that answers late is asked again."""
    threads, over = Threads("test", 1), threading.Event()
    with pytest.raises(TimeoutError):
        await threads.run(over.wait, key="late", timeout_s=0.01)
    waiting = asyncio.create_task(threads.run(lambda: "asked", key="late", timeout_s=10))
    await asyncio.sleep(0)
    over.set()
    assert await waiting == "asked"


async def test_a_place_that_nobody_waits_for_any_more_is_not_lost() -> None:
    """Whoever gives up while waiting leaves, and the next one gets the place."""
    threads, over = Threads("test", 1), threading.Event()
    first = asyncio.create_task(threads.run(over.wait, key="a", timeout_s=10))
    await asyncio.sleep(0)
    second = asyncio.create_task(threads.run(lambda: "second", key="a", timeout_s=10))
    third = asyncio.create_task(threads.run(lambda: "third", key="a", timeout_s=10))
    await asyncio.sleep(0)
    second.cancel()
    over.set()
    assert await third == "third"
    await first


async def test_threads_are_used_again_and_hold_nothing_meanwhile() -> None:
    """One call after the other needs one thread; nobody's document stays in it."""
    threads, seen = Threads("test", 8), set[int]()
    for _ in range(20):
        await threads.run(lambda: seen.add(threading.get_ident()), key="a", timeout_s=10)
        await asyncio.sleep(0.001)
    assert len(seen) < 10


def test_a_thread_that_outlives_its_loop_is_no_error() -> None:
    """A command that gave up ends without waiting for it."""
    threads = Threads("test", 1)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await threads.run(lambda: time.sleep(0.05), key="a", timeout_s=0.01)

    asyncio.run(give_up())
    asyncio.run(give_up())

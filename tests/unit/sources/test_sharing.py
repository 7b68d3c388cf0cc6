"""Readings that issuers share: what is sent once, what never is shared, and what becomes of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.errors import AnswerError, UnreachableError
from oidc_publisher.findings import Reason
from oidc_publisher.sources.confirming import confirmed
from oidc_publisher.sources.sharing import SHARED_S, SharingCluster, readings_since

PATH = "/api/v1/namespaces/keys/configmaps/signers"


@dataclass
class Slow(MemoryCluster):
    """A cluster whose answers are numbered, and come when the test says so."""

    sent: list[tuple[str, str, str | None]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    async def request(self, method: str, path: str, *, endpoint: str | None = None, **_: Any) -> Answer:
        """Answer with the number of the request."""
        self.sent.append((method, path, endpoint))
        number = len(self.sent)
        await self.answers.wait()
        if self.fails:
            raise UnreachableError(Reason.APIServerUnreachable, "It is away", retryable=True, subject="x")
        return Answer(200, str(number).encode(), "memory:6443", f"{method} {path}")

    def clock_offsets(self, since_s: float) -> Mapping[str, timedelta]:
        """Tell since when offsets were asked for."""
        return {"since": timedelta(seconds=since_s)}


@dataclass
class Clock:
    """A monotonic clock that stands still."""

    now_s: float = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cluster() -> Slow:
    answering = Slow()
    answering.answers.set()
    return answering


@pytest.fixture
def sharing(cluster: Slow, clock: Clock) -> SharingCluster:
    return SharingCluster(cluster, clock)


async def read(sharing: SharingCluster, since_s: float, path: str = PATH, **how: Any) -> int:
    """Which of the requests that were sent has answered this one."""
    with readings_since(since_s):
        return int((await sharing.request(how.pop("method", "GET"), path, **how)).body)


async def test_what_others_have_asked_for_is_not_sent_again(sharing: SharingCluster, clock: Clock) -> None:
    """As long as it was asked for since the time that the pass names."""
    assert await read(sharing, 100.0) == 1
    clock.now_s = 100.5
    assert await read(sharing, 99.5) == 1
    assert await read(sharing, 100.0) == 1
    assert await read(sharing, 100.1) == 2
    assert await read(sharing, 99.5) == 2, "and never an older one than was shared before"


async def test_outside_of_a_pass_nothing_is_shared(sharing: SharingCluster) -> None:
    """Commands and watches ask for themselves; what they read is the newest that others may share."""
    assert int((await sharing.request("GET", PATH)).body) == 1
    assert int((await sharing.request("GET", PATH)).body) == 2
    assert await read(sharing, 100.0) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"endpoint": "a:6443"}, {"endpoint": "b:6443"}),
        ({"endpoint": "a:6443"}, {}),
        ({"params": {"labelSelector": "a"}}, {"params": {"labelSelector": "b"}}),
        ({"path": PATH}, {"path": f"{PATH}-2"}),
        ({"method": "POST", "repeatable": True, "body": {"a": 1}}, {"method": "POST", "repeatable": True, "body": {"a": 2}}),
    ],
)  # fmt: skip
async def test_another_question_has_another_answer(
    sharing: SharingCluster, one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Server, path, parameters and body make a question."""
    assert await read(sharing, 0.0, **one) == 1
    assert await read(sharing, 0.0, **other) == 2
    assert await read(sharing, 0.0, **one) == 1


async def test_what_changes_something_is_always_sent(sharing: SharingCluster) -> None:
    """A PATCH or an event of two issuers may look the same."""
    assert [await read(sharing, 0.0, method="PATCH", body={}) for _ in range(2)] == [1, 2]
    assert [await read(sharing, 0.0, method="POST", body={}) for _ in range(2)] == [3, 4]


async def test_one_request_serves_all_that_wait_for_it(sharing: SharingCluster, cluster: Slow) -> None:
    """Also where the pass that has sent it is cancelled."""
    cluster.answers.clear()
    first = asyncio.create_task(read(sharing, 100.0))
    others = [asyncio.create_task(read(sharing, 99.0)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    cluster.answers.set()
    assert await asyncio.gather(*others) == [1, 1, 1]
    assert first.cancelled()


async def test_a_failure_is_told_to_all_that_wait_and_to_nobody_else(sharing: SharingCluster, cluster: Slow) -> None:
    """Who tries again asks again."""
    cluster.answers.clear()
    cluster.fails = True
    waiting = [asyncio.create_task(read(sharing, 99.0)) for _ in range(2)]
    await asyncio.sleep(0)
    cluster.answers.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [UnreachableError, UnreachableError]
    assert len(cluster.sent) == 1
    cluster.fails = False
    assert await read(sharing, 99.0) == 2


async def test_the_second_of_two_readings_is_not_the_first_one_again(sharing: SharingCluster) -> None:
    """A finding needs two failures, and an answer that cannot be understood is none for who shares it."""
    assert await read(sharing, 100.0) == 1

    async def understand(_: float) -> bytes:
        answer = await sharing.request("GET", PATH)
        if answer.body == b"1":
            raise AnswerError(Reason.SourceEmpty, "It is no list", status=200, subject="x")
        return answer.body

    with readings_since(99.0):
        assert await confirmed(understand) == b"2"


async def test_an_answer_is_kept_for_a_second_after_it_was_asked_for() -> None:
    """It may be a Secret."""
    cluster = Slow()
    cluster.answers.set()
    sharing = SharingCluster(cluster)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await read(sharing, began_s)
    assert len(sharing._asked) == 1
    while sharing._asked:
        assert loop.time() - began_s < 10 * SHARED_S
        await asyncio.sleep(0.02)
    assert loop.time() - began_s >= 0.99 * SHARED_S


async def test_the_clock_counts_by_the_answers_that_count(sharing: SharingCluster) -> None:
    """R13: an answer that a pass shares tells the time of its API server too."""
    with readings_since(99.0):
        assert sharing.clock_offsets(100.0) == {"since": timedelta(seconds=99)}
    assert sharing.clock_offsets(100.0) == {"since": timedelta(seconds=100)}

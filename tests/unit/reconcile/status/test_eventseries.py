"""What happens again is one event with a count: a series of the API server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.errors import AnswerError, UnreachableError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder, _Event
from tests.simulation.world import MINUTE, started
from tests.support.builders import NOW, issuer_of
from tests.support.looptime import LoopClock, run_jumping

ISSUER = issuer_of(metadata={"name": "prod", "uid": "u-1"})
DRIFT = Finding.of(Reason.DriftRepaired, "s3://bucket is repaired")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        """The wall clock."""
        return self.time

    def monotonic(self) -> float:
        """The same as seconds."""
        return self.time.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def counts(cluster: MemoryCluster) -> list[int]:
    return [event.get("series", {}).get("count", 1) for event in cluster.events]


async def test_an_hour_of_the_same_is_one_event(clock: Clock) -> None:
    """Sixty drifts, a minute apart: kubectl shows "x60 over 59m"."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    for _ in range(60):
        await recorder.happened(ISSUER, DRIFT)
        clock.time += timedelta(minutes=1)
    assert counts(cluster) == [60]
    last = (clock.time - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert cluster.events[0]["series"]["lastObservedTime"] == last
    assert cluster.events[0]["eventTime"] == NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "when it began"


async def test_another_object_reason_or_sentence_is_another_event(clock: Clock) -> None:
    """The note of a series is that of its first event, so another note would be lost."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    others = (
        (ISSUER, Finding.of(Reason.DriftRepaired, "s3://other is repaired")),
        (ISSUER, Finding.of(Reason.KeySafe, "s3://bucket is repaired")),
        (issuer_of(metadata={"name": "prod", "uid": "u-2"}), DRIFT),
    )
    for issuer, event in ((ISSUER, DRIFT), *others):
        await recorder.happened(issuer, event)
    assert counts(cluster) == [1, 1, 1, 1]


async def test_what_the_api_server_has_dropped_is_recorded_anew(clock: Clock) -> None:
    """After its hour, or because somebody deleted the event."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    await recorder.happened(ISSUER, DRIFT)
    clock.time += timedelta(hours=1, seconds=1)
    await recorder.happened(ISSUER, DRIFT)
    assert counts(cluster) == [1, 1]
    cluster.events.clear()
    await recorder.happened(ISSUER, DRIFT)
    await recorder.happened(ISSUER, DRIFT)
    assert counts(cluster) == [2]


async def test_without_the_right_to_patch_each_is_an_event_of_its_own_and_the_log_says_so_once(clock: Clock) -> None:
    """As before the operator had that right: nothing is lost."""

    def before(method: str, _: str) -> None:
        if method == "PATCH":
            raise AnswerError(Reason.InternalError, "it is forbidden", status=403)

    cluster = MemoryCluster(before=before)
    recorder = EventRecorder(cluster, clock)
    with capture_logs() as told:
        for _ in range(3):
            await recorder.happened(ISSUER, DRIFT)
    assert counts(cluster) == [1, 1, 1]
    (line,) = [line for line in told if line["log_level"] == "warning"]
    assert line["event"] == "The same event is recorded anew each time."
    assert "patch events (events.k8s.io) in namespace default" in line["hint"]


async def test_of_an_issuer_the_events_of_late_are_remembered(clock: Clock) -> None:
    """Whose notes differ each time has no series, and the memory of an operator does not grow by them."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    for number in range(40):
        await recorder.happened(ISSUER, Finding.of(Reason.DriftRepaired, f"s3://bucket/{number} is repaired"))
        clock.time += timedelta(seconds=1)
    await recorder.happened(ISSUER, Finding.of(Reason.DriftRepaired, "s3://bucket/39 is repaired"))
    assert counts(cluster) == [*[1] * 39, 2]
    await recorder.happened(ISSUER, Finding.of(Reason.DriftRepaired, "s3://bucket/0 is repaired"))
    assert counts(cluster) == [*[1] * 39, 2, 1]
    assert len(recorder._known["prod"]) < 40


async def test_what_happens_again_and_again_stays_one_event_whatever_else_happens(clock: Clock) -> None:
    """A repair every minute, beside a finding whose note names another request each time."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    for number in range(40):
        await recorder.happened(ISSUER, DRIFT)
        await recorder.happened(ISSUER, Finding.of(Reason.KeySafe, f"request {number} was refused"))
        clock.time += timedelta(minutes=1)
    assert [count for count in counts(cluster) if count > 1] == [40]


async def test_ten_things_that_take_turns_are_ten_events(clock: Clock) -> None:
    """Each is remembered until it happens again."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    for _ in range(5):
        for number in range(10):
            await recorder.happened(ISSUER, Finding.of(Reason.DriftRepaired, f"s3://bucket/{number} is repaired"))
            clock.time += timedelta(seconds=5)
    assert counts(cluster) == [5] * 10


async def test_what_goes_on_for_hours_is_one_event_while_it_happens_within_each(clock: Clock) -> None:
    """The API server counts the hour from the last change."""
    cluster = MemoryCluster()
    recorder = EventRecorder(cluster, clock)
    for _ in range(4):
        await recorder.happened(ISSUER, DRIFT)
        clock.time += timedelta(minutes=50)
    assert counts(cluster) == [4]


async def test_what_the_api_server_has_dropped_is_forgotten(clock: Clock) -> None:
    """Nothing can be added to it."""
    recorder = EventRecorder(MemoryCluster(), clock)
    for number in range(10):
        await recorder.happened(ISSUER, Finding.of(Reason.DriftRepaired, f"s3://bucket/{number} is repaired"))
        clock.time += timedelta(seconds=5)
    assert len(recorder._known["prod"]) == 10
    clock.time += timedelta(hours=2)
    await recorder.happened(ISSUER, DRIFT)
    assert len(recorder._known["prod"]) == 1


def test_an_event_that_waited_states_when_it_happened() -> None:
    """Also where it is one more of a series."""

    async def main() -> MemoryCluster:
        cluster = MemoryCluster()
        recorder = EventRecorder(cluster, LoopClock())
        for _ in range(20):
            await recorder.happened(ISSUER, DRIFT)
        await asyncio.sleep(60)
        return cluster

    (event,) = run_jumping(main).events
    assert event["series"] == {"count": 20, "lastObservedTime": event["eventTime"]}


def test_what_an_api_server_that_is_away_does_not_take_is_recorded_when_it_is_back() -> None:
    """The log says so once."""
    cluster = MemoryCluster()

    async def main() -> list[str]:
        def away(method: str, _: str) -> None:
            if method == "POST" and asyncio.get_running_loop().time() < back_s:
                raise UnreachableError(Reason.APIServerUnreachable, "It is away", retryable=True, subject="x")

        cluster.before = away
        recorder = EventRecorder(cluster, LoopClock())
        back_s = 120.0
        for number in range(20):
            await recorder.happened(ISSUER, Finding.of(Reason.DriftRepaired, f"s3://bucket/{number} is repaired"))
        await asyncio.sleep(1000)
        return [event["note"] for event in cluster.events]

    with capture_logs() as told:
        recorded = run_jumping(main)
    assert [note.split()[0] for note in recorded] == [f"s3://bucket/{number}" for number in range(20)]
    assert [line["event"] for line in told if line["log_level"] == "warning"] == ["The event is tried again."]


def test_an_event_whose_answer_was_lost_is_one_event() -> None:
    """It was stored when the connection broke; its next try finds it, and the series goes on with it."""

    @dataclass(slots=True)
    class Losing(MemoryCluster):
        lost: int = 3

        def _event(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            answer = MemoryCluster._event(self, method, name, body)
            if self.lost:
                self.lost -= 1
                raise UnreachableError(Reason.APIServerUnreachable, "The connection broke", retryable=True, subject="x")
            return answer

    async def main() -> list[int]:
        cluster = Losing()
        recorder = EventRecorder(cluster, LoopClock())
        await recorder.happened(ISSUER, DRIFT)
        await asyncio.sleep(60)
        await recorder.happened(ISSUER, DRIFT)
        return counts(cluster)

    assert run_jumping(main) == [2]


async def test_a_refusal_after_an_outage_is_said(clock: Clock) -> None:
    """The first of each kind in a row is a warning."""
    errors = [
        UnreachableError(Reason.APIServerUnreachable, "It is away", retryable=True, subject="x"),
        AnswerError(Reason.InternalError, "It is no event", status=422),
    ]

    def before(*_: str) -> None:
        if errors:
            raise errors.pop(0)

    recorder = EventRecorder(MemoryCluster(before=before), clock)
    with capture_logs() as told:
        await recorder.happened(ISSUER, DRIFT)
        await asyncio.sleep(0)
        await recorder._record(_Event("x", "prod", "u", "r", "n", warning=False, at=NOW, known={}))
        await recorder.aclose()
    warnings = [line["event"] for line in told if line["log_level"] == "warning"]
    assert warnings[:2] == ["The event is tried again.", "The event was not recorded."]


def test_what_is_recorded_after_its_object_is_gone_leaves_nothing() -> None:
    """The events of a thousand that are deleted at once wait for two minutes; they are recorded, at the time of the deed."""

    async def main() -> tuple[list[str], EventRecorder]:
        cluster = MemoryCluster()
        recorder = EventRecorder(cluster, LoopClock())
        names = [f"issuer-{number}" for number in range(100)]
        for name in names:
            await recorder.happened(issuer_of(metadata={"name": name, "uid": name}), DRIFT)
            recorder.forget(name)
        await asyncio.sleep(60)
        assert [event["regarding"]["name"] for event in cluster.events] == names
        return [event["eventTime"] for event in cluster.events], recorder

    times, recorder = run_jumping(main)
    assert len(set(times)) == 1
    assert recorder._known == {}


@pytest.mark.slow
def test_an_hour_of_a_public_url_that_comes_and_goes_is_an_event_for_each_of_its_two_faces() -> None:
    """The real pass, every 30 s: what `kubectl describe` would show, and what the API server would have to keep."""
    world = started(1, named=False, interval=MINUTE)
    events = world.operator.hub.events
    for _ in range(60):
        for up in (False, True):
            world.wire_up = up
            world.now += MINUTE / 2
            world.run_pass()
    counts = {event["reason"]: event.get("series", {}).get("count", 1) for event in events}
    assert counts == {"KeySafe": 1, "Proven": 61, "ConnectionFailed": 60}
    assert len(events) == len(counts)

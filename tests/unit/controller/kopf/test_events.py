"""From events to keys: what makes an operator look at an object, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from oidc_publisher.controller.kopf.events import IssuerEvents
from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.shard import WHOLE, Shard
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.status.newissuers import NewIssuers
from tests.support.looptime import LoopClock, run_jumping

Seen = list[tuple[float, str]]


def watch(
    script: Callable[[IssuerEvents], None], *, shard: Shard = WHOLE, for_s: float = 300.0, new: NewIssuers | None = None
) -> Seen:
    """When which object was looked at, after the events of a script that all come at once."""

    async def main() -> Seen:
        seen: Seen = []

        async def process(key: str) -> Outcome:
            seen.append((asyncio.get_running_loop().time(), key))
            return Outcome()

        queue = WorkQueue(process, clock=LoopClock())
        queue.start()
        script(IssuerEvents(queue, shard, new, LoopClock()))
        await asyncio.sleep(for_s)
        return seen

    return run_jumping(main)


def shown(name: str = "prod", generation: int = 1, **more: Any) -> dict[str, Any]:
    """An object as the watch shows it."""
    return {"metadata": {"name": name, "uid": f"uid-of-{name}", "generation": generation, **more}}


def in_steps(*events: tuple[str | None, dict[str, Any]]) -> Counter[str]:
    """How often each object was looked at when the events come one second after the other."""

    async def main() -> Counter[str]:
        seen = Counter[str]()

        async def process(key: str) -> Outcome:
            seen[key] += 1
            return Outcome()

        queue = WorkQueue(process, clock=LoopClock())
        queue.start()
        sink = IssuerEvents(queue, WHOLE, clock=LoopClock())
        for kind, found in events:
            sink.seen(kind, found)
            await asyncio.sleep(1)
        await asyncio.sleep(120)
        return seen

    return run_jumping(main)


def test_a_new_object_is_looked_at_at_once() -> None:
    """Whether it is found by the watch or by the first listing."""
    assert watch(lambda events: events.seen("ADDED", shown())) == [(0.0, "prod")]
    assert watch(lambda events: events.seen(None, shown())) == [(0.0, "prod")]


@pytest.mark.parametrize(
    "change",
    [
        shown(generation=2),
        shown(deletionTimestamp="2026-01-01T00:00:00Z"),
        shown(annotations={"oidc-publisher.io/reconcile-requested-at": "now"}),
        shown(uid="made-again"),
    ],
    ids=["spec", "deletion", "request", "made again"],
)
def test_a_change_that_matters_is_looked_at(change: dict[str, Any]) -> None:
    """A new spec, a deletion that waits for a finalizer, a person's request, another object of the same name."""
    assert in_steps(("ADDED", shown()), ("MODIFIED", change))["prod"] == 2


@pytest.mark.parametrize(
    "change",
    [shown(resourceVersion="2"), shown(labels={"team": "a"}), shown(annotations={"other": "x"})],
    ids=["status", "label", "annotation"],
)
def test_a_change_that_does_not_matter_is_no_work(change: dict[str, Any]) -> None:
    """Our own patch of the status would else cause a reconcile each time."""
    assert in_steps(("ADDED", shown()), ("MODIFIED", change))["prod"] == 1


def test_a_listing_alone_is_no_work_for_unchanged_objects() -> None:
    """That kopf lists is told by itself: `look_at_all` then looks at those that are not in the listing, too."""
    assert in_steps(("ADDED", shown()), (None, shown()))["prod"] == 1


def test_a_listing_with_a_changed_object_is_looked_at() -> None:
    """The watch was down when somebody changed it."""
    assert in_steps(("ADDED", shown()), (None, shown(generation=2)))["prod"] == 2


def test_a_deletion_is_handed_on_and_forgotten() -> None:
    """The reconcile finds that the object is gone; one of the same name made later is new."""
    assert in_steps(("ADDED", shown()), ("DELETED", shown()), ("ADDED", shown()))["prod"] == 3


def test_a_late_deletion_of_an_old_object_does_not_hide_the_new_one() -> None:
    """Events of two objects of one name may come in any order."""
    new = shown(uid="made-again")
    assert in_steps(("ADDED", shown()), ("ADDED", new), ("DELETED", shown()), ("MODIFIED", new))["prod"] == 3


def test_a_thousand_listed_objects_are_spread_and_a_changed_one_does_not_wait() -> None:
    """The start is no storm, and a person who changes something meanwhile does not stand in the line."""

    def script(events: IssuerEvents) -> None:
        for number in range(1000):
            events.seen(None, shown(f"issuer-{number}"))
        events.seen("MODIFIED", shown("issuer-999", generation=2))

    seen = watch(script)
    first = {name: at for at, name in reversed(seen)}
    assert len(first) == 1000
    assert first["issuer-999"] == 0.0
    assert sum(at == 0.0 for at, _ in seen) == 2
    assert 54.5 < max(first.values()) < 55.5
    in_second = Counter(int(at) for at, _ in seen)
    assert max(in_second.values()) <= 20, (
        "each pass asks the API server two or three times, and 50 a second is the limit"
    )


def test_the_passes_of_more_objects_than_one_replica_carries_are_spread_over_a_minute_too() -> None:
    """The interval of a minute is kept as long as the CPU suffices, and no second has many times more than another."""

    def script(events: IssuerEvents) -> None:
        for number in range(3000):
            events.seen(None, shown(f"issuer-{number}"))

    seen = watch(script)
    assert len({name for _, name in seen}) == 3000
    assert max(at for at, _ in seen) < 58
    assert max(Counter(int(at) for at, _ in seen).values()) < 90


def test_an_object_that_is_made_while_all_are_listed_does_not_wait() -> None:
    """The spread is for those that rest."""

    def script(events: IssuerEvents) -> None:
        for number in range(1000):
            events.seen(None, shown(f"issuer-{number}"))
        events.seen("ADDED", shown("new"))

    assert (0.0, "new") in watch(script)


def test_objects_of_other_shards_are_left_alone() -> None:
    """Two replicas with different shards look at every object once."""
    names = [f"issuer-{number}" for number in range(50)]

    def script(events: IssuerEvents) -> None:
        for name in names:
            events.seen("ADDED", shown(name))
            events.seen("DELETED", shown(name))

    parts = [{name for _, name in watch(script, shard=Shard(index, 2))} for index in (1, 2)]
    assert parts[0] | parts[1] == set(names)
    assert not parts[0] & parts[1]


def test_all_known_objects_are_looked_at_when_the_api_server_is_back() -> None:
    """Also those whose interval is far away: a restarted API server may sign with another key."""

    async def main() -> Counter[str]:
        seen = Counter[str]()

        async def process(key: str) -> Outcome:
            seen[key] += 1
            return Outcome()

        queue = WorkQueue(process, clock=LoopClock())
        queue.start()
        events = IssuerEvents(queue, WHOLE, clock=LoopClock())
        for name in ("a", "b"):
            events.seen("ADDED", shown(name))
        await asyncio.sleep(10)
        events.look_at_all()  # the API server answers again ...
        events.look_at_all()  # ... and kopf lists
        await asyncio.sleep(10)
        return seen

    assert run_jumping(main) == {"a": 2, "b": 2}


@pytest.mark.parametrize("kind", [None, "ADDED"])
def test_a_new_object_is_kept_for_its_first_pass(kind: str | None) -> None:
    """Of each UID as it was seen first, and of this replica's shard alone."""
    new = NewIssuers()

    def found(name: str, version: str, uid: str = "") -> dict[str, Any]:
        metadata = {"name": name, "uid": uid or f"uid-of-{name}", "resourceVersion": version}
        return {"metadata": metadata, "spec": {"keySources": [{"files": {}}], "store": {"gcs": {}}}}

    def script(events: IssuerEvents) -> None:
        for name in ("one", "two", "gone", "late"):
            events.seen(kind, found(name, "1"))
        events.seen("MODIFIED", found("two", "2"))
        events.seen("DELETED", found("gone", "2"))
        events.seen("ADDED", found("late", "9", uid="another"))

    watch(script, new=new, for_s=0)
    assert new.take("one") == found("one", "1")
    assert (new.take("two"), new.take("gone")) == (None, None)
    assert new.take("late") == found("late", "9", uid="another")
    held = Shard(1, 2).holds("uid-of-one")
    watch(script, new=new, for_s=0, shard=Shard(1, 2))
    assert (new.take("one") is not None) is held
    watch(script, new=new, for_s=0, shard=Shard(2, 2))
    assert (new.take("one") is None) is held


def test_the_second_listed_object_waits_until_kopf_has_asked_what_there_is() -> None:
    """Its 13 requests and the first passes would come in the same second."""

    def script(events: IssuerEvents) -> None:
        for name in ("one", "two", "three"):
            events.seen(None, shown(name))

    assert watch(script) == [(0.0, "one"), (pytest.approx(0.555), "two"), (pytest.approx(0.61), "three")]

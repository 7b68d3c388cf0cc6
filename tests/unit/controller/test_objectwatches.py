"""Watches of single objects: who is told what, and how often the API server is asked when it does not play along."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.cluster import ClusterClient, ObjectReference
from oidc_publisher.controller import objectwatches
from oidc_publisher.controller.objectwatches import ObjectWatches
from oidc_publisher.errors import AnswerError, UnreachableError
from oidc_publisher.findings import Reason
from tests.support.looptime import LoopClock, run_jumping

MAP, SECRET = ObjectReference("ConfigMap", "keys", "map"), ObjectReference("Secret", "keys", "secret")
FORBIDDEN = AnswerError(Reason.SourceForbidden, "The operator may not watch it", status=403, hint="Allow it.")
GONE = UnreachableError(Reason.APIServerUnreachable, "10.0.0.1:6443 cannot be connected to")

#: One watch: versions to yield, seconds to wait, an exception to end with.
Script = list[str | float | Exception]


class Server:
    """The API server's side of the watches: what each one does, the last for ever."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.begun: list[tuple[float, ObjectReference]] = []
        self.open: Counter[ObjectReference] = Counter()

    async def watch(self, _: ClusterClient, reference: ObjectReference) -> AsyncGenerator[str, None]:
        """In place of `watch_object`."""
        self.begun.append((asyncio.get_running_loop().time(), reference))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.open[reference] += 1
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, str):
                    yield step
                else:
                    await asyncio.sleep(step)
        finally:
            self.open[reference] -= 1


class Watched:
    """The watches of a server, and who was told when."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objectwatches, "watch_object", server.watch)
        self.server = server
        self.watches = ObjectWatches(cast("ClusterClient", None), self._wake, LoopClock().monotonic)
        self.told: list[tuple[float, str, str]] = []

    def _wake(self, issuer: str, reason: str) -> None:
        self.told.append((asyncio.get_running_loop().time(), issuer, reason))

    def run(self, steps: Callable[[], Coroutine[Any, Any, None]], *, until: float = 600.0) -> None:
        """Do the steps, let the time pass, and close."""

        async def main() -> None:
            await steps()
            await asyncio.sleep(until)
            await self.watches.close()
            assert sum(self.server.open.values()) == 0, "every watch is ended"

        run_jumping(main)

    def follow(self, *references: ObjectReference, issuer: str = "prod") -> Callable[[], Coroutine[Any, Any, None]]:
        """A step: watch exactly these."""

        async def step() -> None:
            self.watches.follow(issuer, dict.fromkeys(references), began_s=0.0)

        return step


def test_every_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first too: the pass that began the watch may have read the object before it changed."""
    watched = Watched(Server(["1", "1", 5.0, "2", 5.0, "2", 1000.0]), monkeypatch)
    watched.run(watched.follow(MAP))
    reason = "ConfigMap keys/map changed"
    assert watched.told == [(0.0, "prod", reason), (5.0, "prod", reason)]


def test_a_watch_that_the_server_ends_in_time_begins_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every five minutes; what is known is not told again, what changed in between is."""
    watched = Watched(Server(["1", 300.0], ["1", 300.0], ["2", 300.0]), monkeypatch)
    watched.run(watched.follow(MAP), until=1000.0)
    assert [at for at, _ in watched.server.begun] == [0.0, 300.0, 600.0, 900.0]
    assert watched.watches.restarts == 0, "that is no failure"
    assert [at for at, _, _ in watched.told] == [0.0, 600.0]


@pytest.mark.parametrize(
    "script",
    [[], ["1"], [GONE], ["1", GONE], [FORBIDDEN], [RuntimeError("not known")], [2.0, GONE]],
    ids=["ends", "says what is there and ends", "down", "breaks", "forbidden", "a bug", "hides"],
)
def test_no_tight_loop(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """A server that ends each watch at once is asked about twice a minute, and never given up."""
    watched = Watched(Server(script), monkeypatch)
    with structlog.testing.capture_logs() as logged:
        watched.run(watched.follow(MAP), until=3600.0)
    assert any(entry["log_level"] == "error" for entry in logged) == any(isinstance(s, RuntimeError) for s in script)
    starts = [at for at, _ in watched.server.begun]
    assert len([at for at in starts if at < 10]) <= 8
    late = [later - sooner for sooner, later in itertools.pairwise(starts[10:])]
    assert min(late) >= 15
    assert max(late) <= 33
    assert len(watched.told) == (1 if "1" in script else 0)


def test_a_watch_that_nobody_needs_any_more_leaves_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cycle it kept its connection and answer, 13 kB each, until the next collection."""
    watched = Watched(Server(["1", 1000.0]), monkeypatch)
    tasks: list[weakref.ref[asyncio.Task[Any]]] = []

    async def steps() -> None:
        await watched.follow(MAP)()
        await asyncio.sleep(1.0)
        tasks.extend(weakref.ref(task) for task in asyncio.all_tasks() if task.get_name() == f"watch {MAP}")
        watched.watches.forget("prod")

    gc.disable()
    try:
        watched.run(steps, until=1.0)
        assert [task() for task in tasks] == [None]
    finally:
        gc.enable()


def test_watches_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the metric of restarts; the number of watched objects is another one."""
    watched = Watched(Server([GONE], [GONE], [1000.0]), monkeypatch)
    counts: list[int] = []

    async def steps() -> None:
        await watched.follow(MAP)()
        counts.append(watched.watches.count)

    watched.run(steps)
    assert (counts, watched.watches.restarts) == ([1], 2)


def test_after_a_break_the_change_is_told_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server restarts: the first attempts come fast."""
    watched = Watched(Server(["1", 100.0, GONE], [GONE], ["2", 1000.0]), monkeypatch)
    watched.run(watched.follow(MAP))
    assert watched.told[0][0] == 0.0
    assert 100.0 <= watched.told[1][0] <= 101.0


def test_a_right_that_is_missing_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No finding does when the object can be read; one refusal alone is an API server that has just started."""
    watched = Watched(Server([FORBIDDEN], ["1", 100.0], [FORBIDDEN]), monkeypatch)
    with structlog.testing.capture_logs() as logged:
        watched.run(watched.follow(MAP))
    assert [entry["hint"] for entry in logged if entry["log_level"] == "warning"] == ["Allow it."]
    assert len(watched.server.begun) > 10


def test_one_watch_for_all_who_read_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts as long as the last of them."""
    watched = Watched(Server(["1", 10.0, "2", 10.0, "3", 10.0, "4", 1000.0]), monkeypatch)

    async def steps() -> None:
        watched.watches.follow("a", {MAP: None}, began_s=0.0)
        watched.watches.follow("b", {MAP: None}, began_s=0.0)
        await asyncio.sleep(15)
        watched.watches.forget("a")
        await asyncio.sleep(10)
        watched.watches.forget("b")
        watched.watches.forget("nobody")
        await asyncio.sleep(1)
        assert watched.server.open[MAP] == 0

    watched.run(steps)
    assert [(at, issuer) for at, issuer, _ in watched.told] == [(0.0, "a"), (0.0, "b"), (10.0, "a"), (10.0, "b"), (20.0, "b")]  # fmt: skip
    assert len(watched.server.begun) == 1


@pytest.mark.parametrize(
    ("began_s", "version", "woken"),
    [
        (9.0, None, [12.0, 20.0]),
        (9.0, "1", [12.0, 20.0]),
        (9.0, "2", [20.0]),
        (10.5, "1", [12.0, 20.0]),
        (11.5, None, [20.0]),
    ],
    ids=["before", "an older version", "the same version", "an older one that was shared", "after"],
)
def test_who_joins_a_watch_is_told_of_a_change_that_came_after_the_reading(
    monkeypatch: pytest.MonkeyPatch, began_s: float, version: str | None, woken: list[float]
) -> None:
    """The watch has told its others of it already, and would not tell again."""
    watched = Watched(Server(["1", 10.0, "2", 10.0, "3", 1000.0]), monkeypatch)

    async def steps() -> None:
        watched.watches.follow("a", {MAP: None}, began_s=0.0)
        await asyncio.sleep(12)
        watched.watches.follow("b", {MAP: version}, began_s=began_s)

    watched.run(steps)
    assert [at for at, issuer, _ in watched.told if issuer == "b"] == woken


def test_who_has_read_a_version_is_not_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a watch begins, all who read the object just now need no second pass; what each one read last counts."""
    watched = Watched(Server(["1", 10.0, "2", 10.0, "3", 1000.0]), monkeypatch)

    async def steps() -> None:
        for issuer, version in (("has read it", "1"), ("has read an older one", "0"), ("does not know", None)):
            watched.watches.follow(issuer, {MAP: version}, began_s=0.0)
        await asyncio.sleep(5)
        watched.watches.follow("has read it", {MAP: "2"}, began_s=5.0)

    watched.run(steps)
    assert [at for at, issuer, _ in watched.told if issuer == "has read it"] == [20.0]
    for other in ("has read an older one", "does not know"):
        assert [at for at, issuer, _ in watched.told if issuer == other] == [0.0, 10.0, 20.0]


class _Issuers:
    """Issuers that read one object as passes do, and read it again when they are woken; a pass takes a while.

    The first pass may use what another one has asked for in the second before it.
    """

    def __init__(self, versions: list[str], server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objectwatches, "watch_object", server.watch)
        self._versions = versions
        self._watches = ObjectWatches(cast("ClusterClient", None), self._wake, LoopClock().monotonic)
        self._again: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.read: dict[str, str] = {}

    def _wake(self, issuer: str, _: str) -> None:
        self._again[issuer].set()

    async def live(self, issuer: str, begins_s: float, reads_s: float, ends_s: float, shares_s: float) -> None:
        """Make a first pass, and then one after each time that the issuer was woken."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, begins_s - shares_s))
        shared = self._versions[-1] if shares_s else None
        await asyncio.sleep(min(begins_s, shares_s))
        while True:
            self._again[issuer].clear()
            began = loop.time()
            await asyncio.sleep(reads_s)
            self.read[issuer], shared = shared or self._versions[-1], None
            await asyncio.sleep(ends_s)
            self._watches.follow(issuer, {MAP: self.read[issuer]}, began_s=began)
            await self._again[issuer].wait()

    async def close(self) -> None:
        """End the watches."""
        await self._watches.close()


_short = st.sampled_from([0.0, 0.3, 0.7, 1.1, 2.3])


@given(
    lives=st.lists(st.tuples(_short, _short, _short, st.sampled_from([0.0, 0.3, 0.9])), min_size=1, max_size=4),
    changes=st.lists(st.tuples(_short, _short), max_size=5),
    opens_s=_short,
)
def test_whatever_the_order_everyone_reads_the_last_version(
    lives: list[tuple[float, float, float, float]], changes: list[tuple[float, float]], opens_s: float
) -> None:
    """Changes, readings, ends of passes and the watch's own messages meet in any order, and no change is lost."""
    versions = ["0"]

    async def messages(_: ClusterClient, __: ObjectReference) -> AsyncGenerator[str, None]:
        await asyncio.sleep(opens_s)
        told = None
        while True:
            if versions[-1] != told:
                told = versions[-1]
                await asyncio.sleep(late_s[min(len(versions), len(late_s)) - 1])
                yield told
            await asyncio.sleep(0.05)

    late_s = [0.0, *(late for _, late in changes)]

    async def main() -> dict[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            server = Server([])
            patch.setattr(server, "watch", messages)
            issuers = _Issuers(versions, server, patch)
            tasks = [asyncio.create_task(issuers.live(str(i), *life)) for i, life in enumerate(lives)]
            for number, (pause_s, _) in enumerate(changes, 1):
                await asyncio.sleep(pause_s)
                versions.append(str(number))
            await asyncio.sleep(60)
            for task in tasks:
                task.cancel()
            await issuers.close()
            return issuers.read

    read = run_jumping(main)
    assert read == {str(number): versions[-1] for number in range(len(lives))}


def test_another_spec_watches_other_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same references leave the watch alone; a reference that is gone and comes back is watched anew."""
    watched = Watched(Server(["1", 1000.0]), monkeypatch)

    async def steps() -> None:
        for references in ([MAP], [MAP], [SECRET], [], [MAP, SECRET]):
            watched.watches.follow("prod", dict.fromkeys(references), began_s=0.0)
            await asyncio.sleep(1)

    watched.run(steps, until=10)
    begun = watched.server.begun
    assert [reference for _, reference in begun[:2]] == [MAP, SECRET]
    assert [at for at, _ in begun] == [0.0, 2.0, 4.0, 4.0]
    assert {reference for _, reference in begun[2:]} == {MAP, SECRET}

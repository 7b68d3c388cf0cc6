"""An issuer goes from one shard to another while both are alive, at each place of a pass (docs/how-to/shards.md).

The number of shards changes, and for a while two processes look after one object. The oracle of the simulation judges every
write: no key that is listed leaves the published set because of it, and afterwards the issuer is as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.documents import Document, StoredDocument
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.ports import Ports
from oidc_publisher.reconcile.reconciler import Reconciler
from oidc_publisher.stores.port import Store
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import _LOOP, NAME, Operator
from tests.simulation.world import HOUR, MINUTE, World, started

OLD, NEW = 0, 1

#: Each place of a pass is a history of its own.
pytestmark = pytest.mark.slow


async def turns(count: int) -> None:
    """Let so many turns of the event loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


@dataclass
class Turns:
    """Each request takes so many turns of the event loop before it, and as many after it."""

    count: int = 1

    async def pause(self) -> None:
        """Let another process have its turn."""
        await turns(self.count)


@dataclass
class SlowHub:
    """The cluster that takes its time."""

    hub: MemoryCluster
    turns: Turns

    @property
    def host_port(self) -> str:
        """That of the cluster."""
        return self.hub.host_port

    @property
    def vouches(self) -> bool:
        """As the cluster does."""
        return self.hub.vouches

    @property
    def grantee(self) -> str:
        """As the cluster does."""
        return self.hub.grantee

    async def request(self, method: str, path: str, **more: Any) -> Answer:
        """Send the request after a pause; its answer is late as well."""
        await self.turns.pause()
        answer = await self.hub.request(method, path, **more)
        await self.turns.pause()
        return answer

    def stream(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: str, timeout_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Watch nothing."""
        return self.hub.stream(path, params=params, accept=accept, timeout_s=timeout_s)

    def clock_offsets(self, since_s: float) -> Mapping[str, timedelta]:
        """Those of the cluster."""
        return self.hub.clock_offsets(since_s)


@dataclass
class SlowStore:
    """The bucket that takes its time."""

    store: Store
    turns: Turns

    def __getattr__(self, name: str) -> Any:
        """What is no request."""
        return getattr(self.store, name)

    async def read(self, path: str) -> StoredDocument | None:
        """Read after a pause; the answer is late as well."""
        await self.turns.pause()
        found = await self.store.read(path)
        await self.turns.pause()
        return found

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Write after a pause; the answer is late as well."""
        await self.turns.pause()
        stored = await self.store.write(path, document, expected=expected)
        await self.turns.pause()
        return stored


@dataclass
class TwoShards(Operator):
    """Two processes over one object and one bucket, each with memories of its own."""

    processes: list[Reconciler] = field(default_factory=list)
    turns: list[Turns] = field(default_factory=list)

    def restart(self) -> None:
        """Begin with two new processes."""
        self.turns = [Turns(), Turns()]
        self.processes = [self._process(turns) for turns in self.turns]

    def _process(self, turns: Turns) -> Reconciler:
        async def open_ports(issuer: OIDCIssuer) -> Ports:
            ports = await self._open(issuer)
            return replace(ports, store=SlowStore(ports.store, turns), cluster=SlowHub(self.hub, turns))

        return Reconciler(SlowHub(self.hub, turns), open_ports, clock=self, new_nonce=self._nonce)

    def run(self) -> bool:
        """Make a pass of the new shard, as the world does when one is due."""
        return _LOOP.run_until_complete(self.pass_of(NEW))

    async def pass_of(self, who: int) -> bool:
        """Make one pass, and return whether it was reported."""
        self.passes += 1
        self.hub.apply(NAME, self._wanted())
        outcome = await self.processes[who].reconcile(NAME)
        assert isinstance(outcome, Outcome)
        self.outcome = outcome if not outcome.failed else self.outcome
        return not outcome.failed


def world_of_two() -> tuple[World, TwoShards]:
    """An issuer that the old shard has published, and a key that is listed since, so that its next pass writes."""
    world = started(1, named=False, interval=HOUR)
    shards = TwoShards(world, world.operator.spec)
    shards.hub.issuers = world.operator.hub.issuers
    world.operator = shards
    _LOOP.run_until_complete(shards.pass_of(OLD))
    world.wait(MINUTE)
    listed(world, public_key(2))
    return world, shards


def listed(world: World, key: PublicKey) -> None:
    """Let the API server list one more key."""
    (server,) = world.cluster.present.values()
    server.files = [*server.files, key]


def settled(world: World, shards: TwoShards) -> set[PublicKey]:
    """The keys that are published once the new shard is alone; it has all rights, and nobody is in doubt."""
    for _ in range(3):
        world.run_pass()
    assert world._violation is None, "the oracle has refused a write"
    writes = [stored.version for stored in world.bucket.documents.values()]
    world.run_pass()
    assert [stored.version for stored in world.bucket.documents.values()] == writes, "nobody fights"
    problems = {finding.reason for finding in shards.issuer.status.findings}
    assert not problems & {Reason.OwnershipLost, Reason.DocumentsNotOurs, Reason.InternalError, Reason.LedgerRebuilt}
    assert world.bucket.era is not None
    return {*world.bucket.era.keys}


#: A pass that writes takes fewer turns than this.
LONGEST = 60


#: The old pass takes more turns between two requests than the whole of the new one.
SLOW = 6


@pytest.mark.parametrize("at", range(0, SLOW * LONGEST // 2, 2))
def test_a_pass_of_the_new_shard_in_the_middle_of_one_of_the_old(at: int) -> None:
    """The old one read before another key came, and writes after the new one has published that key, or not at all."""
    world, shards = world_of_two()
    shards.turns[OLD].count, shards.turns[NEW].count = SLOW, 0

    async def main() -> None:
        old = asyncio.ensure_future(shards.pass_of(OLD))
        await turns(at)
        listed(world, public_key(3))
        await shards.pass_of(NEW)
        await old

    _LOOP.run_until_complete(main())
    assert settled(world, shards) == {public_key(number) for number in (1, 2, 3)}


@pytest.mark.parametrize("at", range(LONGEST))
def test_the_old_shard_is_stopped_anywhere_in_its_pass(at: int) -> None:
    """The new one goes on from what the object holds."""
    world, shards = world_of_two()

    async def main() -> None:
        old = asyncio.ensure_future(shards.pass_of(OLD))
        await turns(at)
        old.cancel()
        await asyncio.gather(old, return_exceptions=True)
        listed(world, public_key(3))

    _LOOP.run_until_complete(main())
    assert settled(world, shards) == {public_key(number) for number in (1, 2, 3)}


@pytest.mark.parametrize("later", range(0, LONGEST, 3))
def test_passes_of_both_take_turns_request_by_request(later: int) -> None:
    """The new one begins so many turns after the old one, and a key comes in between; both try again until all is published."""
    world, shards = world_of_two()

    async def main() -> None:
        old = asyncio.ensure_future(shards.pass_of(OLD))
        await turns(later)
        listed(world, public_key(3))
        await asyncio.gather(old, shards.pass_of(NEW))
        await asyncio.gather(shards.pass_of(OLD), shards.pass_of(NEW))

    _LOOP.run_until_complete(main())
    assert settled(world, shards) == {public_key(number) for number in (1, 2, 3)}


def test_the_longest_pass_is_shorter_than_the_places_at_which_it_is_interrupted() -> None:
    """So each place is met; without this, a longer pass would be interrupted in its beginning alone."""
    _, shards = world_of_two()

    async def main() -> int:
        old, taken = asyncio.ensure_future(shards.pass_of(OLD)), 0
        while not old.done():
            await asyncio.sleep(0)
            taken += 1
        return taken

    assert LONGEST // 3 < _LOOP.run_until_complete(main()) <= LONGEST

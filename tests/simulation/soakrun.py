"""Rotate one issuer from version 1 through every change of digits, with faults all along: the long run of `make soak`.

The cluster is like OpenShift's: a ConfigMap names every key with its version (service-account-NNN.pub), and each API
server has its key files. The rotator adds a version, waits until the status calls the key safe, restarts the API
servers one by one with it, and removes the old key. A fault occurs during every wait.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from oidc_publisher.documents import jwks_document, read_jwks_document
from oidc_publisher.keys import PublicKey
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import Crash, tells_its_age
from tests.simulation.oracle import ViolationError
from tests.simulation.publicface import JWKS_PATH
from tests.simulation.world import DAY, HOUR, MINUTE, SECOND, World, started

EVIL = public_key(1_000_000)
#: No fault lasts longer than this, and a key is safe 49 h after the last one: waiting longer than that is a failure.
PATIENCE = 12 * DAY

Tell = Callable[[str], None]


@dataclass
class Soak:
    """A Soak runs `rotations` rotations; with `ignore_gate` the rotator signs with a key as soon as it is published."""

    rotations: int
    seed: int = 1
    ignore_gate: bool = False
    tell: Tell = lambda _: None
    world: World = field(init=False)
    version: int = 1
    backup: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a simulation, not a secret
        self.world = started(2, named=True, interval=HOUR, forgiving=self.ignore_gate)
        self._faults: tuple[Callable[[], None], ...] = (
            self._failing_reading,
            self._failing_reading,
            self._restart,
            self._crash,
            self._away,
            self._lost_status,
            self._restored_status,
            self._rival,
            self._clock,
            self._edges,
            self._setting,
            self._rollback,
        )

    def run(self) -> None:
        """Rotate; raises ViolationError when an invariant breaks, unless the gate is ignored."""
        for number in range(1, self.rotations + 1):
            self._rotate()
            if number == self.rotations or number % 100 == 0 or len(str(self.version)) > len(str(self.version - 1)):
                self.tell(self.summary(number))

    def summary(self, number: int) -> str:
        """Return one line of progress."""
        world = self.world
        return (
            f"rotations: {number}, version {self.version}, passes: {world.operator.passes}, "
            f"tokens verified: {world.verified}, rejected tokens: {world.rejected}"
        )

    def _rotate(self) -> None:
        old, self.version = public_key(self.version), self.version + 1
        new = public_key(self.version)
        world, servers = self.world, list(self.world.cluster.servers.values())
        world.settle()
        self._named()[self.version] = new
        world.run_pass()
        for server in servers:
            world.wait(self._some(0, 30) * MINUTE)
            server.files = [new, *server.files]
            world.run_pass()
        if not self.ignore_gate:
            self._trouble()
        for server in servers:
            self._wait_until_safe(new)
            world.settle()
            server.signer = new
            world.settle()
            world.wait(self._some(0, 120) * MINUTE)
        self._check_order()
        self._take_away(old)

    def _take_away(self, old: PublicKey) -> None:
        world = self.world
        for server in world.cluster.servers.values():
            world.settle()
            server.files = [key for key in server.files if key != old]
            world.wait(self._some(0, 30) * MINUTE)
        named = self._named()
        for version in [version for version, key in named.items() if key == old]:
            del named[version]
        world.run_pass()

    def _wait_until_safe(self, key: PublicKey) -> None:
        world, end = self.world, self.world.now + PATIENCE
        if self.ignore_gate:
            world.run_pass()
            return
        while not world.may_sign(key):
            if world.now > end:
                raise ViolationError(f"version {self.version} is not safe after {PATIENCE}")
            world.wait(max(world.next_pass - world.now, SECOND))

    def _check_order(self) -> None:
        """Check that named keys are published newest first, by number; a rebuilt key may have lost its number."""
        body = self.world.bucket.documents[JWKS_PATH].document.body
        named = {key: version for version, key in self._named().items()}
        versions = [named[key] for key in read_jwks_document(body).keys if key in named]
        if self.version not in versions or versions != sorted(versions, reverse=True):
            raise ViolationError(f"the versions {versions} are published in this order")

    # Faults

    def _trouble(self) -> None:
        for fault in self._random.sample(self._faults, k=2):
            self.world.wait(self._some(0, 600) * MINUTE)
            fault()
            self.world.settle()
            self.world.run_pass()
            self.world.settle()
        self._mend()

    def _mend(self) -> None:
        world = self.world
        world.settle()
        world.clock_error = timedelta(0)
        world.wire_up = world.bucket.up = world.cluster.slice_readable = True
        for server in world.cluster.servers.values():
            server.up = True
        if world.cluster.named is not None:
            world.cluster.named.up = True
            world.cluster.named.garbage = set()
        world.run_pass()

    def _failing_reading(self) -> None:
        world, named = self.world, self.world.cluster.named
        kind = self._some(0, 5)
        if kind == 0:
            self._random.choice(list(world.cluster.servers.values())).up = False
        elif kind == 1:
            world.cluster.slice_readable = False
        elif kind == 2 and named is not None:
            named.up = False
        elif kind == 3 and named is not None:
            named.garbage = {self._random.choice(list(named.entries))}
        elif kind == 4:
            world.bucket.up = False
        else:
            world.wire_up = False
        world.wait(self._some(1, 40) * HOUR)

    def _restart(self) -> None:
        self.world.operator.restart()

    def _crash(self) -> None:
        self.world.operator.crash = self._random.choice(list(Crash))
        # A crash needs a pass that writes, so the documents are damaged first.
        self._rewrite(strip=True, drop=False, evil=False)

    def _away(self) -> None:
        self.world.suspended = True
        self.world.wait(self._some(1, 50) * HOUR)
        self.world.suspended = False
        self.world.next_pass = self.world.now

    def _lost_status(self) -> None:
        self._mend()
        self.world.set_status({})

    def _restored_status(self) -> None:
        self._mend()
        status = self.world.operator.status
        if self.backup is not None and tells_its_age(self.backup, status):
            self.world.set_status(self.backup)
        self.backup = status

    def _rival(self) -> None:
        self._mend()
        strip = self._some(0, 1) == 1

        def strike() -> None:
            self._rewrite(strip=strip, drop=True, evil=self._some(0, 1) == 1)

        if self._some(0, 1):
            self.world.operator.before_write = strike
        else:
            strike()
        self.world.restored = True
        self.world.run_pass()
        self.world.operator.before_write = None

    def _rewrite(self, *, strip: bool, drop: bool, evil: bool) -> None:
        world = self.world
        stored, era = world.bucket.documents[JWKS_PATH], world.bucket.era
        if era is None or not world.operator.known_place:
            return
        needed = {*world.oracle.live_keys(world.now), *world.cluster.signers}
        spare = sorted(era.keys - needed, key=lambda key: key.key_id)
        keys = set(era.keys) - (set(spare[:1]) if drop else set()) | ({EVIL} if evil else set())
        body = jwks_document(sorted(keys, key=lambda key: key.key_id))
        metadata = {} if strip else dict(stored.document.metadata)
        world.bucket.overwrite(JWKS_PATH, replace(stored.document, body=body, metadata=metadata), world.now)

    def _clock(self) -> None:
        self.world.clock_error = self._random.choice([-10, 10]) * MINUTE
        self.world.wait(self._some(1, 30) * HOUR)

    def _edges(self) -> None:
        self.world.meets = self._random.choice([(0, 1), (0, 0), (1, 2), (2, 2)])
        self.world.edges[self.world.meets[-1]].copy = None

    def _setting(self) -> None:
        kind = self._some(0, 2)
        if kind == 0:
            self.world.set_rotation(pre_publish_period=self._random.choice([24, 24, 36]) * HOUR)
        elif kind == 1:
            self.world.set_rotation(max_token_lifetime=self._random.choice([12, 24, 48]) * HOUR)
        else:
            self.world.set_spec(cache_max_age=self._random.choice([timedelta(0), 5 * MINUTE, 5 * MINUTE, HOUR]))

    def _rollback(self) -> None:
        """Switch one API server to the version before, where the status permits that, and back again.

        All API servers list that version first, because the others would refuse its tokens (R15).
        """
        self._mend()
        world, servers = self.world, list(self.world.cluster.servers.values())
        server, former = servers[0], public_key(max(self.version - 2, 1))
        current = server.signer
        for each in servers:
            each.files = [*(key for key in each.files if key != former), former]
        world.run_pass()
        self._wait_until_safe(former)
        world.settle()
        server.signer = former
        world.settle()
        world.wait(self._some(1, 30) * HOUR)
        self._wait_until_safe(current)
        world.settle()
        server.signer = current
        for each in servers:
            each.files = [key for key in each.files if key != former or key in (current, each.signer)]
        world.settle()

    def _named(self) -> dict[int, PublicKey]:
        named = self.world.cluster.named
        if named is None:
            raise ViolationError("the soak has a named source")
        return named.entries

    def _some(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

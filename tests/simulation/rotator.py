"""The half of the state machine in which nothing goes wrong: time, API servers, and a rotator that obeys the status."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from oidc_publisher.keys import PublicKey
from tests.simulation.cluster import Cluster, Server
from tests.simulation.keypool import public_key
from tests.simulation.world import DAY, HOUR, MINUTE, SECOND, World, started

POOL = 40
WAITS = st.sampled_from(
    (*(n * MINUTE for n in (1, 4, 6, 10, 60, 6 * 60, 23 * 60, 24 * 60 + 4, 24 * 60 + 11, 25 * 60, 49 * 60)), SECOND)
)
WHO = st.integers(0, 5)


class Rotator(RuleBasedStateMachine):
    """One issuer, a rotator that obeys the status, and time going by. Faults come with a subclass."""

    world: World
    newest = 1
    promotions = 0

    @initialize(servers=st.integers(1, 3), named=st.booleans(), often=st.booleans(), down=st.booleans())
    def start(self, servers: int, named: bool, often: bool, down: bool) -> None:
        """The first publication, at which all is well, or all but one API server: no pass is complete before it answers."""
        self.world = started(servers, named=named, interval=2 * HOUR if often else 12 * HOUR, down=down and servers > 1)

    # Time

    @rule(duration=WAITS)
    def wait(self, duration: timedelta) -> None:
        """Time goes by."""
        self.world.wait(duration)

    @rule(early=st.sampled_from([timedelta(0), SECOND, 5 * MINUTE]))
    def wait_for_deadline(self, early: timedelta) -> None:
        """Time goes by until just before, or until, the next key becomes safe or leaves."""
        if self.world.next_pass - early > self.world.now:
            self.world.wait(self.world.next_pass - early - self.world.now)

    @rule()
    def look(self) -> None:
        """Something changed, and a watch starts a pass."""
        self.world.run_pass()
        self.world.settle()

    # The rotator, which obeys

    @precondition(lambda self: self.newest < POOL)
    @rule(who=WHO, everywhere=st.booleans(), named=st.booleans())
    def add(self, who: int, everywhere: bool, named: bool) -> None:
        """A new key comes into the key files of one API server or all, or into the named source alone."""
        self.newest += 1
        self._list(public_key(self.newest), self.newest, who, everywhere=everywhere, named=named)

    @rule(who=WHO, which=st.integers(1, POOL), everywhere=st.booleans(), named=st.booleans())
    def list_again(self, who: int, which: int, everywhere: bool, named: bool) -> None:
        """A key that was taken away, or is listed elsewhere, is listed again: a rollback begins."""
        number = 1 + which % self.newest
        self._list(public_key(number), number, who, everywhere=everywhere, named=named)

    @rule(who=WHO, which=st.integers(0, 5), everywhere=st.booleans(), mended=st.booleans())
    def promote(self, who: int, which: int, everywhere: bool, mended: bool) -> None:
        """A key of the files signs from the first moment at which the status says it may, if that comes in four days.

        Each API server is restarted by itself, and the status read just before.
        """
        if mended:
            self._heal()
        servers = self._servers(who, everywhere=everywhere)
        idle = [key for key in servers[0].files if key != servers[0].signer]
        if not idle:
            return
        key, end = idle[which % len(idle)], self.world.now + 4 * DAY
        while not self.world.may_sign(key) and self.world.now < end:
            self.world.wait(max(self.world.next_pass - self.world.now, SECOND))
        for server in servers:
            if key in server.files and server.present and self.world.may_sign(key):
                self.promotions += 1
                self.world.settle()
                server.signer = key
                self.world.settle()

    @rule(which=st.integers(-1, 1))
    def finish(self, which: int) -> None:
        """What has begun is carried out: every key is listed everywhere, and another one signs as soon as it is safe."""
        listed = {key: None for server in self.world.cluster.present.values() for key in server.files}
        self.world.settle()
        for server in self.world.cluster.present.values():
            server.files = [*server.files, *(key for key in listed if key not in server.files)]
        self.promote(who=0, which=which, everywhere=True, mended=True)

    @rule(which=st.integers(0, 5))
    def rotate(self, which: int) -> None:
        """The usual way: a new key everywhere, signed with as soon as it is safe, and an old one delisted."""
        if self.newest < POOL:
            self.add(who=0, everywhere=True, named=False)
        self.promote(who=0, which=-1, everywhere=True, mended=True)
        self.delist(who=0, which=which, everywhere=True)

    @rule(who=WHO, which=st.integers(0, 5), everywhere=st.booleans(), signer=st.booleans())
    def delist(self, who: int, which: int, everywhere: bool, signer: bool = False) -> None:
        """A key goes from the key files of one API server or all, or from the named source; by mistake one that signs."""
        self.world.settle()
        for server in self._servers(who, everywhere=everywhere):
            idle = [key for key in server.files if key != server.signer]
            if signer and idle and server.signer in server.files:
                server.files.remove(server.signer)
            elif idle and len(server.files) > 1:
                server.files.remove(idle[which % len(idle)])
        named = self.world.cluster.named
        if named and (everywhere or who % 2) and len(named.entries) > 1:
            number = sorted(named.entries)[which % len(named.entries)]
            del named.entries[number]
            named.garbage.discard(number)

    @precondition(lambda self: len(self.world.cluster.present) > 1)
    @rule(who=WHO)
    def leave(self, who: int) -> None:
        """An API server leaves the EndpointSlice and is stopped."""
        self.world.settle()
        server = self._servers(who, everywhere=False)[0]
        server.present = server.up = False

    @precondition(lambda self: len(self.world.cluster.present) > 1)
    @rule(who=WHO, moment=st.sampled_from([timedelta(0), SECOND, MINUTE, 4 * MINUTE]))
    def bounce(self, who: int, moment: timedelta) -> None:
        """An API server restarts as it is: for a moment the EndpointSlice does not name it, and passes go on."""
        world = self.world
        world.settle()
        server = self._servers(who, everywhere=False)[0]
        world.run_pass()
        if not world.knows(server):
            return
        was_up, server.restarting = server.up, True
        server.present = server.up = False
        world.run_pass()
        world.wait(moment)
        world.run_pass()
        server.present, server.up, server.restarting = True, was_up, False
        world.settle()

    @precondition(lambda self: any(not s.present for s in self.world.cluster.servers.values()))
    @rule()
    def join(self) -> None:
        """It comes back with the files and the signing key of one that is there."""
        absent = next(s for s in self.world.cluster.servers.values() if not s.present)
        model = next((s for s in self.world.cluster.present.values() if self.world.may_sign(s.signer)), None)
        if model is not None:
            self.world.settle()
            absent.files, absent.signer = list(model.files), model.signer
            absent.present = absent.up = True
            self.world.settle()

    def _heal(self) -> None:
        world = self.world
        self._readable()
        world.clock_error = timedelta(0)
        world.operator.crash = world.operator.before_write = None

    def _readable(self) -> None:
        world = self.world
        world.settle()
        world.wire_up = world.bucket.up = world.cluster.slice_readable = True
        for server in world.cluster.present.values():
            server.up = True
        if world.cluster.named is not None:
            world.cluster.named.up = True
            world.cluster.named.garbage = set()

    def _servers(self, who: int, *, everywhere: bool) -> list[Server]:
        present = list(self.world.cluster.present.values())
        return present if everywhere else [present[who % len(present)]]

    def _list(self, key: PublicKey, number: int, who: int, *, everywhere: bool, named: bool) -> None:
        self.world.settle()
        cluster: Cluster = self.world.cluster
        if cluster.named is not None and (named or everywhere):
            cluster.named.entries[number] = key
        if not named or cluster.named is None:
            for server in self._servers(who, everywhere=everywhere):
                if key not in server.files:
                    server.files.append(key)

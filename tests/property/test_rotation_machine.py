"""A Hypothesis state machine rotates keys through every fault of the contract; the invariants hold at every moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from oidc_publisher.documents import DISCOVERY_PATH, OwnerMark, jwks_document
from oidc_publisher.keys import PublicKey
from tests.property.cluster import Cluster, NamedSource, Server
from tests.property.keypool import public_key
from tests.property.operatormodel import OWNER, Crash, Status
from tests.property.publicface import JWKS_PATH
from tests.property.world import DAY, HOUR, MINUTE, SECOND, World, started

POOL = 40
EVIL = public_key(1000)

WAITS = st.sampled_from(
    (*(n * MINUTE for n in (1, 4, 6, 10, 60, 6 * 60, 23 * 60, 24 * 60 + 4, 24 * 60 + 11, 25 * 60, 49 * 60)), SECOND)
)
WHO = st.integers(0, 5)


class Rotation(RuleBasedStateMachine):
    """One issuer and everything that may befall it."""

    world: World
    snapshot: Status | None = None
    newest = 1
    promotions = 0

    @initialize(servers=st.integers(1, 3), named=st.booleans(), often=st.booleans())
    def start(self, servers: int, named: bool, often: bool) -> None:
        """The first publication, at which all is well."""
        self.world = started(servers, named=named, interval=2 * HOUR if often else 12 * HOUR)

    # Time

    @rule(duration=WAITS)
    def wait(self, duration: timedelta) -> None:
        """Time goes by."""
        self.world.wait(duration)

    @rule(early=st.sampled_from([timedelta(0), SECOND, 5 * MINUTE]))
    def wait_for_deadline(self, early: timedelta) -> None:
        """Time goes by until just before, or until, the next key becomes safe or leaves."""
        wake = self.world.operator.last.wake_at if self.world.operator.last else None
        if wake is not None and wake - early > self.world.now:
            self.world.wait(wake - early - self.world.now)

    @rule()
    def look(self) -> None:
        """Something changed, and a watch starts a pass."""
        self.world.run_pass()
        self.world.settle()

    @rule(edge=st.integers(0, 2))
    def crowd(self, edge: int) -> None:
        """Somebody reads through one edge, which keeps a copy from now on."""
        self.world.edges[edge].get(self.world.now)

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

    @rule(which=st.integers(0, 5))
    def rotate(self, which: int) -> None:
        """The usual way: a new key everywhere, signed with as soon as it is safe, and an old one delisted."""
        if self.newest < POOL:
            self.add(who=0, everywhere=True, named=False)
        self.promote(who=0, which=-1, everywhere=True, mended=True)
        self.delist(who=0, which=which, everywhere=True)

    @rule(who=WHO, which=st.integers(0, 5), everywhere=st.booleans())
    def delist(self, who: int, which: int, everywhere: bool) -> None:
        """A key that no longer signs there goes from the key files of one API server or all, or from the named source."""
        self.world.settle()
        for server in self._servers(who, everywhere=everywhere):
            idle = [key for key in server.files if key != server.signer]
            if idle:
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

    # Readings

    @rule(what=st.sampled_from(["server", "slice", "named", "garbage", "store", "wire"]), who=WHO)
    def fail(self, what: str, who: int) -> None:
        """Something cannot be read from now on, until all is mended."""
        world = self.world
        world.settle()
        named = world.cluster.named
        match what:
            case "server":
                self._servers(who, everywhere=False)[0].up = False
            case "slice":
                world.cluster.slice_readable = False
            case "named" if named is not None:
                named.up = False
            case "garbage" if named is not None:
                named.garbage = set(list(named.entries)[who % len(named.entries) :][:1])
            case "store":
                world.bucket.up = False
            case _:
                world.wire_up = False

    @rule()
    def mend(self) -> None:
        """Everything can be read again."""
        self._readable()

    @rule(meets=st.sampled_from([(0, 1), (0, 0), (1, 2), (2, 2)]), purged=st.booleans())
    def edges(self, meets: tuple[int, ...], purged: bool) -> None:
        """The probe meets other edges than before; perhaps one of them was purged."""
        self.world.meets = meets
        if purged:
            self.world.edges[meets[-1]].copy = None

    # The operator's life

    @rule()
    def restart(self) -> None:
        """A new process reads its ledger from the status."""
        self.world.operator.restart()

    @rule(where=st.sampled_from(Crash))
    def crash(self, where: Crash) -> None:
        """The operator dies within its next pass."""
        self.world.operator.crash = where
        self.world.run_pass()
        self.world.settle()

    @rule(duration=WAITS)
    def suspend(self, duration: timedelta) -> None:
        """The operator is suspended, or away, for a time."""
        self.world.suspended = True
        self.world.wait(duration)
        self.world.suspended = False
        self.world.next_pass = self.world.now

    @precondition(lambda self: self._mark_is_ours())
    @rule()
    def lose_status(self) -> None:
        """Somebody wipes the status."""
        self.world.set_status(Status())

    @rule()
    def remember_status(self) -> None:
        """A backup is taken."""
        self.snapshot = self.world.operator.status

    @precondition(lambda self: self.snapshot is not None and self._mark_is_ours() and self._store_tells())
    @rule()
    def restore_status(self) -> None:
        """The backup is put back."""
        assert self.snapshot is not None
        self.world.set_status(self.snapshot)

    @rule(minutes=st.sampled_from([-10, 0, 10]))
    def step_clock(self, minutes: int) -> None:
        """The operator's clock steps; those of API server, store and wire stay right."""
        self.world.clock_error = minutes * MINUTE

    # Rivals

    @rule(evil=st.booleans(), which=st.integers(0, 5), strip=st.booleans(), race=st.booleans())
    def rival(self, evil: bool, which: int, strip: bool, race: bool) -> None:
        """Somebody adds a key, removes one that no live token needs, or removes the mark; perhaps faster than our PUT.

        Nobody promotes on the word of a status from before: a pass follows in which the operator can see it.
        """
        # With the mark gone and the status lost or set back, an admin must say whose documents these are.
        strip = strip and self.world.operator.status.known_place and not self.world.restored

        def strike() -> None:
            self._rewrite(evil=evil, which=which, strip=strip)

        if race:
            self.world.operator.before_write = strike
        else:
            strike()
        self.world.restored = True
        self.world.run_pass()
        self.world.settle()

    def _rewrite(self, *, evil: bool, which: int, strip: bool) -> None:
        world = self.world
        stored = world.bucket.documents[JWKS_PATH]
        era = world.bucket.era
        assert era is not None
        needed = {*world.oracle.live_keys(world.now), *(s.signer for s in world.cluster.present.values())}
        spare = sorted(era.keys - needed, key=lambda key: key.key_id)
        keys = set(era.keys) - ({spare[which % len(spare)]} if spare else set())
        keys |= {EVIL} if evil else set()
        body = jwks_document(sorted(keys, key=lambda key: key.key_id))
        metadata = {} if strip else dict(stored.document.metadata)
        world.bucket.overwrite(JWKS_PATH, replace(stored.document, body=body, metadata=metadata), world.now)

    # Settings and sources

    @rule(what=st.sampled_from(["pre-publish", "lifetime", "age", "age"]), size=st.integers(0, 3))
    def setting(self, what: str, size: int) -> None:
        """A setting rises or falls; prePublishPeriod never below what verifiers keep."""
        if what == "pre-publish":
            self.world.set_rotation(pre_publish_period=(24, 24, 36, 48)[size] * HOUR)
        elif what == "lifetime":
            self.world.set_rotation(max_token_lifetime=(12, 24, 24, 48)[size] * HOUR)
        else:
            self.world.set_spec(cache_max_age=(timedelta(0), 5 * MINUTE, HOUR, 24 * HOUR)[size])

    @rule(change=st.sampled_from(["add", "remove", "edit"]))
    def sources(self, change: str) -> None:
        """The spec's list of key sources is edited."""
        cluster = self.world.cluster
        self.world.settle()
        if change == "remove":
            cluster.named = None
        elif change == "add" and cluster.named is None:
            signer = next(iter(cluster.servers.values())).signer
            cluster.named = NamedSource({_number(signer): signer})
        elif change == "edit" and cluster.named is not None:
            cluster.named.edition += 1

    # The end

    def teardown(self) -> None:
        """C: after the faults stop, what is published is what is in use, all of it safe, and nothing else."""
        if not hasattr(self, "world"):
            return
        world = self.world
        event(f"promotions: {min(self.promotions, 9)}")
        self._heal()
        world.interval = 6 * HOUR
        world.next_pass = world.now
        world.wait(9 * DAY)
        era = world.bucket.era
        assert era is not None
        assert era.keys == world.cluster.used, "C: what is published is what is in use"
        for key in world.cluster.used:
            entry = world.entry(key)
            assert entry is not None
            assert entry.safe_since_time is not None, "what is in use has become safe"
        assert len(world.operator.status.ledger.keys) == len(era.keys), "and the ledger holds nothing else"

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

    # Helpers

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

    def _store_tells(self) -> bool:
        """Whether the store shows that the backup is an old one; where nothing was written since, only itself could."""
        snapshot, ledger = self.snapshot, self.world.operator.status.ledger
        return snapshot is not None and snapshot.ledger.serial < ledger.serial

    def _mark_is_ours(self) -> bool:
        documents = self.world.bucket.documents
        marks = [OwnerMark.read(documents[path].document.metadata) for path in (JWKS_PATH, DISCOVERY_PATH)]
        return all(mark is not None and mark.owner == OWNER for mark in marks)


def _number(key: PublicKey) -> int:
    return next(number for number in range(1, POOL + 1) if public_key(number) == key)


TestRotation = Rotation.TestCase
TestRotation.settings = settings()
TestRotation.pytestmark = [pytest.mark.timeout(0)]  # type: ignore[attr-defined]

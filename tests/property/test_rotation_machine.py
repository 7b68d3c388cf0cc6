"""A Hypothesis state machine rotates keys through every fault of the contract; the invariants hold at every moment.

HYPOTHESIS_PROFILE=long looks for minutes. What the model leaves out stands in world.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oidc_publisher.documents import jwks_document
from oidc_publisher.keys import PublicKey
from tests.simulation.admin import Admin
from tests.simulation.cluster import NamedSource
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import Crash, tells_its_age
from tests.simulation.publicface import JWKS_PATH
from tests.simulation.rotator import POOL, WAITS, WHO
from tests.simulation.world import DAY, HOUR, MINUTE

EVIL = public_key(1000)
AGES = (timedelta(0), 5 * MINUTE, HOUR, 24 * HOUR)
ERRORS = st.sampled_from([-2 * DAY, -10 * MINUTE, timedelta(0), 10 * MINUTE, 2 * DAY])


class Rotation(Admin):
    """Everything that may befall the issuer while its keys are rotated."""

    snapshot: Mapping[str, Any] | None = None

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

    @rule(meets=st.sampled_from([(0, 1), (0, 0), (1, 2), (2, 2)]), purged=st.booleans())
    def edges(self, meets: tuple[int, ...], purged: bool) -> None:
        """The probe meets other edges than before; perhaps one of them was purged."""
        self.world.meets = meets
        if purged:
            self.world.edges[meets[-1]].copy = None

    # The operator's life

    @rule(what=st.sampled_from(["mend", "restart", "crowd"]), edge=st.integers(0, 2))
    def small(self, what: str, edge: int) -> None:
        """Everything can be read again; a new process reads its ledger; somebody reads through one edge."""
        if what == "mend":
            self._readable()
        elif what == "restart":
            self.world.operator.restart()
        else:
            self.world.edges[edge].get(self.world.now)

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

    @precondition(lambda self: self._may_lose_status())
    @rule()
    def lose_status(self) -> None:
        """Somebody wipes the status."""
        self.world.set_status({})

    @rule()
    def remember_status(self) -> None:
        """A backup is taken."""
        self.snapshot = self.world.operator.status

    @precondition(lambda self: self.snapshot is not None and self._may_lose_status() and self._store_tells())
    @rule()
    def restore_status(self) -> None:
        """The backup is put back."""
        assert self.snapshot is not None
        self.world.set_status(self.snapshot)

    @rule(error=ERRORS)
    def step_clock(self, error: timedelta) -> None:
        """The operator's clock steps; those of API server, store and wire stay right."""
        self.world.clock_error = error

    @rule(error=ERRORS, size=st.integers(0, 3), back=st.booleans())
    def step_clock_beside_an_age(self, error: timedelta, size: int, back: bool) -> None:
        """The cache age is changed while the clock is off, perhaps for one pass alone."""
        self.world.clock_error = error
        self.world.set_spec(cache_max_age=AGES[size])
        self.world.run_pass()
        self.world.settle()
        if back:
            self.world.clock_error = timedelta(0)

    @precondition(lambda self: self._is_no_first_look() and self.world.operator.before_write is None)
    @rule(who=WHO, which=st.integers(0, 5))
    def slip(self, who: int, which: int) -> None:
        """An API server signs with some key of its files for a moment, in which nobody but the operator wants a token.

        Its right key stays listed: of one that is in no file and signs only while nobody looks, no rule can know.
        """
        self.world.settle()
        server = self._servers(who, everywhere=False)[0]
        if server.signer not in server.files:
            return
        right, server.signer = server.signer, server.files[which % len(server.files)]
        self.world.run_pass()
        server.signer = right
        self.world.settle()

    @rule()
    def neighbour(self) -> None:
        """Another issuer of these sources has its pass; within a second, this one may use what was answered."""
        self.world.operator.let_neighbour_read()

    # Rivals

    @rule(evil=st.booleans(), which=st.integers(0, 5), strip=st.booleans(), race=st.booleans())
    def rival(self, evil: bool, which: int, strip: bool, race: bool) -> None:
        """Somebody adds a key, removes one that no live token needs, or removes the mark; perhaps faster than our PUT.

        Nobody promotes on the word of a status from before a pass that could read the bucket.
        """

        def strike() -> None:
            # With the mark gone and the status lost or set back, an admin must say whose documents these are. A race may
            # be lost passes later, when there is something to write.
            told = not self.world.moving and self.world.operator.known_place and self.world.reported is not None
            if self.world.bucket.claimed and not self.world.bucket.seized:
                self._rewrite(evil=evil, which=which, strip=strip and told)

        if race:
            self.world.operator.before_write = strike
        else:
            strike()
        self.world.unseen_rival = True
        self.world.run_pass()
        self.world.settle()

    def _rewrite(self, *, evil: bool, which: int, strip: bool) -> None:
        world = self.world
        stored = world.bucket.documents[JWKS_PATH]
        era = world.bucket.era
        assert era is not None
        needed = {*world.oracle.live_keys(world.now), *(s.signer for s in world.cluster.present.values())}
        spare = sorted(era.keys - needed, key=lambda key: key.key_id)
        keys = set(era.keys) - ({spare[which % len(spare)]} if spare and len(era.keys) > 1 else set())
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
            self.world.set_spec(cache_max_age=AGES[size])

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
        """C: after the faults stop, what is published is what is in use, and nothing else; safe is what nobody refuses."""
        if not hasattr(self, "world"):
            return
        world = self.world
        event(f"promotions: {min(self.promotions, 9)}")
        self._heal()
        self._arrive_at_last()
        world.interval = 6 * HOUR
        world.next_pass = world.now
        world.wait(9 * DAY)
        era = world.origin.era
        assert era is not None
        wanted = world.cluster.used - world.oracle.withdrawn
        if wanted:
            assert era.keys == wanted, "C: what is published is what is in use, and not withdrawn"
        else:
            assert len(era.keys) == 1, "D: the last key stays, withdrawn or not"
        for key in wanted:
            entry = world.entry(key)
            assert entry is not None
            assert entry.known_to_caches, "what is in use has waited"
            refused = bool(world.cluster.refusing(key))
            assert (entry.safe_since_time is None) is refused, "it is safe where every API server lists it (R15)"
        known = {entry.key for entry in world.operator.ledger.keys}
        # A withdrawn key that is not listed and signs by mistake is in no published set; after a lost status nothing holds it.
        unlisted = {key for key in world.cluster.signers if not world.cluster.lists(key)}
        assert known >= world.cluster.used - (unlisted & world.oracle.withdrawn)
        # Where every key in use is withdrawn, the last one that stays may be another.
        assert len(known - world.cluster.used) <= (0 if wanted else 1), "and the ledger holds nothing else"

    def _store_tells(self) -> bool:
        """Whether the store shows that the backup is an old one."""
        return self.snapshot is not None and tells_its_age(self.snapshot, self.world.operator.status)

    def _is_no_first_look(self) -> bool:
        """Whether the next pass is not the first complete one, whose signers are the baseline (R10)."""
        looked = self.world.operator.ledger.last_complete_pass_time is not None
        return looked or not all(server.up for server in self.world.cluster.present.values())


def _number(key: PublicKey) -> int:
    return next(number for number in range(1, POOL + 1) if public_key(number) == key)


TestRotation = Rotation.TestCase
TestRotation.settings = settings()
TestRotation.pytestmark = [pytest.mark.timeout(0)]  # type: ignore[attr-defined]

"""The simulated world: true time, the cluster, the public face, the operator, and a rotator that obeys the status.

What the model leaves out, because no rule can save it or because the contract gives it to somebody else:

- the status lost, every source unreadable and the bucket rewritten, all at once: then nothing remembers the key;
- a status that was set back to a time since which nothing was written, and of which the store can tell nothing;
- a status that is lost or set back while the owner mark is missing from the bucket (an admin must say `adoption`);
- a rival who removes the key of a live token: tokens are refused until the operator's next pass, whatever the rules;
- a promotion on the word of a status that is older than three intervals, or that was set back and not renewed since;
- API servers outside of the EndpointSlice: their tokens are protected by `EndpointGone` being told, by no rule;
- a prePublishPeriod shorter than what a verifier keeps by its own clock (24 h here);
- verifiers that keep a set for ever and never fetch again, and caches that outlive the Cache-Control they were given;
- a raised maxTokenLifetime that the cluster uses before the operator has written it to the owner mark;
- a clock that moves within clockSkew in opposite directions between a first sighting and a safe time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from oidc_publisher.api import OIDCIssuerSpec
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import ClockReading, LedgerKey, WireReading
from tests.property.cluster import Cluster, NamedSource, Server
from tests.property.keypool import public_key
from tests.property.operatormodel import Look, Operator, Status
from tests.property.oracle import Oracle, ViolationError
from tests.property.publicface import HABITS, Bucket, Edge, Era, Verifier

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EDGES = 3


def issuer_spec() -> OIDCIssuerSpec:
    """The defaults of the contract: prePublish 24 h, lifetime 24 h, max-age 5 min, skew 5 min."""
    return OIDCIssuerSpec.model_validate(
        {"issuerURL": "https://oidc.example.com/prod", "store": {"s3": {"bucket": "example", "region": "eu-west-1"}}}
    )


@dataclass
class World:
    """Everything, at one moment of true time. Start it with `started`."""

    cluster: Cluster
    interval: timedelta
    bucket: Bucket = field(default_factory=Bucket)
    now: datetime = T0
    clock_error: timedelta = timedelta(0)
    suspended: bool = False
    wire_up: bool = True
    meets: tuple[int, ...] = (0, 1)
    token_lifetime: timedelta = 24 * HOUR
    restored: bool = False
    reported: datetime | None = None
    next_pass: datetime = T0
    verified: int = 0
    rejected: int = 0
    forgiving: bool = False
    edges: list[Edge] = field(init=False)
    verifiers: list[Verifier] = field(init=False)
    operator: Operator = field(init=False)
    oracle: Oracle = field(init=False)
    _leaving: set[PublicKey] = field(default_factory=set)
    _read: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.edges = [Edge(self.bucket) for _ in range(EDGES)]
        self.verifiers = [Verifier(habit, self.edges[place % EDGES]) for place, habit in enumerate(HABITS)]
        self.operator = Operator(self.bucket, issuer_spec())
        self.oracle = Oracle(self.bucket, forgiving=self.forgiving)
        self.bucket.on_write = self._written

    # Time

    def settle(self) -> None:
        """At this moment: every signer hands out a token, and every verifier judges the live ones."""
        for key in self.cluster.signers:
            self.oracle.minted(key, self.token_lifetime, self.now)
        for key in self.oracle.live_keys(self.now):
            for verifier in self.verifiers:
                self.verified += 1
                if not verifier.accepts(key, self.now):
                    self._reject(key, verifier)

    def _reject(self, key: PublicKey, verifier: Verifier) -> None:
        self.rejected += 1
        if not self.forgiving:
            raise ViolationError(f"A: {verifier.habit.name} refuses a live token of {key.key_id} at {self.now}")

    def run_pass(self) -> None:
        """One pass of the operator now, unless it is suspended."""
        if self.suspended:
            self.next_pass = self.now + self.interval
            return
        lifetime, look = self.operator.spec.rotation.max_token_lifetime, self._look()
        self._leaving = {entry.key for entry in self.operator.status.ledger.keys if entry.leaving}
        if self.operator.run(look, self._read_wire, self.now):
            listed = {listing.key for source in look.sources for listing in source.listings}
            minted = {mint.endpoint for mint in look.mints.minted}
            self.oracle.seen(listed | {self.cluster.servers[address].signer for address in minted}, self.now)
            self._note_read()
            self.reported, self.restored = self.now, False
            wake = self.operator.wake_after or self.interval
            self.next_pass = self.now + min(self.interval, wake)
            if self.bucket.up:
                # From now on the owner mark knows a raised lifetime, so the cluster may use it.
                self.token_lifetime = lifetime
        else:
            self.operator.restart()
            self.next_pass = self.now + MINUTE
        self.bucket.forget_unusable(self.now)
        self.oracle.forget(self.now)

    def _note_read(self) -> None:
        named = self.cluster.named
        if named is None:
            self._read.clear()
        elif named.up:
            self._read |= {named.entry(number) for number in set(named.entries) - named.garbage}
            self._read &= {named.entry(number) for number in named.entries}

    def _written(self, before: frozenset[PublicKey], era: Era) -> None:
        # A removal that was decided on in a complete pass is retried from the ledger (R12), whatever is listed since
        # behind an API server that does not answer.
        in_use = self.cluster.used_beyond(self._unread) - self._leaving
        self.oracle.replaced(before, era, self.token_lifetime, in_use, self.now)

    @property
    def _unread(self) -> set[int]:
        """Entries that are garbage and were not read since the ledger was lost or the source edited: nobody knows them."""
        named = self.cluster.named
        return {number for number in named.garbage if named.entry(number) not in self._read} if named else set()

    def wait(self, duration: timedelta) -> None:
        """Let true time go by, with every pass that is due."""
        end = self.now + duration
        while self.now < end:
            self.now = min(max(self.next_pass, self.now + SECOND), end)
            if self.now >= self.next_pass:
                self.settle()
                self.run_pass()
            self.settle()

    def _look(self) -> Look:
        offset = -self.clock_error
        servers = (offset,) if any(server.up for server in self.cluster.servers.values()) else ()
        clock = ClockReading(
            servers, (offset,) if self.bucket.up else (), (offset,) if self.wire_up and self.bucket.era else ()
        )
        return Look(self.cluster.read_sources(), self.cluster.read_mints(), clock, self.now + self.clock_error)

    def _read_wire(self) -> WireReading | None:
        if not self.wire_up:
            return None
        copies = [self.edges[place].get(self.now) for place in self.meets]
        shown = [copy for copy in copies if copy is not None]
        if not shown:
            return WireReading(absent=True)
        stated = all(copy.stated for copy in shown)
        return WireReading(
            tuple(copy.keys for copy in shown),
            max_age=max(copy.age for copy in shown) if stated else None,
            whole=len(shown) == len(copies),
        )

    # What the rotator goes by

    def entry(self, key: PublicKey) -> LedgerKey | None:
        """The status's word on a key."""
        found = self.operator.status.ledger.get(key.key_id)
        return found if found is not None and found.key == key else None

    def may_sign(self, key: PublicKey) -> bool:
        """R10: safeSinceTime in a status that is not older than three intervals."""
        fresh = self.reported is not None and self.now - self.reported <= 3 * self.interval
        entry = self.entry(key)
        return fresh and not self.restored and entry is not None and entry.safe_since_time is not None

    # Settings

    def set_spec(self, **changes: Any) -> None:
        """Edit the spec's own fields."""
        self.operator.spec = self.operator.spec.model_copy(update=changes)

    def set_rotation(self, **changes: Any) -> None:
        """Edit spec.rotation; a lowered lifetime is used at once, a raised one when the operator has written it."""
        self.set_spec(rotation=self.operator.spec.rotation.model_copy(update=changes))
        self.token_lifetime = min(self.token_lifetime, self.operator.spec.rotation.max_token_lifetime)

    def set_status(self, status: Status) -> None:
        """Somebody wipes the status or puts an old one back."""
        self.operator.status = replace(status, observed=None)
        self.reported, self.restored = None, True
        self._read.clear()


def started(servers: int, *, named: bool, interval: timedelta, forgiving: bool = False, down: bool = False) -> World:
    """A world after its first pass: every API server signs with key 1, which nobody had published before.

    `down`: the last API server does not answer yet.
    """
    first = public_key(1)
    cluster = Cluster({f"10.0.0.{place + 1}:6443": Server([first], first) for place in range(servers)})
    list(cluster.servers.values())[-1].up = not down
    if named:
        cluster.named = NamedSource({1: first})
    world = World(cluster, interval, forgiving=forgiving)
    world.run_pass()
    world.settle()
    return world

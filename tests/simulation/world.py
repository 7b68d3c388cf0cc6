"""Simulate true time, the cluster, the public side, the operator, and a rotator that obeys the status.

The model leaves out these cases, because no rule can save them or because the contract makes an admin responsible:

- the status lost, every source unreadable and the bucket rewritten, all at once: then the key is recorded nowhere;
- a status that was set back to a time since which nothing was written, so that the store does not show it;
- a status that is set back for the second time within one token lifetime, with a restart between: the operator takes that
  for a second writer and stops (R9), until a person says who goes on;
- a status that is lost or set back while the owner mark is missing from the bucket (an admin must set `adoption`);
- another writer that removes the key of a live token: tokens are refused until the operator's next pass in any case;
- a promotion after another writer rewrote the bucket and before the operator could read it, while edges hide the change;
- a promotion by a status that is older than three intervals, or that was set back and not renewed since;
- API servers outside of the EndpointSlice: only the report `EndpointGone` protects their tokens, and no rule;
- an API server that restarts, and so is in no EndpointSlice for a moment, before any pass has seen it there;
- a prePublishPeriod shorter than the time for which a verifier keeps a set by its own clock (24 h here);
- verifiers that keep a set for ever and never fetch again, and caches that keep copies beyond their Cache-Control;
- a raised maxTokenLifetime that the cluster uses before the operator has written it to the owner mark;
- a status that is lost or set back between two locations, before the new one is written, and a move before the store
  could show such a status what it lacks: then no record is left;
- a public URL that is led to a location without a key of a live token, or without a key that the status calls safe;
- a public URL that was led away from a key and back before any pass could see it, while the status, or the owner mark
  beside a lost status, says that the URL shows the key; and a URL that led to a location of a longer cache age that no
  pass has read;
- a status that was lost while no pass ran (suspended, or the operator away), and a public URL that led elsewhere, or to a
  copy that somebody kept in step, for that time and back: then no record is left either;
- another writer that rewrites a former location that the public URL still shows, or that makes another location hold
  exactly what this issuer's holds;
- a withdrawn key that an API server signs with: its tokens are to be refused;
- a clock that moves within clockSkew in opposite directions between a first sighting and a safe time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from oidc_publisher.api import Adoption, OIDCIssuerSpec
from oidc_publisher.documents import DISCOVERY_PATH, Document, OwnerMark
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.rotation import LedgerKey
from tests.simulation.cluster import Cluster, NamedSource, Server
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import Operator
from tests.simulation.oracle import MOST_BYTES, Oracle, ViolationError
from tests.simulation.places import STRANGERS_LIFETIME, is_ours, is_refused, judge_write, leave_documents
from tests.simulation.publicface import HABITS, JWKS_PATH, Bucket, Edge, Origin, Verifier, keys_in

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EDGES = 3
#: The most keys that spec.rotation.withdrawnKeyIDs may name.
MOST_WITHDRAWN = 16


def issuer_spec() -> OIDCIssuerSpec:
    """The defaults of the contract: prePublish 24 h, lifetime 24 h, max-age 5 min, skew 5 min."""
    return OIDCIssuerSpec.model_validate(
        {
            "issuerURL": "https://oidc.example.com/prod",
            "store": {"s3": {"bucket": "example", "region": "eu-west-1"}},
            # Longer than any wait for a deadline: the simulation itself knows when the next pass is due.
            "interval": "24h",
        }
    )


@dataclass
class World:
    """A World is the whole simulation at one moment of true time. Create one with `started`.

    `bucket` is the location that spec.store names, `places` are all locations that it has named. `moving`: the operator
    has not yet reported that the documents are at that location. `origin` is what the public URL leads to, and
    `url_read` says that a pass has read it. `unseen_rival`: another writer rewrote the bucket, and no pass could read it yet.
    `told`: the store has shown the status what it lacked.
    """

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
    unseen_rival: bool = False
    reported: datetime | None = None
    next_pass: datetime = T0
    verified: int = 0
    rejected: int = 0
    forgiving: bool = False
    moving: bool = True
    url_read: bool = False
    told: bool = True
    places: list[Bucket] = field(init=False)
    origin: Origin = field(init=False)
    edges: list[Edge] = field(init=False)
    verifiers: list[Verifier] = field(init=False)
    operator: Operator = field(init=False)
    oracle: Oracle = field(init=False)
    _leaving: set[PublicKey] = field(default_factory=set)
    _read: set[str] = field(default_factory=set)
    _former: frozenset[PublicKey] = frozenset()
    _violation: ViolationError | None = None

    def __post_init__(self) -> None:
        self.places, self.origin = [self.bucket], Origin(self.bucket)
        self.edges = [Edge(self.origin) for _ in range(EDGES)]
        self.verifiers = [Verifier(habit, self.edges[place % EDGES]) for place, habit in enumerate(HABITS)]
        self.operator = Operator(self, issuer_spec())
        self.oracle = Oracle(self.origin, forgiving=self.forgiving)
        self.bucket.on_write = self._written

    # Time

    def settle(self) -> None:
        """Let every signer mint a token at this moment, and every verifier judge the live ones."""
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
        """Run one pass of the operator now, unless the issuer is suspended."""
        if self.suspended:
            self.next_pass = self.now + self.interval
            return
        lifetime = self.operator.spec.rotation.max_token_lifetime
        safe_before = self._safe()
        self._leaving = {entry.key for entry in self.operator.ledger.keys if entry.leaving}
        if self._run():
            listed = {listing.key for source in self.cluster.read_sources() for listing in source.listings}
            minted = {mint.endpoint for mint in self.cluster.read_mints().minted}
            self.oracle.seen(listed | {self.cluster.servers[address].signer for address in minted}, self.now)
            self._note_read()
            self._judge_permissions(safe_before)
            copies = [self.edges[visit].copy for visit in self.meets]
            shown = self.origin.era.document if self.origin.era else None
            self.url_read |= self.wire_up and all(copy is None or copy.document is shown for copy in copies)
            self.reported, self.restored = self.now, False
            self.unseen_rival = self.unseen_rival and not self.bucket.up
            self.next_pass = self.now + min(self.interval, max(self.operator.wake_after, SECOND))
            if self.bucket.up and not self.refused:
                self.told = True
                self._note_place()
            if self.bucket.up and not self.moving:
                # From now on the owner mark holds a raised lifetime, so the cluster may use it.
                self.token_lifetime = lifetime
        else:
            self.next_pass = self.now + MINUTE
        self.origin.forget_unusable(self.now)
        self.oracle.forget(self.now)

    def _run(self) -> bool:
        """Run one pass, and raise a violation by its writes again, because the program treats it as its own error."""
        try:
            return self.operator.run()
        except AssertionError:
            if self._violation is not None:
                raise self._violation from None
            raise

    def _safe(self) -> set[PublicKey]:
        """The keys that the status calls safe to sign with."""
        return {e.key for e in self.operator.ledger.keys if e.safe_since_time is not None}

    def _judge_permissions(self, before: set[PublicKey]) -> None:
        """Judge new permissions only: an API server that cannot be read may have lost a key that was safe before."""
        for key in self._safe():
            asked = self.cluster.slice_readable or key not in before
            refusing = self.cluster.refusing(key, answering=key in before) if asked else []
            self.oracle.permitted(key, refusing, self.now, anothers=self.bucket.up and self.refused)

    def _note_place(self) -> None:
        """Judge what a whole pass leaves at a location that it may write."""
        assert self.bucket.era is not None
        self.oracle.passed(self.bucket.era.keys, self.now)
        if self.operator.place == self.bucket.location:
            assert all(is_ours(stored.document) for stored in self.bucket.documents.values())
            self.moving = False

    def _note_read(self) -> None:
        named = self.cluster.named
        if named is None:
            self._read.clear()
        elif named.up:
            self._read |= {named.entry(number) for number in set(named.entries) - named.garbage}
            self._read &= {named.entry(number) for number in named.entries}

    def _written(self, path: str, before: Document | None, after: Document) -> None:
        try:
            self._judge_write(path, before, after)
        except ViolationError as violation:
            self._violation = violation
            raise

    def _judge_write(self, path: str, before: Document | None, after: Document) -> None:
        judge_write(self.bucket, path, before, self.operator.spec.adoption, self.now)
        if path != JWKS_PATH:
            return
        if len(after.body) > MOST_BYTES:
            raise ViolationError(f"R11: {len(after.body)} bytes were written at {self.now}")
        # At a new location the set of the former one may not shrink: the documents at the new one may be years old.
        published = self._former if self.moving and self._former else keys_in(before.body) if before else frozenset()
        # A removal that was decided on in a complete pass is retried from the ledger (R12), whatever is listed since
        # behind an API server that does not answer.
        in_use = self.cluster.used_beyond(self._unread) - self._leaving
        self.oracle.replaced(published, keys_in(after.body), self.token_lifetime, in_use, self.now)

    @property
    def _unread(self) -> set[int]:
        """Return unreadable entries that were not read since the ledger was lost or the source edited."""
        named = self.cluster.named
        return {number for number in named.garbage if named.entry(number) not in self._read} if named else set()

    def wait(self, duration: timedelta) -> None:
        """Let true time pass, with every pass that is due."""
        end = self.now + duration
        while self.now < end:
            self.now = min(max(self.next_pass, self.now + SECOND), end)
            if self.now >= self.next_pass:
                self.settle()
                self.run_pass()
            self.settle()

    # What the operator sees

    @property
    def clock_offset(self) -> timedelta:
        """Every other clock minus the operator's."""
        return -self.clock_error

    @property
    def operator_now(self) -> datetime:
        """What the operator's clock shows."""
        return self.now + self.clock_error

    def answer(self, url: str, visit: int) -> Fetched:
        """What the public URL answers: the key set from the edge that this visit meets, the other from the origin."""
        if not self.wire_up:
            raise FetchError(Reason.ConnectionFailed, "Nobody answers", retryable=True)
        if url.endswith(JWKS_PATH):
            copy = self.edges[self.meets[visit]].get(self.now)
            document = copy.document if copy else None
        else:
            stored = self.origin.bucket.documents.get(DISCOVERY_PATH)
            document = stored.document if stored else None
        return served(url, document, self.clock_offset)

    # What the rotator goes by

    def entry(self, key: PublicKey) -> LedgerKey | None:
        """Return the entry of a key in the status."""
        found = self.operator.ledger.get(key.key_id)
        return found if found is not None and found.key == key else None

    def knows(self, server: Server) -> bool:
        """Return whether the status names this API server as present."""
        addresses = {address for address, each in self.cluster.servers.items() if each is server}
        return any(e.address in addresses and not e.gone_since_time for e in self.operator.ledger.endpoints)

    def may_sign(self, key: PublicKey) -> bool:
        """Return the permission of R10: safeSinceTime in a status that is not older than three intervals."""
        fresh = self.reported is not None and self.now - self.reported <= 3 * self.interval
        entry = self.entry(key)
        permitted = entry is not None and entry.safe_since_time is not None and not entry.unlisted_by
        told = not self.restored and not self.unseen_rival
        return fresh and told and permitted and key not in self.oracle.withdrawn

    # Settings

    def set_spec(self, **changes: Any) -> None:
        """Edit the spec's own fields."""
        self.operator.spec = self.operator.spec.model_copy(update=changes)

    def set_rotation(self, **changes: Any) -> None:
        """Edit spec.rotation; a lowered lifetime is used at once, a raised one when the operator has written it."""
        self.set_spec(rotation=self.operator.spec.rotation.model_copy(update=changes))
        self.token_lifetime = min(self.token_lifetime, self.operator.spec.rotation.max_token_lifetime)

    @property
    def refused(self) -> bool:
        """Return whether the location is another owner's and may not be taken over."""
        return is_refused(self.bucket, self.operator.spec.adoption)

    def move(self, bucket: Bucket, adoption: Adoption) -> None:
        """Let the spec name another location, and the adoption of another owner's documents there."""
        if not self.moving:
            assert self.bucket.era is not None
            self._former = self.bucket.era.keys
        if bucket.seized and self.operator.place != bucket.location:
            bucket.seized = bucket.claimed = False  # by now it is any other owner's place
        if all(bucket is not known for known in self.places):
            self.places.append(bucket)
        self.bucket, self.moving = bucket, True
        bucket.on_write = self._written
        s3 = self.operator.spec.store.s3
        assert s3 is not None
        store = self.operator.spec.store.model_copy(update={"s3": s3.model_copy(update={"bucket": bucket.name})})
        self.set_spec(store=store, adoption=adoption)

    def lead(self, place: Bucket, *, purged: bool) -> bool:
        """The public URL is led to another place, and the edges perhaps purged; False where the model leaves that out."""
        if place is self.origin.bucket or not self._may_lead_to(place):
            return False
        assert place.era is not None
        if purged or not self._claimed() <= place.era.keys:
            for edge in self.edges:
                edge.copy = None
        self.origin.show(place, self.now)
        self.url_read = False
        return True

    def _may_lead_to(self, place: Bucket) -> bool:
        now = self.origin.era
        if place.era is None or not place.fits:
            return False
        if now is not None and now.age > self.operator.spec.cache_max_age and not self.url_read:
            return False
        signers = {server.signer for server in self.cluster.servers.values()} - self.oracle.withdrawn
        needed = {*self.oracle.live_keys(self.now), *signers, *self._safe()}
        unseen = place.era.keys - (now.keys if now else frozenset())
        return needed <= place.era.keys and not unseen & self._claimed()

    def _claimed(self) -> frozenset[PublicKey]:
        """The keys of which the operator knows, or will learn from the owner mark, that the public URL shows them."""
        ledger, marks = self.operator.ledger, self._marks()
        served = {entry.key for entry in ledger.keys if entry.served_since_time is not None}
        behind = not ledger.keys or any(mark.serial > ledger.serial for mark in marks)
        told = self.bucket.era is not None and behind and any(mark.shown for mark in marks)
        return frozenset(served | (self.bucket.era.keys if told and self.bucket.era else frozenset()))

    def _marks(self) -> list[OwnerMark]:
        marks = (OwnerMark.read(stored.document.metadata) for stored in self.bucket.documents.values())
        return [mark for mark in marks if mark is not None]

    @property
    def mark_misleads(self) -> bool:
        """Whether the mark says that the URL led here, and the URL has been away since, unseen by any pass."""
        stored = self.bucket.documents.get(JWKS_PATH)
        if stored is None or stored.last_modified is None or not any(mark.shown for mark in self._marks()):
            return False
        assert self.bucket.era is not None
        back = [self.origin.led_to[key] for key in self.bucket.era.keys if key in self.origin.led_to]
        return any(time > stored.last_modified for time in back)

    def withdraw(self, keys: frozenset[PublicKey]) -> None:
        """Let the spec name exactly these keys as withdrawn; an API server refuses more of them than fit."""
        if len(keys) > MOST_WITHDRAWN:
            return
        self.oracle.withdraw(keys)
        self.set_rotation(withdrawn_key_ids=tuple(sorted(key.key_id for key in keys)))

    def set_status(self, status: Mapping[str, Any]) -> None:
        """Wipe the status, or put an old one back, as an admin does."""
        self.operator.set_status(status)
        self.reported, self.restored, self.told = None, True, False
        self._read.clear()


def started(
    servers: int,
    *,
    named: bool,
    interval: timedelta,
    forgiving: bool = False,
    down: bool = False,
    heir_of: tuple[PublicKey, ...] = (),
    signed: bool = True,
    by_hand: bool = False,
    unread: bool = False,
) -> World:
    """Return a world after its first pass: every API server signs with key 1, which was not published before.

    `down`: the last API server does not answer yet. `heir_of`: a former cluster published these keys and key 1, which
    the new cluster took over with the documents; tokens of all of them are live. `signed`: the documents bear a mark.
    `by_hand`: the public URL leads to a bucket in which somebody put key 1 by hand, and not to the bucket of the spec.
    `unread`: the public URL cannot be read at first.
    """
    first = public_key(1)
    cluster = Cluster({f"10.0.0.{place + 1}:6443": Server([first], first) for place in range(servers)})
    list(cluster.servers.values())[-1].up = not down
    if named:
        cluster.named = NamedSource({1: first})
    world = World(cluster, interval, forgiving=forgiving)
    if heir_of:
        spec = world.operator.spec
        leave_documents(world.bucket, spec, (first, *heir_of), T0 - 10 * DAY, signed=signed, fitting=True)
        world.set_spec(adoption=Adoption.MERGE)
        for key in (first, *heir_of):
            world.oracle.minted(key, STRANGERS_LIFETIME, T0)
    if by_hand:
        kept = Bucket(name="by-hand")
        leave_documents(kept, world.operator.spec, (first,), T0 - 10 * DAY, signed=False, fitting=True)
        world.places.insert(0, kept)
        world.origin.show(kept, T0 - 10 * DAY)
    world.wire_up = not unread
    world.run_pass()
    world.settle()
    return world


def served(url: str, document: Document | None, date_offset: timedelta) -> Fetched:
    """Return the answer of a host that has this document, or none, at the URL."""
    if document is None:
        return Fetched(url, 404, date_offset=date_offset)
    return Fetched(
        url,
        200,
        document.body,
        content_type=document.content_type,
        cache_control=document.cache_control,
        date_offset=date_offset,
    )

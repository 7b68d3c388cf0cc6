"""A cluster, a store and a wire as values: the pass of the controller without any I/O, under a clock of our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import (
    Advance,
    ClockReading,
    Ledger,
    LedgerKey,
    Listing,
    Mint,
    Mints,
    Pass,
    Policy,
    ServerListing,
    SourceReading,
    StoredReading,
    StoreState,
    WireReading,
    advance,
    begin_write,
    own_writes,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)

DEFAULTS = Policy(
    pre_publish_period=24 * HOUR, max_token_lifetime=24 * HOUR, clock_skew=5 * MINUTE, cache_max_age=5 * MINUTE
)


def key(name: str, *, algorithm: str = "RS256", material: str | None = None) -> PublicKey:
    """A key whose material is its name: rotation never looks inside."""
    return PublicKey(name, algorithm, (material or name).encode())


@dataclass
class Source:
    """A key source of the world: what it lists, and whether it can be read."""

    keys: list[PublicKey] = field(default_factory=list)
    up: bool = True
    unreadable: frozenset[str] = frozenset()
    entries: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    from_api_server: bool = False

    def read(self, name: str) -> SourceReading:
        """One reading of it; a source without keys is never complete."""
        if not self.up:
            return SourceReading(name, complete=False, missing=(f"source {name}",))
        listings = tuple(Listing(k, *self.entries.get(k.key_id, (None, None))) for k in self.keys)
        return SourceReading(
            name,
            complete=bool(listings),
            listings=listings,
            unreadable=self.unreadable,
            missing=() if listings else (f"source {name}",),
            from_api_server=self.from_api_server,
        )


@dataclass
class Server:
    """An API server: what it lists in its JWKS and what it signs with; not `whole`: something in it cannot be read."""

    keys: list[PublicKey]
    signer: PublicKey
    up: bool = True
    whole: bool = True


@dataclass
class World:
    """Everything outside of the ledger, and the ledger as the status holds it."""

    servers: dict[str, Server] = field(default_factory=dict)
    slice_up: bool = True
    sources: dict[str, Source] = field(default_factory=dict)
    policy: Policy = DEFAULTS
    true_now: datetime = T0
    clock_error: timedelta = timedelta(0)
    ledger: Ledger = field(default_factory=Ledger)
    stored: StoredReading = field(default_factory=lambda: StoredReading(StoreState.ABSENT))
    store_up: bool = True
    put_fails: bool = False
    wire_up: bool = True
    wire_age: timedelta | None = None
    edges: dict[str, tuple[PublicKey, ...] | None] = field(default_factory=dict)
    passes: int = 0
    writer: str = "w"
    saved: Ledger | None = None
    writes: list[tuple[PublicKey, ...]] = field(default_factory=list)
    last: Advance | None = None

    def at(self, after: timedelta) -> Advance:
        """Let true time be `after` T0 and run one pass."""
        self.true_now = T0 + after
        return self.run()

    def run(self) -> Advance:
        """One pass: read, plan, save, write, look again, save."""
        self.passes += 1
        result = advance(self.ledger, self._look())
        self.ledger = result.ledger
        for _ in range(3):
            if not self._differs(result):
                break
            self.ledger = begin_write(self.ledger, jwks_digest=_digest(result.publish), nonce=self._nonce())
            self.saved = self.ledger
            if self.put_fails or not self.store_up:
                break
            self._put(result)
            result = advance(self.ledger, self._look())
            self.ledger = result.ledger
        self.saved, self.last = self.ledger, result
        return result

    def every(self, period: timedelta, *, until: timedelta) -> Advance:
        """Passes every `period`, and at each deadline, until `until` after T0."""
        end = T0 + until
        result = self.last or self.run()
        while self.true_now < end:
            following = self.true_now + period
            if result.wake_at is not None:
                following = min(following, max(result.wake_at - self.clock_error, self.true_now + SECOND))
            self.true_now = min(following, end)
            result = self.run()
        return result

    @property
    def published(self) -> set[str]:
        """Key IDs of the stored set."""
        return {k.key_id for k in self.stored.keys}

    def entry(self, name: str) -> LedgerKey:
        """The ledger's entry of a key."""
        found = self.ledger.get(name)
        assert found is not None, f"{name} is not in the ledger"
        return found

    def reasons(self) -> set[Reason]:
        """Reasons of the last pass."""
        assert self.last is not None
        return {f.reason for f in self.last.findings}

    def wipe_status(self) -> None:
        """Lose the status."""
        self.ledger = Ledger()

    def restart(self) -> None:
        """A new process: it has saved nothing yet."""
        self.saved = None

    def clone(self) -> World:
        """A cluster made from a snapshot of this one: the same ledger, names and files, and a process of its own."""
        twin = replace(self, writer="v", saved=None, writes=[])
        twin.servers = {address: replace(server) for address, server in self.servers.items()}
        return twin

    def forge(self, keys: Iterable[PublicKey], **mark: object) -> None:
        """Somebody rewrites the stored object."""
        kept = tuple(keys)
        self.stored = replace(self.stored, keys=kept, digest=_digest(kept), last_modified=self.true_now, **mark)  # type: ignore[arg-type]

    def _differs(self, result: Advance) -> bool:
        if not result.publish or not self.store_up or self._read_stored().anothers:
            return False
        stored = self.stored
        if stored.state is StoreState.ABSENT or not stored.ours or stored.serial != self.ledger.serial:
            return True
        return (_digest(result.publish), self.ledger.nonces[-1:], *self._mark(result)) != (
            stored.digest,
            stored.nonces[-1:],
            stored.token_lifetime,
            stored.stale_age,
        )

    def _mark(self, result: Advance) -> tuple[timedelta, timedelta]:
        entries = [e for e in result.ledger.keys if e.key in result.publish]
        return max(e.token_lifetime for e in entries), max(e.stale_age for e in entries)

    def _put(self, result: Advance) -> None:
        lifetime, age = self._mark(result)
        self.writes.append(result.publish)
        self.stored = StoredReading(
            StoreState.PRESENT,
            keys=result.publish,
            digest=_digest(result.publish),
            ours=True,
            serial=self.ledger.serial,
            token_lifetime=lifetime,
            stale_age=age,
            last_modified=self.true_now,
            nonces=self.ledger.nonces[-1:],
        )

    def _nonce(self) -> str:
        return f"{self.writer}-{self.passes}-{self.ledger.serial}"

    def _read_stored(self) -> StoredReading:
        """The stored set, judged as the controller judges it: whose write it is."""
        if not self.store_up:
            return StoredReading(StoreState.UNREADABLE)
        lifetime, now = self.policy.max_token_lifetime, self.true_now + self.clock_error
        writes = own_writes(self.ledger, self.saved, token_lifetime=lifetime, now=now)
        unknown = bool(self.ledger.keys) and writes.unknown(self.stored.nonces)
        if unknown and writes.certain:
            return StoredReading(StoreState.LOST, second_writer=True)
        return replace(self.stored, unknown_writer=unknown)

    def _look(self) -> Pass:
        offset = -self.clock_error
        sources = [source.read(name) for name, source in self.sources.items()]
        mints: Mints = Mints()
        if self.servers:
            sources.insert(0, self._api_source())
            fresh = [
                Mint(address, server.signer.key_id, server.signer.spki)
                for address, server in self.servers.items()
                if server.up
            ]
            mints = Mints(tuple(self.servers), tuple(fresh)) if self.slice_up else Mints(None)
        return Pass(
            sources=tuple(sources),
            mints=mints,
            stored=self._read_stored(),
            wire=self._wire(),
            clock=ClockReading(api_server=(offset,)),
            policy=self.policy,
            instant=self.true_now + self.clock_error,
        )

    def _api_source(self) -> SourceReading:
        up = [server for server in self.servers.values() if server.up]
        listings = tuple(dict.fromkeys(Listing(k) for server in up for k in server.keys))
        down = tuple(f"API server {address}" for address, server in self.servers.items() if not server.up)
        complete = not down and bool(listings) and self.slice_up
        missing = down or (() if complete else ("source api",))
        read = tuple(
            ServerListing(address, frozenset(server.keys) if server.up else frozenset(), server.up and server.whole)
            for address, server in self.servers.items()
        )
        servers = read if self.slice_up else ()
        return SourceReading("api", complete, listings, missing=missing, from_api_server=True, servers=servers)

    def _wire(self) -> WireReading | None:
        if not self.wire_up:
            return None
        if self.stored.state is StoreState.ABSENT and not self.edges:
            return WireReading(absent=True)
        served = [self.stored.keys if copy is None else copy for copy in (self.edges or {"origin": None}).values()]
        age = self.policy.cache_max_age if self.wire_age is None else self.wire_age
        return WireReading(tuple(frozenset(keys) for keys in served), max_age=age)


def _digest(keys: Iterable[PublicKey]) -> str:
    return "sha256:" + "+".join(k.spki.hex() for k in keys)


def one_server(*names: str, signer: str = "K1") -> World:
    """A world of one API server that lists `names` and signs with `signer`."""
    return World(servers={"A": Server([key(n) for n in names], key(signer))})

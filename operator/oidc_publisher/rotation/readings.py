"""Define what one pass has read, the values by which `advance` decides. A pass uses only what was read in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation.clock import clock_trusted, whole_second


@dataclass(frozen=True, slots=True)
class Listing:
    """A Listing holds a key as a source lists it.

    `entry` is None where the source has no entries, `version` is None where the entry's name holds no version.
    """

    key: PublicKey
    entry: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ServerListing:
    """A ServerListing holds the keys that one API server (HOST:PORT) lists.

    `whole`: the whole key set could be read, so that the API server lists no key that is not in `keys`.
    """

    address: str
    keys: frozenset[PublicKey] = frozenset()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SourceReading:
    """A SourceReading holds what one pass read from one key source.

    `name` is unique in the spec. `complete`: the source was read, named a usable key and, for apiServer, every endpoint
    answered with a valid certificate. An incomplete reading lists the keys that were read and delists nothing (R4).
    `unreadable` are the entries that could not be read.
    `missing` names what prevented a complete reading (an endpoint, the object), for RetirementBlocked.
    `from_api_server`: the listings are the keys that the API servers themselves accept; `servers` holds the keys of
    each API server of the EndpointSlice or of `addresses` (R15).
    """

    name: str
    complete: bool
    listings: tuple[Listing, ...] = ()
    unreadable: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    from_api_server: bool = False
    servers: tuple[ServerListing, ...] = ()


@dataclass(frozen=True, slots=True)
class Mint:
    """A Mint names the key that signed a fresh token of one API server endpoint (HOST:PORT).

    `material` is the SubjectPublicKeyInfo under which the token verified, among the materials known for its kid; None
    when the token verified under none of them.
    """

    endpoint: str
    key_id: str
    material: bytes | None = None


@dataclass(frozen=True, slots=True)
class Mints:
    """Mints holds the fresh tokens of one pass.

    `endpoints` are all present API server endpoints (of the EndpointSlice or of `addresses`), None when this pass could
    not learn them. An issuer without an apiServer source mints no tokens and has the empty tuple.
    """

    endpoints: tuple[str, ...] | None = ()
    minted: tuple[Mint, ...] = ()


class StoreState(Enum):
    """A StoreState names what a pass knows of the stored JWKS.

    FOREIGN: another owner's documents stand at a location that this issuer has never written. LOST: this issuer has
    written there, and another owner has written since (R9).
    """

    UNREADABLE = auto()
    FOREIGN = auto()
    LOST = auto()
    ABSENT = auto()
    PRESENT = auto()


class TakeOver(Enum):
    """A TakeOver decides about another owner's keys: MERGE keeps them until they retire, REPLACE keeps none."""

    MERGE = auto()
    REPLACE = auto()


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A StoredReading holds the stored JWKS object as read in this pass, or as just written under compare-and-swap.

    `keys`: the usable keys in stored order. `digest`: `sha256:<hex>` of the stored bytes.
    `ours`: the object bears this issuer's owner mark. `half_ours`: only the discovery document bears it, while the key
    set has no mark. `serial`, `token_lifetime` and `stale_age` come from the mark of the key set, or from that of the
    discovery document where `half_ours` is set.
    `take_over`: set while another owner's set is about to be replaced by this issuer's.
    `nonces`: those of the documents that bear this issuer's mark, that of the key set last.
    `unknown_writer`: neither the ledger nor this process remembers one of the nonces. `second_writer` (with LOST): that
    nonce is the one of a second writer under the same mark (R9).
    `shown`: the marks of this issuer say that the public URL led to this location when they were written. `moved`: the
    ledger's documents are at another location, and not yet at this one. `halved` (with ABSENT): a discovery document is
    there without its key set. `cache_age`: the cache age that the store states with the key set, whoever owns it; None
    without a key set.
    """

    state: StoreState
    keys: tuple[PublicKey, ...] = ()
    digest: str = ""
    ours: bool = False
    half_ours: bool = False
    serial: int = 0
    token_lifetime: timedelta | None = None
    stale_age: timedelta | None = None
    last_modified: datetime | None = None
    take_over: TakeOver | None = None
    nonces: tuple[str, ...] = ()
    unknown_writer: bool = False
    second_writer: bool = False
    shown: bool = False
    moved: bool = False
    halved: bool = False
    cache_age: timedelta | None = None

    @property
    def counts(self) -> bool:
        """Whether the rules may decide by this reading: the location was read and is not another owner's."""
        return self.state in (StoreState.ABSENT, StoreState.PRESENT)

    @property
    def anothers(self) -> bool:
        """Whether the location is another owner's. No key counts as served there, whatever the object holds (R2)."""
        return self.state in (StoreState.FOREIGN, StoreState.LOST)


@dataclass(frozen=True, slots=True)
class WireReading:
    """A WireReading holds the result of the anonymous reads of one probe of the public endpoint.

    `reads` holds the parsed key set of each read. `absent` is True when the public endpoint answered 404. `max_age` is
    the longest cache age that the answers stated (at the URL `stated_at`), None when a read stated none. `whole`: every
    read gave both documents. A set of a probe that was not whole can show that a key is absent, but not that it is
    served. A failed probe gives no WireReading.
    """

    reads: tuple[frozenset[PublicKey], ...] = ()
    max_age: timedelta | None = None
    stated_at: str = ""
    absent: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A ClockReading holds the offsets of other clocks, by party: their Date minus the operator's time on receipt."""

    api_server: tuple[timedelta, ...] = ()
    store: tuple[timedelta, ...] = ()
    wire: tuple[timedelta, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A Policy holds the settings of spec.rotation and spec.cacheMaxAge that the rules use.

    `forget_cache_ages_before`: a person states that no copy exists any more that was served under a cache age seen
    before that time (R3).
    """

    pre_publish_period: timedelta
    max_token_lifetime: timedelta
    clock_skew: timedelta
    cache_max_age: timedelta
    withdrawn_key_ids: frozenset[str] = frozenset()
    forget_cache_ages_before: datetime | None = None


@dataclass(frozen=True)
class Pass:
    """A Pass holds everything that was read in one pass. The rules decide by the Pass and the ledger alone.

    `ring_versions`: the versions of managed keys by key ID, as the status of SigningKeyRing names them. They name keys
    of the ledger and list none, and no rule decides by a version. `phase` is that of the issuer's coarse periods.
    """

    sources: tuple[SourceReading, ...]
    mints: Mints
    stored: StoredReading
    wire: WireReading | None
    clock: ClockReading
    policy: Policy
    instant: datetime
    ring_versions: Mapping[str, int] = field(default_factory=dict)
    phase: timedelta = timedelta(0)

    @cached_property
    def now(self) -> datetime:
        """The instant as it is recorded, in whole seconds rounded up."""
        return whole_second(self.instant)

    @cached_property
    def trusted(self) -> bool:
        """Whether the clock is trusted (R13)."""
        return clock_trusted(self.clock, self.policy.clock_skew)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The names, for an admin, of what prevents the pass from being complete; empty when the pass is complete."""
        minted = {m.endpoint for m in self.mints.minted}
        found: list[str] = []
        for source in self.sources:
            if not source.complete:
                found.extend(source.missing or (f"source {source.name}",))
        if self.mints.endpoints is None:
            found.append("the list of API servers")
        else:
            found.extend(f"API server {e}" for e in self.mints.endpoints if e not in minted)
        if not self.stored.counts:
            found.append("the store")
        if not self.trusted:
            found.append("a trusted clock")
        return tuple(dict.fromkeys(found))

    @cached_property
    def complete(self) -> bool:
        """Whether everything was read, so that a key that was not seen is not there."""
        return not self.missing

    @cached_property
    def listed(self) -> frozenset[PublicKey]:
        """The keys that a source listed in this pass."""
        return frozenset(listing.key for source in self.sources for listing in source.listings)

    @cached_property
    def listed_by_api_servers(self) -> frozenset[PublicKey]:
        """The keys that API servers listed in this pass."""
        return frozenset(
            listing.key for source in self.sources if source.from_api_server for listing in source.listings
        )

    @cached_property
    def stored_keys(self) -> frozenset[PublicKey]:
        """The keys of the stored set."""
        return frozenset(self.stored.keys)

    @cached_property
    def minted(self) -> dict[str, Mint]:
        """The fresh token of each endpoint."""
        return {m.endpoint: m for m in self.mints.minted}

    @cached_property
    def has_api_servers(self) -> bool:
        """Whether one of the spec's sources is the API servers."""
        return any(source.from_api_server for source in self.sources)

    @cached_property
    def servers(self) -> dict[str, ServerListing]:
        """The keys that each API server lists, by its HOST:PORT: the union of what all sources read from it."""
        found: dict[str, ServerListing] = {}
        for server in (server for source in self.sources for server in source.servers):
            known = found.get(server.address, server)
            both = ServerListing(server.address, known.keys | server.keys, known.whole or server.whole)
            found[server.address] = both
        return found

    def on_wire(self, key: PublicKey) -> bool:
        """Return whether every read of a whole probe showed the key (R2)."""
        wire = self.wire
        return wire is not None and wire.whole and bool(wire.reads) and all(key in read for read in wire.reads)

    @cached_property
    def shows_stored(self) -> bool:
        """Whether every read of the public URL showed exactly the stored set."""
        wire = self.wire
        read = wire is not None and wire.whole and bool(wire.reads) and set(wire.reads) == {self.stored_keys}
        return read and self.stored.state is StoreState.PRESENT

    def off_wire(self, key: PublicKey) -> bool:
        """Return whether any read of the public endpoint, or the store, gave a parsed set without the key (R2)."""
        wire = self.wire is not None and any(key not in read for read in self.wire.reads)
        return wire or (self.stored.state is StoreState.PRESENT and key not in self.stored_keys)

"""What one pass has read: the values that `advance` decides by. A pass uses only what was read in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation.clock import clock_trusted, whole_second


@dataclass(frozen=True, slots=True)
class Listing:
    """A key as a source names it; `entry` is None where the source has no entries, `version` where none is named."""

    key: PublicKey
    entry: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ServerListing:
    """What one API server (HOST:PORT) lists.

    `whole`: all of its key set could be read, so that it does not list what is not in `keys`.
    """

    address: str
    keys: frozenset[PublicKey] = frozenset()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What one key source said in this pass.

    `name` is unique in the spec. `complete`: it was read, named a usable key and, for apiServer, every endpoint answered
    with a valid certificate. `unreadable` are the entries that could not be read. An incomplete reading lists what it
    could see and delists nothing.
    `missing` names what kept it from being complete (an endpoint, the object), for RetirementBlocked.
    `from_api_server`: its listings are what API servers themselves accept; `servers` says which of them lists what, for
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
    """The key of a fresh token of one API server endpoint (HOST:PORT).

    `material` is the SubjectPublicKeyInfo under which the token verified among the materials known for its kid, None
    when none of them did.
    """

    endpoint: str
    key_id: str
    material: bytes | None = None


@dataclass(frozen=True, slots=True)
class Mints:
    """Fresh tokens of this pass.

    `endpoints` are all present API server endpoints (of the EndpointSlice or of `addresses`); None when they are not
    known in this pass. An issuer without an apiServer source has the empty tuple: it mints none.
    """

    endpoints: tuple[str, ...] | None = ()
    minted: tuple[Mint, ...] = ()


class StoreState(Enum):
    """What is known of the stored JWKS.

    FOREIGN: another owner's, and we have never written there. LOST: we have, and another owner has written since (R9).
    """

    UNREADABLE = auto()
    FOREIGN = auto()
    LOST = auto()
    ABSENT = auto()
    PRESENT = auto()


class TakeOver(Enum):
    """What becomes of the keys of another owner's set that is taken over: they stay until they expire, or go at once."""

    MERGE = auto()
    REPLACE = auto()


@dataclass(frozen=True, slots=True)
class StoredReading:
    """The stored JWKS object as read in this pass (or as just written under compare-and-swap).

    `keys` are its usable keys in stored order. `ours` says that it bears our owner mark; `serial`, `token_lifetime`
    and `stale_age` come from the mark, and from that of the discovery document where `half_ours` says that only that one
    bears ours while this one has none. `digest` is `sha256:<hex>` of its bytes. `take_over` is set while the set is
    another owner's and ours is about to be written in its place. `nonces` are those of the documents that bear our mark, the
    key set's last; `unknown_writer` says that nobody remembers one of them, and `second_writer` (with LOST) that it is that
    of a second writer under our mark.
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

    @property
    def counts(self) -> bool:
        """Whether the rules may decide by it: it was read, and it is not another owner's affair."""
        return self.state in (StoreState.ABSENT, StoreState.PRESENT)

    @property
    def anothers(self) -> bool:
        """Whether the place is another owner's: no key of ours is served there, whatever stands there (R2)."""
        return self.state in (StoreState.FOREIGN, StoreState.LOST)


@dataclass(frozen=True, slots=True)
class WireReading:
    """What anonymous reads of the public URL showed.

    `reads` holds the parsed key set of each read, `absent` is True when the URL answered 404. `max_age` is the longest
    cache age stated on the wire (at the URL `stated_at`), None when a read stated none. `whole`: every read gave both documents; a set from a
    probe that was not whole can show that a key is absent, never that it is served. A failed probe is no WireReading.
    """

    reads: tuple[frozenset[PublicKey], ...] = ()
    max_age: timedelta | None = None
    stated_at: str = ""
    absent: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Offsets of other clocks from ours (their Date minus our time on receipt), by who was asked."""

    api_server: tuple[timedelta, ...] = ()
    store: tuple[timedelta, ...] = ()
    wire: tuple[timedelta, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of spec.rotation and spec.cacheMaxAge that the rules use.

    `forget_cache_ages_before`: a person says that no copy lives that was served under an age seen before that time.
    """

    pre_publish_period: timedelta
    max_token_lifetime: timedelta
    clock_skew: timedelta
    cache_max_age: timedelta
    withdrawn_key_ids: frozenset[str] = frozenset()
    forget_cache_ages_before: datetime | None = None


@dataclass(frozen=True)
class Pass:
    """Everything that was read in one pass; the rules decide by this and the ledger alone."""

    sources: tuple[SourceReading, ...]
    mints: Mints
    stored: StoredReading
    wire: WireReading | None
    clock: ClockReading
    policy: Policy
    instant: datetime

    @cached_property
    def now(self) -> datetime:
        """The instant that is written down, in whole seconds rounded up."""
        return whole_second(self.instant)

    @cached_property
    def trusted(self) -> bool:
        """Whether the clock is trusted (R13)."""
        return clock_trusted(self.clock, self.policy.clock_skew)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What keeps the pass from being complete, as an admin would name it; empty when it is complete."""
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
        """Whether everything was read, so that what was not seen is not there."""
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
        """What each API server lists, by its HOST:PORT; of what several sources read of it, all that they saw."""
        found: dict[str, ServerListing] = {}
        for server in (server for source in self.sources for server in source.servers):
            known = found.get(server.address, server)
            both = ServerListing(server.address, known.keys | server.keys, known.whole or server.whole)
            found[server.address] = both
        return found

    def on_wire(self, key: PublicKey) -> bool:
        """Whether every read of the public URL showed the key."""
        wire = self.wire
        return wire is not None and wire.whole and bool(wire.reads) and all(key in read for read in wire.reads)

    def off_wire(self, key: PublicKey) -> bool:
        """Whether a parsed set without the key was seen: on the wire (one of several reads is enough) or in the store."""
        wire = self.wire is not None and any(key not in read for read in self.wire.reads)
        return wire or (self.stored.state is StoreState.PRESENT and key not in self.stored_keys)

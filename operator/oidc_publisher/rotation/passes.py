"""One pass: its readings, its instant and its policy, and what keeps it from being complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation.clock import clock_trusted, whole_second
from oidc_publisher.rotation.readings import (
    ClockReading,
    Mint,
    Mints,
    Policy,
    ServerListing,
    SourceReading,
    StoredReading,
    StoreState,
    WireReading,
)


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

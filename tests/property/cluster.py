"""The cluster side of the simulation: API servers with key files of their own, and a key source with named entries."""

from __future__ import annotations

from dataclasses import dataclass, field

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Listing, Mint, Mints, SourceReading

API = "api"
NAMED = "configmap"


@dataclass
class Server:
    """An API server: its key files, the key it signs with, whether it answers and whether the EndpointSlice names it."""

    files: list[PublicKey]
    signer: PublicKey
    up: bool = True
    present: bool = True

    @property
    def mints(self) -> bool:
        """Whether it hands out tokens that the contract protects: those of present servers."""
        return self.up and self.present


@dataclass
class NamedSource:
    """A ConfigMap with one entry for each key, as OpenShift keeps them: service-account-NNN.pub."""

    entries: dict[int, PublicKey] = field(default_factory=dict)
    up: bool = True
    garbage: set[int] = field(default_factory=set)
    edition: int = 0

    def read(self) -> SourceReading:
        """One reading by the operator; an entry that is garbage is unreadable and hides its key."""
        identity = f"{NAMED}/{self.edition}"
        if not self.up:
            return SourceReading(NAMED, identity, complete=False, missing=(f"source {NAMED}",))
        listings = tuple(
            Listing(key, _entry(number), number) for number, key in self.entries.items() if number not in self.garbage
        )
        unreadable = frozenset(_entry(number) for number in self.garbage)
        return SourceReading(NAMED, identity, complete=bool(listings), listings=listings, unreadable=unreadable)


def _entry(number: int) -> str:
    return f"service-account-{number:03}.pub"


@dataclass
class Cluster:
    """API servers by address, perhaps a named source, and what the operator can see of them."""

    servers: dict[str, Server]
    named: NamedSource | None = None
    slice_readable: bool = True

    @property
    def present(self) -> dict[str, Server]:
        """The servers in the EndpointSlice."""
        return {address: server for address, server in self.servers.items() if server.present}

    @property
    def signers(self) -> set[PublicKey]:
        """The keys that tokens are being signed with now."""
        return {server.signer for server in self.servers.values() if server.mints}

    @property
    def used(self) -> set[PublicKey]:
        """What is in use in truth: in a key file of a present server, its signer, or an entry of the named source."""
        found = {key for server in self.present.values() for key in (*server.files, server.signer)}
        return found | (set(self.named.entries.values()) if self.named else set())

    def read_sources(self) -> tuple[SourceReading, ...]:
        """Every source of the spec, as the operator reads it."""
        named = (self.named.read(),) if self.named else ()
        return (self._read_api(), *named)

    def read_mints(self) -> Mints:
        """A fresh token through every API server that answers."""
        if not self.slice_readable:
            return Mints(endpoints=None)
        minted = tuple(
            Mint(address, server.signer.key_id, server.signer.spki)
            for address, server in self.present.items()
            if server.up
        )
        return Mints(tuple(self.present), minted)

    def _read_api(self) -> SourceReading:
        if not self.slice_readable:
            return SourceReading(API, API, complete=False, missing=("the EndpointSlice",), from_api_server=True)
        answering = [server for server in self.present.values() if server.up]
        listings = tuple(dict.fromkeys(Listing(key) for server in answering for key in server.files))
        missing = tuple(f"API server {address}" for address, server in self.present.items() if not server.up)
        complete = not missing and bool(listings)
        return SourceReading(API, API, complete, listings, missing=missing, from_api_server=True)

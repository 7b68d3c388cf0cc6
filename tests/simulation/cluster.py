"""Simulate the cluster: API servers with key files of their own, and a key source with named entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Listing, Mint, Mints, ServerListing, SourceReading

API = "api"
NAMED = "configmap"


@dataclass
class Server:
    """A server has key files, a key that it signs with, and flags: it answers, and the EndpointSlice names it.

    `restarting`: both flags are false for a moment, after which the server is as before.
    """

    files: list[PublicKey]
    signer: PublicKey
    up: bool = True
    present: bool = True
    restarting: bool = False

    @property
    def mints(self) -> bool:
        """Whether the server mints tokens that the contract protects: those of present servers."""
        return self.up and self.present


@dataclass
class NamedSource:
    """A NamedSource is a ConfigMap with one entry for each key, as in OpenShift: service-account-NNN.pub.

    `edition` counts the edits of the source in the spec; each edit gives the same keys other entry names.
    """

    entries: dict[int, PublicKey] = field(default_factory=dict)
    up: bool = True
    garbage: set[int] = field(default_factory=set)
    edition: int = 0

    def read(self) -> SourceReading:
        """One reading by the operator; an entry that is garbage is unreadable and hides its key."""
        if not self.up:
            return SourceReading(NAMED, complete=False, missing=(f"source {NAMED}",))
        listings = tuple(
            Listing(key, self.entry(number), number)
            for number, key in self.entries.items()
            if number not in self.garbage
        )
        unreadable = frozenset(self.entry(number) for number in self.garbage)
        return SourceReading(NAMED, complete=bool(listings), listings=listings, unreadable=unreadable)

    def entry(self, number: int) -> str:
        """The name of an entry."""
        return f"service-account-{number:03}.pub" if not self.edition else f"edition-{self.edition}-{number:03}.pub"


@dataclass
class Cluster:
    """The cluster holds API servers by address, optionally a named source, and what the operator can read of them."""

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
        """The keys that are really in use: in key files or as signer of a present server, or in the named source."""
        return self.used_beyond(set())

    def used_beyond(self, unread: set[int]) -> set[PublicKey]:
        """Return the keys in use except those that only these entries of the named source hold."""
        found = {key for server in self.present.values() for key in (*server.files, server.signer)}
        entries = self.named.entries if self.named else {}
        return found | {key for number, key in entries.items() if number not in unread}

    def lists(self, key: PublicKey) -> bool:
        """Return whether the key is in key files of a present server, or in the named source."""
        named = self.named.entries.values() if self.named else ()
        return key in named or any(key in server.files for server in self.present.values())

    def refusing(self, key: PublicKey, *, answering: bool = False) -> list[str]:
        """Return the API servers that refuse tokens of this key, none where there is a single API server (R15)."""
        there = {a: server for a, server in self.servers.items() if server.present or server.restarting}
        lacking = [a for a, server in there.items() if key not in server.files and (server.up or not answering)]
        return lacking if len(there) > 1 else []

    def key_sources(self) -> list[dict[str, Any]]:
        """spec.keySources as the admin has it now."""
        if self.named is None:
            return [{"name": API, "apiServer": {}}]
        reference = {"namespace": "keys", "name": f"edition-{self.named.edition}"}
        named = {"name": NAMED, "configMap": {**reference, "entryPattern": ".*"}}
        return [{"name": API, "apiServer": {}}, named]

    def read_sources(self) -> tuple[SourceReading, ...]:
        """Every source of the spec, as the operator reads it."""
        named = (self.named.read(),) if self.named else ()
        return (self._read_api(), *named)

    def read_mints(self) -> Mints:
        """Mint a token through every API server that answers."""
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
            return SourceReading(API, complete=False, missing=("the EndpointSlice",), from_api_server=True)
        answering = [server for server in self.present.values() if server.up]
        listings = tuple(dict.fromkeys(Listing(key) for server in answering for key in server.files))
        missing = tuple(f"API server {address}" for address, server in self.present.items() if not server.up)
        complete = not missing and bool(listings)
        servers = tuple(
            ServerListing(address, frozenset(server.files) if server.up else frozenset(), whole=server.up)
            for address, server in self.present.items()
        )
        return SourceReading(API, complete, listings, missing=missing, from_api_server=True, servers=servers)

"""Step one, read, reads sources, fresh tokens, stored documents, the wire and the ring, all at once and once each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from oidc_publisher.api import APIServerSourceSpec
from oidc_publisher.api.managed import SigningKeyRing
from oidc_publisher.cluster import ClusterAPI, ObjectReference
from oidc_publisher.documents import DISCOVERY_PATH, StoredDocument, StoredDocuments
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Finding
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import Look, Target, date_offsets, look, verifies, wire_reading
from oidc_publisher.probe.token.mint import FreshToken, mint_all
from oidc_publisher.reconcile.ownership import Stored, stored_reading
from oidc_publisher.reconcile.ports import Ports
from oidc_publisher.reconcile.signingkeyring.ringfindings import ring_findings, ring_versions
from oidc_publisher.rotation import ClockReading, Ledger, Mint, Mints, Pass, Policy, clock_trusted
from oidc_publisher.sources import SourceResult
from oidc_publisher.timing.clock import Clock


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings hold everything that one pass has read; `findings` say what of it could not be read.

    `ring_versions` are the versions that the SigningKeyRing names, by key ID.
    """

    sources: tuple[SourceResult, ...]
    tokens: tuple[FreshToken, ...]
    stored: StoredDocuments
    look: Look
    clock: ClockReading
    instant: datetime
    findings: tuple[Finding, ...]
    ring_versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def endpoints(self) -> tuple[str, ...] | None:
        """The API servers that are present, None when a source could not list its API servers."""
        known = [result.endpoints for result in self.sources]
        if any(endpoints is None for endpoints in known):
            return None
        return tuple(dict.fromkeys(e for endpoints in known for e in endpoints or ()))

    @property
    def listed(self) -> int:
        """How many keys all sources listed, one key once for each of its entries."""
        return sum(len(result.reading.listings) for result in self.sources)

    @property
    def watched(self) -> Mapping[ObjectReference, str | None]:
        """The objects that the sources watch, each with the version that all of them have read, None where they differ."""
        found: dict[ObjectReference, str | None] = {}
        for result in self.sources:
            for reference, version in result.watched.items():
                found[reference] = version if found.get(reference, version) == version else None
        return found

    def with_stored(self, stored: StoredDocuments) -> Readings:
        """Return the same readings with documents that were read anew."""
        return replace(self, stored=stored)


async def read_all(ports: Ports, clock: Clock) -> Readings:
    """Read everything once.

    A read that fails gives an incomplete reading with findings. No fault of the world raises an error.
    """
    began = time.monotonic()
    (sources, tokens, token_findings), stored, seen, ring = await asyncio.gather(
        sources_and_tokens(ports), read_stored(ports), _look(ports, clock), _read_ring(ports)
    )
    offsets = ClockReading(
        api_server=api_server_offsets(ports.cluster, sources, began),
        store=ports.store.clock_offsets,
        wire=date_offsets(seen),
    )
    # The instant of a pass is the moment after the last read, so that no observation is dated too early.
    instant = clock.now()
    of_ring = _about_ring(ring, ports, offsets, instant) if ring else ()
    findings = (*(f for result in sources for f in result.findings), *token_findings, *of_ring)
    versions = ring_versions(ring) if ring else {}
    return Readings(sources, tokens, stored, seen, offsets, instant, findings, versions)


async def _read_ring(ports: Ports) -> SigningKeyRing | None:
    """Read the ring for an issuer that reads the cluster's API servers, whose keys alone are the ring's."""
    named = any(isinstance(source.selected, APIServerSourceSpec) for source in ports.spec.key_sources)
    return await ports.ring.read() if named else None


def _about_ring(ring: SigningKeyRing, ports: Ports, clock: ClockReading, instant: datetime) -> tuple[Finding, ...]:
    rotation = ports.spec.rotation
    now = instant if clock_trusted(clock, rotation.clock_skew) else None
    return ring_findings(ring, max_token_lifetime=rotation.max_token_lifetime, clock_skew=rotation.clock_skew, now=now)


async def _look(ports: Ports, clock: Clock) -> Look:
    return await look(ports.target, ports.wire, stranger=ports.stranger, clock=clock)


def api_server_offsets(cluster: ClusterAPI, sources: Iterable[SourceResult], since_s: float) -> tuple[timedelta, ...]:
    """Return how far the clocks of this issuer's API servers are ahead of ours (R13), by answers since `since_s`, monotonic.

    All issuers share the client. API servers that another issuer's `addresses` name do not count here.
    """
    asked = {cluster.host_port, *(endpoint for result in sources for endpoint in result.endpoints or ())}
    return tuple(offset for who, offset in cluster.clock_offsets(since_s).items() if who in asked)


async def read_stored(ports: Ports) -> StoredDocuments:
    """Read both stored documents; the result holds the error instead where one of them cannot be read."""
    paths = (DISCOVERY_PATH, ports.spec.jwks_path)
    read = await asyncio.gather(*(_read_or_error(ports, path) for path in paths))
    # Of two errors the one of the discovery document counts, whichever comes first: a message that changes costs a PATCH.
    error = next((each for each in read if isinstance(each, StoreError)), None)
    if error is not None:
        return StoredDocuments(error=error)
    discovery, jwks = (each for each in read if not isinstance(each, StoreError))
    return StoredDocuments(discovery, jwks)


async def _read_or_error(ports: Ports, path: str) -> StoredDocument | StoreError | None:
    try:
        return await ports.store.read(path)
    except StoreError as error:
        return error


async def sources_and_tokens(
    ports: Ports,
) -> tuple[tuple[SourceResult, ...], tuple[FreshToken, ...], tuple[Finding, ...]]:
    """Read the sources, mint a fresh token at each API server that they name, and return what failed of minting alone."""
    results = tuple(await asyncio.gather(*(source.read() for source in ports.sources)))
    endpoints = tuple(dict.fromkeys(e for result in results for e in result.endpoints or ()))
    tokens, findings = await mint_all(ports.cluster, ports.probe_account, ports.spec.probe.audiences, endpoints)
    # The source of an API server that does not answer says so, and names where the address comes from. Minting fails for
    # the same reason, and a second finding would add nothing.
    said = {(finding.reason, finding.subject) for result in results for finding in result.findings}
    return results, tokens, tuple(finding for finding in findings if (finding.reason, finding.subject) not in said)


def as_pass(
    readings: Readings, ledger: Ledger, policy: Policy, *, stored: Stored, target: Target, phase: timedelta
) -> Pass:
    """Return the readings as the rules of rotation take them; `stored` are the documents of `readings` at their place."""
    return Pass(
        sources=tuple(result.reading for result in readings.sources),
        mints=_mints(readings, ledger),
        stored=stored_reading(stored),
        wire=wire_reading(readings.look, issuer_url=target.issuer_url, jwks_uri=target.jwks_uri),
        clock=readings.clock,
        policy=policy,
        instant=readings.instant,
        ring_versions=readings.ring_versions,
        phase=phase,
    )


async def read_after_write(
    ports: Ports, readings: Readings, stored: StoredDocuments, clock: Clock, ledger: Ledger
) -> Readings:
    """Return the readings of the same pass after a write: the documents as `stored` now, and a new look at the wire."""
    if any(entry.leaving for entry in ledger.keys):
        # R12: the answer to a write is no proof. The ledger deletes an entry only after the stored document was read
        # without its key.
        stored = await read_stored(ports)
    seen = await _look(ports, clock)
    return replace(readings, stored=stored, look=seen, instant=clock.now())


def _mints(readings: Readings, ledger: Ledger) -> Mints:
    first: dict[str, FreshToken] = {}
    for fresh in readings.tokens:
        first.setdefault(fresh.endpoint, fresh)
    known = [entry.key for entry in ledger.keys]
    known += [listing.key for result in readings.sources for listing in result.reading.listings]
    minted = (_minted(fresh, known) for fresh in first.values())
    return Mints(readings.endpoints, tuple(mint for mint in minted if mint is not None))


def _minted(fresh: FreshToken, known: Iterable[PublicKey]) -> Mint | None:
    """Return the key that a token names, with the key material that verifies the token (R8); None where it names none."""
    facts = fresh.facts
    if facts is None or not facts.key_id:
        return None
    candidates = dict.fromkeys(key for key in known if key.key_id == facts.key_id)
    material = next((key.spki for key in candidates if verifies(fresh.token, key)), None)
    return Mint(fresh.endpoint, facts.key_id, material)

"""Run the program's own pass for scenario tests, under a clock and over readings that a test sets.

This module decides nothing: a source lists what the test sets, the store is a `Bucket`, and the public URL answers with
the stored document or with the copies in `edges`. A spy around `decide` records the last decision of the pass.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from unittest import mock

from oidc_publisher.api import Adoption, OIDCIssuerSpec, OIDCIssuerStatus, StatusPublication, to_status_json
from oidc_publisher.api.durations import format_duration
from oidc_publisher.documents import (
    CONTENT_TYPE,
    DISCOVERY_PATH,
    Document,
    OwnerMark,
    StoredDocument,
    StoredDocuments,
    cache_control,
    jwks_document,
    plan_documents,
    read_jwks_document,
)
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.reconcile import publish
from oidc_publisher.reconcile.ownership import Place, Stored, stored_reading
from oidc_publisher.reconcile.plan import Decision, decide
from oidc_publisher.reconcile.status.ledger import keys_of, ledger_of
from oidc_publisher.rotation import (
    Advance,
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
)
from tests.simulation.keypool import named_key
from tests.simulation.operatorprocess import OWNER, Crash, Operator
from tests.simulation.publicface import JWKS_PATH, Bucket, StoreDownError

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)

DEFAULTS = Policy(
    pre_publish_period=24 * HOUR, max_token_lifetime=24 * HOUR, clock_skew=5 * MINUTE, cache_max_age=5 * MINUTE
)
LOCATION = "memory://simulated"

key = named_key


@dataclass
class Source:
    """A source has the keys that it lists, and a flag whether it can be read."""

    keys: list[PublicKey] = field(default_factory=list)
    up: bool = True
    unreadable: frozenset[str] = frozenset()
    entries: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)

    def read(self, name: str) -> SourceReading:
        """Return one reading of the source; without keys the reading is never complete."""
        if not self.up:
            return SourceReading(name, complete=False, missing=(f"source {name}",))
        listings = tuple(Listing(k, *self.entries.get(k.key_id, (None, None))) for k in self.keys)
        missing = () if listings else (f"source {name}",)
        return SourceReading(name, bool(listings), listings, unreadable=self.unreadable, missing=missing)


@dataclass
class Server:
    """A server has the keys of its JWKS and a key that it signs with; not `whole`: a part of the JWKS is unreadable."""

    keys: list[PublicKey]
    signer: PublicKey
    up: bool = True
    whole: bool = True

    @property
    def files(self) -> Iterable[PublicKey]:
        """The keys whose tokens it accepts."""
        return self.keys

    def listing(self, address: str) -> ServerListing:
        """Return what the operator reads of the server."""
        return ServerListing(address, frozenset(self.keys) if self.up else frozenset(), self.up and self.whole)


@dataclass
class ScenarioBucket(Bucket):
    """A ScenarioBucket may refuse every write, and records the key set of each accepted write."""

    refuses: bool = False
    writes: list[tuple[PublicKey, ...]] = field(default_factory=list)

    def write(self, path: str, document: Document, expected: str | None, now: datetime) -> StoredDocument:
        """Compare and swap."""
        if self.refuses:
            raise StoreDownError
        stored = super().write(path, document, expected, now)
        if path == JWKS_PATH:
            self.writes.append(read_jwks_document(document.body).keys)
        return stored


@dataclass(eq=False, repr=False)
class World:
    """A World is everything outside of the operator; its process, status and store are the real ones over memory ports.

    `edges` are the copies of the key set that the probe's visits get in turn; None stands for the stored document.
    """

    servers: dict[str, Server] = field(default_factory=dict)
    slice_up: bool = True
    sources: dict[str, Source] = field(default_factory=dict)
    policy: Policy = DEFAULTS
    adoption: Adoption = Adoption.REFUSE
    true_now: datetime = T0
    clock_error: timedelta = timedelta(0)
    store_up: bool = True
    put_fails: bool = False
    wire_up: bool = True
    wire_age: timedelta | None = None
    edges: dict[str, tuple[PublicKey, ...] | None] = field(default_factory=dict)
    bucket: ScenarioBucket = field(default_factory=ScenarioBucket)
    decision: Decision | None = None
    operator: Operator = field(init=False)

    def __post_init__(self) -> None:
        self.operator = Operator(self, _spec_of(self.policy, self.adoption))

    # Time

    def at(self, after: timedelta) -> Advance:
        """Let true time be `after` T0 and run one pass."""
        self.true_now = T0 + after
        return self.run()

    def run(self, *, crash: Crash | None = None) -> Advance:
        """Run one pass, in which the process crashes if `crash` says so; return the last decision."""
        self.operator.spec = self.wanted()
        self.operator.crash = crash
        self.bucket.up, self.bucket.refuses = self.store_up, self.put_fails
        with mock.patch.object(publish, "decide", self._decide):
            alive = self.operator.run()
        assert alive is (crash is None)
        assert self.last is not None
        return self.last

    def wanted(self) -> OIDCIssuerSpec:
        """Return the spec as the admin has it now."""
        return _spec_of(self.policy, self.adoption)

    def every(self, period: timedelta, *, until: timedelta) -> Advance:
        """Run passes every `period`, and at each deadline, until `until` after T0."""
        end = T0 + until
        result = self.last or self.run()
        while self.true_now < end:
            following = self.true_now + period
            if result.wake_at is not None:
                following = min(following, max(result.wake_at - self.clock_error, self.true_now + SECOND))
            self.true_now = min(following, end)
            result = self.run()
        return result

    def _decide(self, *args: Any, **named: Any) -> Decision:
        self.decision = decide(*args, **named)
        return self.decision

    # What a test looks at

    @property
    def last(self) -> Advance | None:
        """The last decision of the rules."""
        return self.decision.plan if self.decision else None

    @property
    def published(self) -> set[str]:
        """Key IDs of the stored set."""
        return {k.key_id for k in self.stored.keys}

    @property
    def writes(self) -> list[tuple[PublicKey, ...]]:
        """The key set of each write."""
        return self.bucket.writes

    def entry(self, name: str) -> LedgerKey:
        """The ledger's entry of a key."""
        found = self.ledger.get(name)
        assert found is not None, f"{name} is not in the ledger"
        return found

    def reasons(self) -> set[Reason]:
        """Reasons of the last pass."""
        assert self.last is not None
        return {f.reason for f in self.last.findings}

    def look(self) -> Pass:
        """Return what a pass would read now, without any write."""
        twin = self.clone()
        twin.put_fails = True
        twin.run()
        assert twin.decision is not None
        return twin.decision.seen

    # The status

    @property
    def ledger(self) -> Ledger:
        """The ledger in the status."""
        return self.operator.ledger

    @ledger.setter
    def ledger(self, ledger: Ledger) -> None:
        publication = StatusPublication(serial=ledger.serial, jwks_digest=ledger.jwks_digest or None)
        told = OIDCIssuerStatus(keys=keys_of(ledger), ledger=ledger_of(ledger), publication=publication)
        status, raw = self.operator.status, to_status_json(told)
        raw["publication"] = {**status.get("publication", {}), **raw["publication"]}
        self.operator.set_status({**status, "keys": [], **raw})

    def wipe_status(self) -> None:
        """Lose the status."""
        self.operator.set_status({})

    def restart(self) -> None:
        """Start a new process, which has saved no ledger yet."""
        self.operator.restart()

    def clone(self) -> World:
        """Return a clone of the cluster from a snapshot: the same ledger, names and files, with another process."""
        bucket = replace(self.bucket, documents=dict(self.bucket.documents), writes=[])
        twin = replace(
            self, servers=copy.deepcopy(self.servers), sources=copy.deepcopy(self.sources), bucket=bucket, decision=None
        )
        twin.operator.name = "clone"
        twin.operator.hub.issuers.update(self.operator.hub.issuers)
        return twin

    # The store

    @property
    def stored(self) -> StoredReading:
        """The stored documents, as read by an operator that has written there."""
        documents = StoredDocuments(self.bucket.documents.get(DISCOVERY_PATH), self.bucket.documents.get(JWKS_PATH))
        return stored_reading(Stored(Place(LOCATION, OWNER, known=True), documents))

    @stored.setter
    def stored(self, stored: StoredReading) -> None:
        """Rewrite both documents as another writer, without the issuer's mark where they are not `ours`."""
        if stored.state is StoreState.ABSENT:
            self.bucket.documents.clear()
            return
        nonce = stored.nonces[-1] if stored.nonces else ""
        lifetime, age = stored.token_lifetime or 24 * HOUR, stored.stale_age or 24 * HOUR
        mark = OwnerMark(OWNER, stored.serial, lifetime, age, nonce)
        spec = self.operator.spec
        planned = plan_documents(
            spec.issuer_url, JWKS_PATH, stored.keys, cache_max_age=self.policy.cache_max_age, mark=mark
        )
        for path, document in ((DISCOVERY_PATH, planned.discovery), (JWKS_PATH, planned.jwks)):
            marked = document if stored.ours else replace(document, metadata={})
            self.bucket.overwrite(path, marked, stored.last_modified or self.true_now)

    def forge(self, keys: Iterable[PublicKey], *, ours: bool = True, **mark: Any) -> None:
        """Rewrite the stored key set with a changed owner mark as another writer, without a mark where not `ours`."""
        document = self.bucket.documents[JWKS_PATH].document
        found = OwnerMark.read(document.metadata)
        assert found is not None
        metadata = replace(found, **mark).to_metadata() if ours else {}
        forged = replace(document, body=jwks_document(tuple(keys)), metadata=metadata)
        self.bucket.overwrite(JWKS_PATH, forged, self.true_now)

    # What the operator sees

    @property
    def cluster(self) -> World:
        """The cluster whose keys are published."""
        return self

    @property
    def clock_offset(self) -> timedelta:
        """Every other clock minus the operator's."""
        return -self.clock_error

    @property
    def operator_now(self) -> datetime:
        """What the operator's clock shows."""
        return self.true_now + self.clock_error

    def key_sources(self) -> list[dict[str, Any]]:
        """spec.keySources: the API servers where there are any, and each source as a ConfigMap."""
        named = [
            {"name": name, "configMap": {"namespace": "keys", "name": name, "entryPattern": ".*"}}
            for name in self.sources
        ]
        if self.servers:
            return [{"name": "api", "apiServer": {}}, *named]
        # A spec names at least one source; where the world has none, that one is never read.
        return named or [{"name": "none", "files": {"directory": "/none", "entryPattern": ".*"}}]

    def read_sources(self) -> tuple[SourceReading, ...]:
        """The readings of the sources, in the order of the spec."""
        named = tuple(source.read(name) for name, source in self.sources.items())
        return (self._read_api(), *named) if self.servers else named

    def read_mints(self) -> Mints:
        """Return the fresh tokens of this pass."""
        if not self.slice_up:
            return Mints(None)
        fresh = (Mint(at, each.signer.key_id, each.signer.spki) for at, each in self.servers.items() if each.up)
        return Mints(tuple(self.servers), tuple(fresh))

    def answer(self, url: str, visit: int) -> Fetched:
        """What the public URL answers."""
        if not self.wire_up:
            raise FetchError(Reason.ConnectionFailed, "Nobody answers", retryable=True)
        jwks = url.endswith(JWKS_PATH)
        stored = self.bucket.documents.get(JWKS_PATH if jwks else DISCOVERY_PATH)
        document = stored.document if stored else None
        copies = tuple(self.edges.values())
        kept = copies[visit % len(copies)] if jwks and copies else None
        if kept is not None:
            document = Document(jwks_document(kept), CONTENT_TYPE, cache_control(self.policy.cache_max_age), {})
        if document is None:
            return Fetched(url, 404, date_offset=self.clock_offset)
        stated = document.cache_control if self.wire_age is None else cache_control(self.wire_age)
        return Fetched(url, 200, document.body, document.content_type, stated, date_offset=self.clock_offset)

    def _read_api(self) -> SourceReading:
        up = [server for server in self.servers.values() if server.up]
        listings = tuple(dict.fromkeys(Listing(k) for server in up for k in server.keys))
        down = tuple(f"API server {address}" for address, server in self.servers.items() if not server.up)
        complete = not down and bool(listings) and self.slice_up
        missing = down or (() if complete else ("source api",))
        servers = tuple(server.listing(address) for address, server in self.servers.items()) if self.slice_up else ()
        return SourceReading("api", complete, listings, missing=missing, from_api_server=True, servers=servers)


def one_server(*names: str, signer: str = "K1") -> World:
    """A world of one API server that lists `names` and signs with `signer`."""
    return World(servers={"A": Server([key(n) for n in names], key(signer))})


@lru_cache
def _spec_of(policy: Policy, adoption: Adoption) -> OIDCIssuerSpec:
    forget = policy.forget_cache_ages_before
    rotation = {
        "prePublishPeriod": format_duration(policy.pre_publish_period),
        "maxTokenLifetime": format_duration(policy.max_token_lifetime),
        "clockSkew": format_duration(policy.clock_skew),
        "withdrawnKeyIDs": sorted(policy.withdrawn_key_ids),
        **({"forgetCacheAgesBefore": forget.strftime("%Y-%m-%dT%H:%M:%SZ")} if forget else {}),
    }
    return OIDCIssuerSpec.model_validate(
        {
            "issuerURL": "https://oidc.example.com/prod",
            "store": {"s3": {"bucket": "example", "region": "eu-west-1"}},
            "interval": "24h",
            "cacheMaxAge": format_duration(policy.cache_max_age),
            "adoption": adoption,
            "rotation": rotation,
        }
    )

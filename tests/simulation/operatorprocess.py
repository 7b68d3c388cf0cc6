"""Run the program's own pass over memory ports as the operator of the simulation.

The cluster answers from `Cluster`, the store is `Bucket`, the edges of the CDN answer for the public URL, and the clock
is the simulation's. A MemoryCluster holds the issuer's status. A crash is an exception that a port raises and that no
code catches: the process has ended, and the next pass belongs to another process.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Protocol

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec, read_issuer
from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.documents import Document, StoredDocument, owner_of
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import read_token
from oidc_publisher.probe.token.limits import TokenLimits
from oidc_publisher.probe.wire.memory import MemoryWire
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.ports import Ports, target_of
from oidc_publisher.reconcile.reconciler import Reconciler
from oidc_publisher.reconcile.signingkeyring.ringreader import RingReader
from oidc_publisher.reconcile.status.ledger import read_ledger
from oidc_publisher.reconcile.status.newissuers import NewIssuers
from oidc_publisher.rotation import Ledger, Mints, SourceReading
from oidc_publisher.sources.port import SourceResult
from oidc_publisher.sources.sharing import SHARED_S, counts_since_s
from oidc_publisher.stores.refusals import lost_race
from tests.simulation.keypool import sign
from tests.simulation.publicface import Bucket, PreconditionError, StoreDownError

NAME = "simulated"
_BARE = {
    "metadata": {"name": NAME},
    "spec": {"issuerURL": "https://oidc.example.com/prod", "store": {"gcs": {"bucket": "example"}}},
}
MEMORY = MemoryCluster()
OWNER = owner_of(MEMORY.uid, NAME)
ACCOUNT = ("default", "probe")
#: The event loop of all simulations of a run, because each loop costs two sockets.
_LOOP = asyncio.new_event_loop()


@atexit.register
def _end() -> None:
    async def stop() -> None:
        """Send no more events."""
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    _LOOP.run_until_complete(stop())
    _LOOP.close()


class Crash(Enum):
    """Where the operator dies in its next pass."""

    BEFORE_WRITE = auto()
    BETWEEN_WRITES = auto()
    AFTER_WRITE = auto()
    BEFORE_REPORT = auto()


def tells_its_age(backup: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether the store shows that a backup is older than the status.

    Where nothing was written since, only the backup itself could; and a ledger that was rebuilt of late, put back into a
    process that remembers nothing, is taken for that of a second writer (R9).
    """
    old, now = (read_ledger(read_issuer({**_BARE, "status": each}).status).ledger for each in (backup, status))
    return old.serial < now.serial and old.unknown_writer_time is None


class CrashError(BaseException):
    """The process ends; no handler of the program catches this exception."""


class Server(Protocol):
    """An API server as the operator meets it."""

    @property
    def up(self) -> bool:
        """Whether it answers."""
        ...

    @property
    def files(self) -> Iterable[PublicKey]:
        """The keys whose tokens it accepts."""
        ...

    @property
    def signer(self) -> PublicKey:
        """The key that it signs with, whose tokens it accepts as well."""
        ...


class Cluster(Protocol):
    """What the operator sees of the cluster whose keys are published."""

    @property
    def servers(self) -> Mapping[str, Server]:
        """Every API server by its address, also one that the EndpointSlice does not name."""
        ...

    def key_sources(self) -> list[dict[str, Any]]:
        """spec.keySources as the admin has it now."""
        ...

    def read_sources(self) -> tuple[SourceReading, ...]:
        """One reading of each source of the spec, in its order."""
        ...

    def read_mints(self) -> Mints:
        """Whose tokens can be had, and which API servers there are."""
        ...


class Surroundings(Protocol):
    """What the operator sees of the simulation."""

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        ...

    @property
    def bucket(self) -> Bucket:
        """The store."""
        ...

    @property
    def clock_offset(self) -> timedelta:
        """Every other clock minus the operator's."""
        ...

    @property
    def operator_now(self) -> datetime:
        """What the operator's clock shows."""
        ...

    def answer(self, url: str, visit: int) -> Fetched:
        """What the public URL answers; raises FetchError where nothing does."""
        ...


@dataclass(frozen=True, slots=True)
class _MinuteByMinute:
    """A clock by which a minute passes with each pass, so that no pass sees what a former pass has read."""

    operator: Operator

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return 60.0 * self.operator.passes

    def now(self) -> datetime:
        """The operator's wall clock."""
        return self.operator.now()


@dataclass
class Operator:
    """The operator's process, with the object that it works on; `before_write` is a writer that precedes its PUT.

    `neighbour` is what the pass of another issuer has read, and when. With `watches` a new process, and `let_watch_show`, have
    the object as the watch shows it.
    """

    world: Surroundings
    spec: OIDCIssuerSpec
    crash: Crash | None = None
    before_write: Callable[[], None] | None = None
    outcome: Outcome | None = None
    passes: int = 0
    observed: datetime | None = None
    hub: MemoryCluster = field(init=False)
    name: str = "operator"
    neighbour: tuple[datetime, tuple[SourceResult, ...]] | None = None
    watches: bool = True
    _writes: int = 0
    _nonces: int = 0
    _read: tuple[str, OIDCIssuer] | None = None
    _dumped: tuple[OIDCIssuerSpec, dict[str, Any]] | None = None
    _parsed: tuple[OIDCIssuer, Ledger] | None = None

    def __post_init__(self) -> None:
        self.hub = MemoryCluster(mint=self._mint, review=self._review, before=self._before, offsets=self._offsets)
        self.hub.apply(NAME, self._wanted())
        self.restart()

    def restart(self) -> None:
        """Start a new process, which has only what the status holds, lists the object, and may get objects."""
        self._shown = NewIssuers()
        self.let_watch_show()
        self._reconciler = Reconciler(self.hub, self._open, clock=self, new_nonce=self._nonce, new_issuers=self._shown)
        _LOOP.run_until_complete(self._reconciler.reconcile("another"))

    def run(self) -> bool:
        """Run one pass; return False when the process crashed in it, or the pass was not reported."""
        self.passes += 1
        self._writes = 0
        self._apply()
        at = self.world.operator_now
        conflicts = self.hub.conflicts
        try:
            outcome = _LOOP.run_until_complete(self._reconciler.reconcile(NAME))
            if self.hub.conflicts > conflicts:
                assert not self._writes, "nothing is written by an object that was changed since it was shown"
                outcome = _LOOP.run_until_complete(self._reconciler.reconcile(NAME))
        except CrashError:
            self.crash = None
            self.restart()
            return False
        self.crash = None
        assert isinstance(outcome, Outcome)
        assert Reason.InternalError not in {finding.reason for finding in self.issuer.status.findings}
        self.outcome, self.observed = outcome, at
        return True

    def let_watch_show(self) -> None:
        """The watch shows the object as it is now, for which the next pass does not ask while nobody has looked at it."""
        self._apply()
        if self.watches:
            self._shown.show(self.hub.issuers[NAME])

    def _apply(self) -> None:
        wanted = self._wanted()
        if self.hub.issuers[NAME]["spec"] != wanted:
            self.hub.apply(NAME, wanted)

    def let_neighbour_read(self) -> None:
        """Another issuer of the same sources has its pass now, whose answers this one may share."""
        self.neighbour = self.world.operator_now, tuple(_read_now(self.world))

    def shared(self, number: int) -> SourceResult | None:
        """What the neighbour has read of a source, where this pass may use it."""
        allowed = self.neighbour is not None and counts_since_s.get() < self.monotonic()
        if not allowed or self.neighbour is None:
            return None
        at, results = self.neighbour
        young = abs(self.world.operator_now - at) <= timedelta(seconds=SHARED_S)
        return results[number] if young and number < len(results) else None

    def _wanted(self) -> dict[str, Any]:
        """The spec as the admin has it now, with the key sources that the cluster has."""
        if self._dumped is None or self._dumped[0] is not self.spec:
            self._dumped = self.spec, self.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {**self._dumped[1], "keySources": self.world.cluster.key_sources()}

    # The status

    @property
    def issuer(self) -> OIDCIssuer:
        """The object as the API server has it."""
        found = self.hub.issuers[NAME]
        version = found["metadata"]["resourceVersion"]
        if self._read is None or self._read[0] != version:
            self._read = version, read_issuer(found)
        return self._read[1]

    @property
    def ledger(self) -> Ledger:
        """The ledger in the status."""
        issuer = self.issuer
        if self._parsed is None or self._parsed[0] is not issuer:
            self._parsed = issuer, read_ledger(issuer.status).ledger
        return self._parsed[1]

    @property
    def wake_after(self) -> timedelta:
        """The time until the decision changes by the clock alone, or the interval ends."""
        return (self.outcome and self.outcome.wake_after) or self.spec.interval

    @property
    def place(self) -> str | None:
        """The location that the status names as published."""
        publication = self.issuer.status.publication
        return publication.location if publication is not None else None

    @property
    def known_place(self) -> bool:
        """Whether the status names a published location."""
        return self.place is not None

    @property
    def status(self) -> Mapping[str, Any]:
        """The status as JSON, for a backup."""
        status: Mapping[str, Any] = self.hub.issuers[NAME]["status"]
        return status

    def set_status(self, status: Mapping[str, Any]) -> None:
        """Wipe the status, or put an old one back, as an admin does."""
        self.hub.set_status(NAME, status)
        self.observed = None

    def recreate(self) -> None:
        """Delete the object and make it again: another UID, and no status."""
        before = self.hub.issuers.pop(NAME)
        self.hub.apply(NAME, self._wanted(), uid=f"{before['metadata']['uid']}-again")
        self.observed = None

    # The clock

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return float(self.passes)

    def now(self) -> datetime:
        """The operator's wall clock."""
        return self.world.operator_now

    # The ports

    def _nonce(self) -> str:
        self._nonces += 1
        return f"{self.name}-{self._nonces}"

    async def _open(self, issuer: OIDCIssuer) -> Ports:
        spec = issuer.spec
        return Ports(
            spec=spec,
            owner=OWNER,
            cluster=self.hub,
            sources=tuple(_Source(self, number) for number in range(len(self.world.cluster.read_sources()))),
            store=_Store(self),
            invalidator=None,
            target=target_of(spec),
            wire=MemoryWire(self.world.answer),
            stranger=None,
            probe_account=ACCOUNT,
            limits=TokenLimits(ACCOUNT, spec.rotation.max_token_lifetime),
            ring=RingReader(self.hub, _MinuteByMinute(self)),
        )

    def _before(self, method: str, path: str) -> None:
        if method == "PATCH" and self._writes and self.crash is Crash.BEFORE_REPORT:
            raise CrashError
        del path

    def _mint(self, endpoint: str, audience: str, lifetime_s: int) -> str | None:
        server = self.world.cluster.servers[endpoint]
        if not server.up:
            return None
        # The token has the usual lifetime; another test covers tokens beyond the policy.
        now = int((self.world.operator_now + self.world.clock_offset).timestamp())
        claims = {"iss": self.spec.issuer_url, "aud": [audience], "iat": now, "exp": now + min(lifetime_s, 600)}
        return sign(server.signer, claims)

    def _review(self, endpoint: str, token: str, audiences: tuple[str, ...]) -> Mapping[str, Any] | None:
        server = self.world.cluster.servers[endpoint]
        if not server.up:
            return None
        # An API server accepts the keys of its key files, and in this simulation the key that it signs with as well.
        accepted = {key.key_id for key in (*server.files, server.signer)}
        return {"authenticated": bool(audiences) and read_token(token).key_id in accepted}

    def _offsets(self) -> Mapping[str, timedelta]:
        servers = self.world.cluster.servers
        up = [endpoint for endpoint, server in servers.items() if server.up]
        return dict.fromkeys([*up, self.hub.host_port] if up or not servers else up, self.world.clock_offset)


def _read_now(world: Surroundings) -> list[SourceResult]:
    endpoints = world.cluster.read_mints().endpoints
    readings = world.cluster.read_sources()
    return [SourceResult(each, endpoints=endpoints if each.from_api_server else ()) for each in readings]


@dataclass
class _Source:
    """One source of the spec, as the cluster of the simulation states it now, or as a neighbour has read it."""

    operator: Operator
    number: int

    async def read(self) -> SourceResult:
        return self.operator.shared(self.number) or _read_now(self.operator.world)[self.number]


@dataclass
class _Store:
    """The bucket as a store, with the steps at which the process may crash."""

    operator: Operator
    endpoint_url: str | None = None

    @property
    def location(self) -> str:
        """The place that the spec names."""
        return self.operator.world.bucket.location

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        world = self.operator.world
        return (world.clock_offset,) if world.bucket.up else ()

    async def read(self, path: str) -> StoredDocument | None:
        try:
            return self.operator.world.bucket.read(path)
        except StoreDownError:
            raise _down() from None

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        operator, world = self.operator, self.operator.world
        self._dies(Crash.BEFORE_WRITE, Crash.BETWEEN_WRITES if operator._writes else None)
        rival, operator.before_write = operator.before_write, None
        if rival is not None:
            rival()
        try:
            stored = world.bucket.write(path, document, expected, world.operator_now + world.clock_offset)
        except PreconditionError:
            raise lost_race(f"{self.location}/{path}") from None
        except StoreDownError:
            raise _down() from None
        operator._writes += 1
        self._dies(Crash.AFTER_WRITE)
        return stored

    async def delete(self, path: str, *, expected: str) -> None:
        raise AssertionError(f"{path} {expected}: nothing is deleted in a simulation")

    async def aclose(self) -> None:
        """Hold nothing."""

    def _dies(self, *where: Crash | None) -> None:
        if self.operator.crash is not None and self.operator.crash in where:
            raise CrashError


def _down() -> StoreError:
    return StoreError(Reason.StoreUnavailable, "The store is down", retryable=True)

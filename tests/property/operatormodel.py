"""The operator of the simulation: the controller's pass without its I/O, around the real rules and the real documents.

It mirrors reconcile/rounds.py: read everything once, plan, save, write, look again, save. Everything that decides is the
program's own: stored_reading, advance, intend, plan_writes, and, at a restart, the ledger's way through the status.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec, OIDCIssuerStatus, StatusPublication
from oidc_publisher.api.v1alpha1 import ObjectMeta
from oidc_publisher.documents import DISCOVERY_PATH, PlannedDocuments, plan_writes
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.ownership import Place, StoredDocuments, stored_reading
from oidc_publisher.reconcile.plan import intend, policy_of
from oidc_publisher.reconcile.status.ledger import keys_of, ledger_of, read_ledger
from oidc_publisher.rotation import Advance, ClockReading, Ledger, Mints, Pass, SourceReading, WireReading, advance
from tests.property.publicface import JWKS_PATH, Bucket, PreconditionError, StoreDownError

OWNER = "00000000-0000-4000-8000-000000000000/simulated"
MAX_ROUNDS = 5


class Crash(Enum):
    """Where the operator dies in its next pass."""

    AFTER_SAVE = auto()
    AFTER_WRITE = auto()
    BEFORE_REPORT = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """What the API server keeps for the operator; `observed` is when a whole pass was last reported."""

    ledger: Ledger = Ledger()  # noqa: RUF009 - frozen
    known_place: bool = False
    observed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass reads of everything but the store and the wire."""

    sources: tuple[SourceReading, ...]
    mints: Mints
    clock: ClockReading
    instant: datetime


@dataclass
class Operator:
    """The operator's process and its status. `before_write` stands for a rival that is faster than our PUT."""

    bucket: Bucket
    spec: OIDCIssuerSpec
    status: Status = Status()
    crash: Crash | None = None
    before_write: Callable[[], None] | None = None
    last: Advance | None = None
    passes: int = 0

    def restart(self) -> None:
        """A new process: whatever the status does not carry is forgotten."""
        ledger = self.status.ledger
        publication = StatusPublication(serial=ledger.serial, jwks_digest=ledger.jwks_digest)
        written = OIDCIssuerStatus(keys=keys_of(ledger), ledger=ledger_of(ledger), publication=publication)
        self.status = replace(self.status, ledger=read_ledger(written))

    def run(self, look: Look, read_wire: Callable[[], WireReading | None], now: datetime) -> bool:
        """One pass at true time `now`; False when it died on the way."""
        self.passes += 1
        crash, self.crash = self.crash, None
        ledger, stored, wire = self.status.ledger, self._read(), read_wire()
        place = Place("memory:", OWNER, self.status.known_place)
        for _ in range(MAX_ROUNDS):
            plan = advance(ledger, self._pass(look, place, stored, wire))
            intent = intend(self._issuer, plan, stored, place)
            self.last, ledger = plan, intent.ledger
            if intent.planned is None:
                place = replace(place, known=place.known or intent.in_place)
                break
            self.status = replace(self.status, ledger=ledger)  # R12
            if crash is Crash.AFTER_SAVE:
                return False
            try:
                stored = self._publish(intent.planned, stored, now)
            except PreconditionError:
                stored = self._read()
                continue
            except StoreDownError:
                break
            if crash is Crash.AFTER_WRITE:
                return False
            place = replace(place, known=True)
            if any(entry.leaving for entry in ledger.keys):
                stored = self._read()
            wire = read_wire()
        if crash is Crash.BEFORE_REPORT:
            return False
        self.status = replace(self.status, ledger=ledger, observed=look.instant, known_place=place.known)
        return True

    @property
    def wake_after(self) -> timedelta | None:
        """How long until the answer changes by the clock alone."""
        if self.last is None or self.last.wake_at is None or self.status.observed is None:
            return None
        return max(self.last.wake_at - self.status.observed, timedelta(seconds=1))

    @property
    def _issuer(self) -> OIDCIssuer:
        return OIDCIssuer(metadata=ObjectMeta(name="simulated"), spec=self.spec)

    def _read(self) -> StoredDocuments:
        try:
            return StoredDocuments(self.bucket.read(DISCOVERY_PATH), self.bucket.read(JWKS_PATH))
        except StoreDownError:
            return StoredDocuments(error=StoreError(Reason.StoreUnavailable, "The store is down"))

    def _pass(self, look: Look, place: Place, stored: StoredDocuments, wire: WireReading | None) -> Pass:
        reading = stored_reading(place, stored)
        return Pass(look.sources, look.mints, reading, wire, look.clock, policy_of(self.spec), look.instant)

    def _publish(self, planned: PlannedDocuments, stored: StoredDocuments, now: datetime) -> StoredDocuments:
        for write in plan_writes(planned, stored.discovery, stored.jwks):
            rival, self.before_write = self.before_write, None
            if rival is not None:
                rival()
            document = self.bucket.write(write.path, write.document, write.expected_version, now)
            if write.path == DISCOVERY_PATH:
                stored = replace(stored, discovery=document)
            else:
                stored = replace(stored, jwks=document)
        return stored

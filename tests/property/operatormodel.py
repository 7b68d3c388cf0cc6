"""The operator of the simulation: the controller's pass without its I/O, around the real rules and the real documents.

It mirrors controller/reconcile.py: read everything once, plan, save, write, look again, save. Everything that decides is
the program's own: advance, begin_write, foreign_owner, documents_for, differences, plan_writes, and, at a restart,
the ledger's way through the status.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from oidc_publisher.api import OIDCIssuerSpec, OIDCIssuerStatus, StatusPublication
from oidc_publisher.controller.ledgerstatus import keys_of, ledger_of, read_ledger
from oidc_publisher.controller.planning import Place, documents_for, foreign_owner, policy_of, stored_reading
from oidc_publisher.documents import DISCOVERY_PATH, PlannedDocuments, StoredDocument, differences, digest, plan_writes
from oidc_publisher.rotation import (
    Advance,
    ClockReading,
    Ledger,
    Mints,
    Pass,
    SourceReading,
    StoredReading,
    StoreState,
    WireReading,
    advance,
    begin_write,
)
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
class Stored:
    """Both documents as read."""

    discovery: StoredDocument | None
    jwks: StoredDocument | None


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
        for _ in range(MAX_ROUNDS):
            plan = advance(ledger, self._pass(look, stored, wire))
            self.last, ledger = plan, plan.ledger
            ledger, planned = self._to_write(ledger, plan, stored)
            if planned is None or stored is None:
                break
            self.status = replace(self.status, ledger=ledger, known_place=True)  # R12
            if crash is Crash.AFTER_SAVE:
                return False
            try:
                stored = self._publish(planned, stored, now)
            except PreconditionError:
                stored = self._read()
                continue
            except StoreDownError:
                break
            if crash is Crash.AFTER_WRITE:
                return False
            if any(entry.leaving for entry in ledger.keys):
                stored = self._read()
            wire = read_wire()
        if crash is Crash.BEFORE_REPORT:
            return False
        self.status = replace(self.status, ledger=ledger, observed=look.instant)
        return True

    @property
    def wake_after(self) -> timedelta | None:
        """How long until the answer changes by the clock alone."""
        if self.last is None or self.last.wake_at is None or self.status.observed is None:
            return None
        return max(self.last.wake_at - self.status.observed, timedelta(seconds=1))

    def _read(self) -> Stored | None:
        try:
            return Stored(self.bucket.read(DISCOVERY_PATH), self.bucket.read(JWKS_PATH))
        except StoreDownError:
            return None

    def _pass(self, look: Look, stored: Stored | None, wire: WireReading | None) -> Pass:
        reading = StoredReading(StoreState.UNREADABLE) if stored is None else stored_reading(stored.jwks, owner=OWNER)
        return Pass(look.sources, look.mints, reading, wire, look.clock, policy_of(self.spec), look.instant)

    def _to_write(self, ledger: Ledger, plan: Advance, stored: Stored | None) -> tuple[Ledger, PlannedDocuments | None]:
        if stored is None or not plan.publish:
            return ledger, None
        place = Place("memory:", OWNER, self.status.known_place)
        if foreign_owner(place, stored.discovery, stored.jwks) is not None:
            return ledger, None
        planned = documents_for(self.spec, ledger, plan.publish, owner=OWNER)
        if not differences(planned, stored.discovery, stored.jwks):
            self.status = replace(self.status, known_place=True)
            return ledger, None
        ledger = begin_write(ledger, jwks_digest=digest(planned.jwks.body))
        return ledger, documents_for(self.spec, ledger, plan.publish, owner=OWNER)

    def _publish(self, planned: PlannedDocuments, stored: Stored, now: datetime) -> Stored:
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

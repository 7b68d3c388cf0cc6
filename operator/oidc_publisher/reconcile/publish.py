"""Step three, publish: the writes that a plan needs, each by compare-and-swap, until what is stored is what is planned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from oidc_publisher.documents import DISCOVERY_PATH, PlannedDocuments, plan_writes
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ownership import Place, StoredDocuments
from oidc_publisher.reconcile.plan import Decision, decide
from oidc_publisher.reconcile.ports import Ports
from oidc_publisher.reconcile.read import Readings, read_after_write, read_stored
from oidc_publisher.reconcile.record import Recorder
from oidc_publisher.rotation import Ledger
from oidc_publisher.stores import Store
from oidc_publisher.timing.clock import Clock

#: R6 needs two writes at most, one that adds and one that removes; the others are races that were lost.
MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Written:
    """What the writes of one round led to.

    `stored` are the documents as they are now. `error` ended the writes early; `raced` says that somebody else wrote in
    between, so that everything must be read and planned again.
    """

    stored: StoredDocuments
    writes: int = 0
    error: StoreError | None = None
    raced: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """What planning and publishing came to.

    `decision` is the last one, made from `readings`. `ledger` is the newest; the report saves it. `place` is known as
    ours once both documents are. `problems` kept the documents from being what is planned; `wrote`: something was. `retired` are the
    IDs of keys that left in this pass.
    """

    decision: Decision
    readings: Readings
    ledger: Ledger
    place: Place
    problems: tuple[Finding, ...] = ()
    wrote: bool = False
    retired: frozenset[str] = frozenset()


async def publish(
    ports: Ports, recorder: Recorder, readings: Readings, clock: Clock, new_nonce: Callable[[], str]
) -> Published:
    """Plan, and write until there is nothing more to write or something keeps us from it."""
    issuer = recorder.issuer
    ledger, place = recorder.ledger, ports.place_of(issuer)
    wrote, retired = False, frozenset[str]()
    for _ in range(MAX_ROUNDS):
        place = recorder.remembering(place, ledger, readings.instant)
        await asyncio.sleep(0)  # others have their turn: with a full ledger a decision takes 40 ms
        decision = decide(recorder.issuer, ledger, readings, place, ports.target, nonce=new_nonce())
        intent, events = decision.intent, decision.plan.events
        recorder.happened(events)
        if decision.seen.stored.counts and not decision.seen.stored.unknown_writer:
            recorder.confirm()
        retired |= {event.subject for event in events if event.reason is Reason.KeyRetired}
        ledger = intent.ledger
        problems = (intent.problem,) if intent.problem else ()
        done = Published(decision, readings, ledger, place, problems, wrote, retired)
        if intent.planned is None:
            return replace(done, place=replace(place, known=place.known or intent.in_place))
        await recorder.save(ledger, decision.plan)
        place = recorder.remembering(place, ledger, readings.instant)
        written = await write(ports.store, intent.planned, readings.stored)
        wrote = wrote or written.writes > 0
        done = replace(done, place=place, wrote=wrote)
        if written.error is not None:
            return replace(done, problems=(*problems, written.error.finding(subject=place.location)))
        if written.raced:
            readings = readings.with_stored(await read_stored(ports))
            continue
        recorder.happened(intent.events)
        place = replace(place, known=True)
        readings = await read_after_write(ports, readings, written.stored, clock, ledger)
    message = f"Somebody else keeps writing to {place.location}"
    problems = (Finding.of(Reason.StoreUnavailable, message, subject=place.location),) if written.raced else ()
    return replace(done, readings=readings, place=place, problems=problems)


async def write(store: Store, planned: PlannedDocuments, stored: StoredDocuments) -> Written:
    """Make the stored documents the planned ones; what is in place already is not written."""
    writes = 0
    for each in plan_writes(planned, stored.discovery, stored.jwks):
        try:
            document = await store.write(each.path, each.document, expected=each.expected_version)
        except PreconditionError:
            return Written(stored, writes, raced=True)
        except StoreError as error:
            return Written(stored, writes, error=error)
        writes += 1
        stored = replace(stored, discovery=document) if each.path == DISCOVERY_PATH else replace(stored, jwks=document)
    return Written(stored, writes)

"""Step three, publish, writes by compare-and-swap until the stored documents are the planned ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from oidc_publisher.documents import DISCOVERY_PATH, StoredDocuments, Write
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ownership import Place, Stored
from oidc_publisher.reconcile.passes import compute
from oidc_publisher.reconcile.plan import Decision, decide
from oidc_publisher.reconcile.ports import Ports
from oidc_publisher.reconcile.read import Readings, read_after_write, read_stored
from oidc_publisher.reconcile.record import Recorder
from oidc_publisher.rotation import Ledger
from oidc_publisher.stores import Store
from oidc_publisher.telemetry.steps import Step
from oidc_publisher.timing.clock import Clock

#: R6 needs two rounds at most, one that adds keys and one that removes keys; the other rounds are for lost races.
MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Written:
    """Written is the result of the writes of one round.

    `stored` are the documents after the writes, `writes` counts those that were done. `error` ended the writes early.
    `raced` says that somebody else wrote in between, so that the documents must be read and planned again.
    """

    stored: StoredDocuments
    writes: int = 0
    error: StoreError | None = None
    raced: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """Published is the result of planning and publishing.

    `decision` is the last decision. `readings` and `stored` are those after the last write, where there was a write. The
    place of `stored` is known as ours once both documents are ours. `problems` kept the operator from storing what is
    planned. `wrote` says that the pass wrote a document. `retired` are the IDs of the keys that left in this pass.
    """

    decision: Decision
    readings: Readings
    stored: Stored
    problems: tuple[Finding, ...] = ()
    wrote: bool = False
    retired: frozenset[str] = frozenset()

    @property
    def ledger(self) -> Ledger:
        """The ledger of the last decision, which the report saves."""
        return self.decision.intent.ledger


async def publish(
    ports: Ports, recorder: Recorder, readings: Readings, clock: Clock, new_nonce: Callable[[], str]
) -> Published:
    """Plan and write, round after round, until nothing is left to write or a problem prevents writing."""
    ledger, place = recorder.ledger, ports.place_of(recorder.issuer)
    wrote, retired = False, frozenset[str]()
    for _ in range(MAX_ROUNDS):
        place = recorder.remembering(place, ledger, readings.instant)
        work = partial(decide, recorder.issuer, ledger, readings, place, ports.target, nonce=new_nonce())
        with recorder.times.during(Step.PLAN):
            decision = await compute(work, keys=len(ledger.keys) + readings.listed)
        intent, ledger = decision.intent, decision.intent.ledger
        retired |= _noted(recorder, decision)
        problems = (intent.problem,) if intent.problem else ()
        done = Published(decision, readings, decision.stored, problems, wrote, retired)
        if not intent.writes:
            return replace(done, stored=decision.stored.known()) if intent.in_place else done
        await recorder.save(ledger, decision.plan)
        written = await write(ports.store, intent.writes, readings.stored)
        wrote = wrote or written.writes > 0
        recorder.wrote(written.writes)
        done = replace(done, wrote=wrote)
        if written.error is not None:
            return replace(done, problems=(written.error.finding(subject=place.location),))
        if written.raced:
            readings = readings.with_stored(await read_stored(ports))
            continue
        recorder.happened(intent.events)
        recorder.settle()
        place = replace(place, known=True, moved=False)
        readings = await read_after_write(ports, readings, written.stored, clock, ledger)
    stored = Stored(recorder.remembering(place, ledger, readings.instant), readings.stored)
    return replace(done, readings=readings, stored=stored, problems=_lost_races(place) if written.raced else ())


def _noted(recorder: Recorder, decision: Decision) -> frozenset[str]:
    """Hand the events of the decision to the recorder, and return the IDs of the keys that have left."""
    events = decision.plan.events
    recorder.happened(events)
    if decision.seen.stored.counts and not decision.seen.stored.unknown_writer:
        recorder.confirm()
    return frozenset(event.subject for event in events if event.reason is Reason.KeyRetired)


def _lost_races(place: Place) -> tuple[Finding, ...]:
    message = f"Somebody else keeps writing to {place.location}"
    return (Finding.of(Reason.StoreUnavailable, message, subject=place.location),)


async def write(store: Store, writes: Iterable[Write], stored: StoredDocuments) -> Written:
    """Carry out the writes in their order; `stored` are the documents before the first write."""
    done = 0
    for each in writes:
        try:
            document = await store.write(each.path, each.document, expected=each.expected_version)
        except PreconditionError:
            return Written(stored, done, raced=True)
        except StoreError as error:
            return Written(stored, done, error=error)
        done += 1
        stored = replace(stored, discovery=document) if each.path == DISCOVERY_PATH else replace(stored, jwks=document)
    return Written(stored, done)

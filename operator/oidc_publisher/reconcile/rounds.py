"""Steps two and three, plan and publish, again and again until what is stored is what is planned."""

from __future__ import annotations

from dataclasses import replace

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ownership import Place
from oidc_publisher.reconcile.passes import Work
from oidc_publisher.reconcile.plan import intend, policy_of
from oidc_publisher.reconcile.ports import IssuerContext
from oidc_publisher.reconcile.publish import publish
from oidc_publisher.reconcile.read import Readings, as_pass, read_after_write, read_stored
from oidc_publisher.reconcile.record import Recorder
from oidc_publisher.rotation import Advance, advance
from oidc_publisher.timing.clock import Clock

#: R6 needs two writes at most, one that adds and one that removes; the others are races that were lost.
MAX_ROUNDS = 5


async def plan_and_publish(
    context: IssuerContext, work: Work, place: Place, readings: Readings, recorder: Recorder, clock: Clock
) -> tuple[Advance, Readings]:
    """Plan, and write until there is nothing more to write or something keeps us from it.

    Returns the last plan and the readings that it was made from. `work` has the ledger, the place (known as ours once
    both documents are), the problems and the events.
    """
    policy = policy_of(work.issuer.spec)
    for _ in range(MAX_ROUNDS):
        work.place = place
        plan = advance(work.ledger, as_pass(readings, work.ledger, policy, place=place, target=context.target))
        work.ledger = plan.ledger
        work.events.extend(plan.events)
        intent = intend(work.issuer, plan, readings.stored, place)
        if intent.problem is not None:
            work.problems.append(intent.problem)
        if intent.planned is None:
            work.place = replace(place, known=place.known or intent.in_place)
            break
        work.ledger = intent.ledger
        await recorder.save(work, plan)
        publication = await publish(context, intent.planned, readings.stored)
        work.wrote = work.wrote or publication.writes > 0
        if publication.error is not None:
            work.problems.append(publication.error.finding(subject=place.location))
            break
        if publication.raced:
            readings = readings.with_stored(await read_stored(context))
            continue
        work.events.extend(intent.events)
        place = replace(place, known=True)
        readings = await read_after_write(context, readings, publication.stored, clock, work.ledger)
    else:
        message = f"Somebody else keeps writing to {place.location}"
        work.problems.append(Finding.of(Reason.StoreUnavailable, message, subject=place.location))
    return plan, readings

"""One issuer, one pass: read, plan, publish, prove, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from oidc_publisher.api import (
    OIDCIssuer,
    OIDCIssuerStatus,
    StatusPublication,
    read_issuer,
    read_status,
    to_status_json,
)
from oidc_publisher.cluster import ClusterClient, ConflictError, get_issuer, patch_status
from oidc_publisher.controller.clock import Clock, SystemClock
from oidc_publisher.controller.context import Contexts, IssuerContext
from oidc_publisher.controller.ledgerstatus import read_ledger
from oidc_publisher.controller.objectwatches import ObjectWatches, Wake
from oidc_publisher.controller.planning import Place, documents_for, foreign_owner, policy_of
from oidc_publisher.controller.proving import longest_cache_age, prove
from oidc_publisher.controller.publishing import publish
from oidc_publisher.controller.queue import Gone, Outcome
from oidc_publisher.controller.reading import Readings, as_pass, read_after_write, read_all, read_stored
from oidc_publisher.controller.reporting import publication_of, summarise_pass
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.controller.statuspatch import status_patch
from oidc_publisher.controller.summary import Summary, summarise, with_ledger, with_safe_to_sign
from oidc_publisher.controller.support import unsupported
from oidc_publisher.controller.telling import Teller
from oidc_publisher.documents import PlannedDocuments, differences, digest
from oidc_publisher.errors import ClusterError, InvalidObjectError, PublisherError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.rotation import Advance, Ledger, advance, begin_write

log = structlog.stdlib.get_logger(__name__)

#: R6 needs two writes at most, one that adds and one that removes; the others are races that were lost.
MAX_ROUNDS = 5


@dataclass(slots=True)
class Work:
    """One pass over one issuer as it goes through the steps.

    `raw_status` and `resource_version` are those of the object as last read or written, `ledger` the newest one, which
    may not be saved yet. `ours`: we have written to this place before. `problems` are what kept the steps from being done.
    """

    issuer: OIDCIssuer
    resource_version: str
    raw_status: Mapping[str, Any]
    ledger: Ledger
    ours: bool = False
    problems: list[Finding] = field(default_factory=list)
    events: list[Finding] = field(default_factory=list)
    wrote: bool = False

    def repairs(self, planned_digest: str) -> bool:
        """Whether a difference is somebody else's doing: the plan is the one that was written, for this generation."""
        planned_before = self.ours and planned_digest == self.ledger.jwks_digest
        return planned_before and self.issuer.status.observed_generation == self.issuer.metadata.generation


class Reconciler:
    """Carries one issuer after the other through the five steps."""

    def __init__(self, client: ClusterClient, settings: RunSettings, clock: Clock | None = None) -> None:
        self._client = client
        self._contexts = Contexts(client, settings)
        self._watches = ObjectWatches(client)
        self._shard = settings.shard
        self._former: dict[str, dict[str, datetime]] = {}
        self._clock = clock or SystemClock()
        self._teller = Teller(client, self._clock)

    async def reconcile(self, name: str) -> Outcome | Gone:
        """One pass over the issuer of this name; every failure is reported, logged and tried again."""
        try:
            found = await get_issuer(self._client, name)
        except ClusterError as error:
            log.warning("The OIDCIssuer cannot be read; it is tried again.", issuer=name, why=error.message)
            return Outcome(failed=True)
        if found is None or not self._shard.holds(found["metadata"]["uid"]):
            # The name may have passed to an object of another shard: events of different objects come in any order.
            await self._forget(name)
            return Gone()
        try:
            return await self._reconcile(found)
        except ConflictError:
            log.debug("The object was changed during the pass, which begins anew.", issuer=name)
            return Outcome(failed=True)
        except ClusterError as error:
            log.warning("The pass ended early; it is tried again.", issuer=name, why=error.message)
            return Outcome(failed=True)

    def wake_with(self, wake: Wake) -> None:
        """Call `wake(issuer, reason)` when something that an issuer reads has changed."""
        self._watches.wake_with(wake)

    async def close(self) -> None:
        """Let go of every issuer's connections."""
        await self._watches.close()
        await self._contexts.aclose()

    async def _forget(self, name: str) -> None:
        self._former.pop(name, None)
        self._watches.forget(name)
        await self._contexts.forget(name)

    async def _reconcile(self, found: Mapping[str, Any]) -> Outcome:
        try:
            issuer = read_issuer(found)
        except InvalidObjectError as error:
            # The CRD admits no such object: it is older than this program, or its CRD is.
            log.error("The OIDCIssuer cannot be understood.", issuer=found["metadata"]["name"], why=error.message)  # noqa: TRY400 - the sentence says it all
            return Outcome(failed=True)
        dropped = read_status(found).dropped
        if dropped:
            log.warning(
                "Parts of the status cannot be understood and are left out.", issuer=issuer.metadata.name, parts=dropped
            )
        work = Work(issuer, issuer.metadata.resource_version, found.get("status") or {}, read_ledger(issuer.status))
        if issuer.spec.suspend:
            await self._forget(issuer.metadata.name)
            await self._report(work, Summary())
            return Outcome()
        refused = unsupported(issuer.spec)
        if refused:
            await self._report(work, Summary(findings=refused))
            return Outcome()
        try:
            return await self._work(work)
        except (ConflictError, ClusterError):
            raise
        except PublisherError as error:
            await self._report(work, Summary(findings=(error.finding(),)))
            return Outcome(failed=True, wake_after=issuer.spec.interval)
        except Exception as error:
            log.exception("The pass failed in a way that is not known.", issuer=issuer.metadata.name)
            finding = Finding.of(Reason.InternalError, f"The operator failed with {type(error).__name__}")
            await self._report(work, Summary(findings=(finding,)))
            return Outcome(failed=True, wake_after=issuer.spec.interval)

    async def _work(self, work: Work) -> Outcome:
        context = await self._contexts.open(work.issuer)
        self._watches.follow(work.issuer.metadata.name, (r for source in context.sources for r in source.watches))
        known = work.issuer.status.publication
        work.ours = known is not None and known.location == context.store.location
        readings = await read_all(context, self._client, self._clock)
        plan, readings = await self._plan_and_publish(context, work, readings)
        now = self._clock.now()
        changed_at = now if work.wrote else None
        last_change = changed_at or (known.last_change_time if known else None)
        removed = self._removed(context, work, plan, now)
        proof = await prove(context, self._client, readings, plan, last_change=last_change, removed=removed, now=now)
        publication = publication_of(known, context, plan, work.ledger, readings, ours=work.ours, changed_at=changed_at)
        await self._report(
            work, summarise_pass(context, plan, work.ledger, readings, proof, work.problems, publication)
        )
        return self._outcome(work, plan)

    def _removed(self, context: IssuerContext, work: Work, plan: Advance, now: datetime) -> frozenset[str]:
        """The keys that left so short a time ago that caches may still hold them.

        Kept in memory alone: after a restart an old copy is called a different key set for one cache age, which is
        worse said than it is, and never the other way round.
        """
        kept = {kid: end for kid, end in self._former.get(work.issuer.metadata.name, {}).items() if end > now}
        retired = (event.subject for event in work.events if event.reason is Reason.KeyRetired)
        kept.update(dict.fromkeys(retired, now + longest_cache_age(context, plan)))
        self._former[work.issuer.metadata.name] = kept
        return frozenset(kept)

    async def _plan_and_publish(
        self, context: IssuerContext, work: Work, readings: Readings
    ) -> tuple[Advance, Readings]:
        """Plan, and write until what is stored is what is planned."""
        policy = policy_of(work.issuer.spec)
        for _ in range(MAX_ROUNDS):
            plan = advance(work.ledger, as_pass(readings, work.ledger, policy, owner=context.owner))
            work.ledger = plan.ledger
            work.events.extend(plan.events)
            planned = self._to_write(context, work, plan, readings)
            if planned is None:
                break
            await self._save(work, context, plan)
            publication = await publish(context, planned, readings.stored)
            work.wrote = work.wrote or publication.writes > 0
            if publication.error is not None:
                work.problems.append(publication.error.finding(subject=context.store.location))
                break
            if publication.raced:
                readings = readings.with_stored(await read_stored(context))
                continue
            readings = await read_after_write(context, readings, publication.stored, self._clock, work.ledger)
        else:
            message = f"Somebody else keeps writing to {context.store.location}"
            work.problems.append(Finding.of(Reason.StoreUnavailable, message, subject=context.store.location))
        return plan, readings

    def _to_write(
        self, context: IssuerContext, work: Work, plan: Advance, readings: Readings
    ) -> PlannedDocuments | None:
        """The documents to write under a raised serial; None when nothing may or need be written."""
        stored = readings.stored
        if stored.error is not None:
            work.problems.append(stored.error.finding(subject=context.store.location))
            return None
        place = Place(context.store.location, context.owner, work.ours)
        foreign = foreign_owner(place, stored.discovery, stored.jwks)
        if foreign is not None:
            work.problems.append(foreign)
            return None
        if not plan.publish:
            return None
        spec, owner = work.issuer.spec, context.owner
        planned = documents_for(spec, work.ledger, plan.publish, owner=owner)
        differing = differences(planned, stored.discovery, stored.jwks)
        if not differing:
            work.ours = True
            return None
        if work.repairs(digest(planned.jwks.body)):
            what = "; ".join(f"{difference.path}: {difference.reason}" for difference in differing)
            work.events.append(Finding.of(Reason.DriftRepaired, f"{context.store.location} is repaired ({what})"))
        work.ledger = begin_write(work.ledger, jwks_digest=digest(planned.jwks.body))
        return documents_for(spec, work.ledger, plan.publish, owner=owner)

    async def _save(self, work: Work, context: IssuerContext, plan: Advance) -> None:
        """R12: save the ledger, under the object's resourceVersion, before the write that needs it."""
        work.ours = True
        publication = (work.issuer.status.publication or StatusPublication()).model_copy(
            update={
                "location": context.store.location,
                "serial": work.ledger.serial,
                "jwks_digest": work.ledger.jwks_digest,
            }
        )
        status = with_ledger(work.issuer.status, work.ledger).model_copy(update={"publication": publication})
        await self._patch(work, with_safe_to_sign(status, work.issuer, plan, self._clock.now()))

    async def _report(self, work: Work, summary: Summary) -> None:
        status = summarise(work.issuer, summary, self._clock.now())
        await self._patch(work, status)
        for event in work.events:
            await self._teller.happened(work.issuer, event)

    async def _patch(self, work: Work, status: OIDCIssuerStatus) -> None:
        """Write the status where it differs from what the API server has; nothing changed costs nothing."""
        patch = status_patch(work.raw_status, to_status_json(status))
        if not patch:
            return
        stored = await patch_status(self._client, work.issuer.metadata.name, patch, work.resource_version)
        before, work.issuer = work.issuer, work.issuer.model_copy(update={"status": status})
        work.raw_status = stored.get("status") or {}
        work.resource_version = stored["metadata"]["resourceVersion"]
        await self._teller.changed(before, status)

    def _outcome(self, work: Work, plan: Advance) -> Outcome:
        wake = work.issuer.spec.interval
        if plan.wake_at is not None:
            wake = min(wake, max(plan.wake_at - self._clock.now(), timedelta(0)))
        return Outcome(wake_after=wake)

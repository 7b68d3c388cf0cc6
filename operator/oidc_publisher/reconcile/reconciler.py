"""One issuer, one pass: read, plan, publish, prove, report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from oidc_publisher.api import OIDCIssuer, read_issuer, read_status
from oidc_publisher.cluster import ClusterClient, ConflictError, get_issuer
from oidc_publisher.controller.objectwatches import ObjectWatches, Wake
from oidc_publisher.controller.queue import Gone, Outcome
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.errors import ClusterError, InvalidObjectError, PublisherError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ending import end
from oidc_publisher.reconcile.finalizer import finalizers_of, held_by_us
from oidc_publisher.reconcile.passes import Work
from oidc_publisher.reconcile.plan import place_of
from oidc_publisher.reconcile.ports import Contexts, IssuerContext
from oidc_publisher.reconcile.prove import longest_cache_age, prove
from oidc_publisher.reconcile.purging import drop_copies
from oidc_publisher.reconcile.read import read_all
from oidc_publisher.reconcile.record import Recorder
from oidc_publisher.reconcile.report import publication_of, summarise_pass
from oidc_publisher.reconcile.rounds import plan_and_publish
from oidc_publisher.reconcile.status.ledger import damaged_keys, read_ledger
from oidc_publisher.reconcile.status.summary import Summary
from oidc_publisher.rotation import Advance
from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)


class Reconciler:
    """Carries one issuer after the other through the five steps."""

    def __init__(self, client: ClusterClient, settings: RunSettings, clock: Clock | None = None) -> None:
        self._client = client
        self._contexts = Contexts(client, settings)
        self._watches = ObjectWatches(client)
        self._shard = settings.shard
        self._former: dict[str, dict[str, datetime]] = {}
        self._clock = clock or SystemClock()
        self._recorder = Recorder(client, self._clock)

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
        issuer = _understood(found)
        if issuer is None:
            return Outcome(failed=True)
        work = Work(issuer, issuer.metadata.resource_version, found.get("status") or {}, read_ledger(issuer.status))
        if issuer.metadata.deletion_timestamp is not None:
            return await self._guarded(work, self._end)
        if issuer.spec.suspend:
            await self._forget(issuer.metadata.name)
            await self._recorder.report(work, Summary())
            return Outcome()
        return await self._guarded(work, self._work)

    async def _end(self, work: Work) -> Outcome:
        """Let go of an object that is being deleted; where our finalizer does not hold it, it is as good as gone."""
        outcome = await end(self._contexts, work, self._recorder) if held_by_us(work.issuer) else Outcome()
        await self._forget(work.name)
        return outcome

    async def _guarded(self, work: Work, steps: Callable[[Work], Awaitable[Outcome]]) -> Outcome:
        """Take the steps; what breaks them is reported and tried again."""
        try:
            return await steps(work)
        except PublisherError as error:
            if isinstance(error, ClusterError) and error.retryable:
                raise  # an API server that is away or busy takes no report either, and it passes by itself
            await self._recorder.report(work, Summary(findings=(error.finding(),)))
        except Exception as error:
            log.exception("The pass failed in a way that is not known.", issuer=work.name)
            finding = Finding.of(Reason.InternalError, f"The operator failed with {type(error).__name__}")
            await self._recorder.report(work, Summary(findings=(finding,)))
        return Outcome(failed=True, wake_after=work.issuer.spec.interval)

    async def _work(self, work: Work) -> Outcome:
        context = await self._contexts.open(work.issuer)
        self._watches.follow(work.name, (r for source in context.sources for r in source.watches))
        await self._recorder.hold(work, finalizers_of(work.issuer))
        known = work.issuer.status.publication
        place = place_of(work.issuer, context.store.location, context.owner, context.store.endpoint_url)
        readings = await read_all(context, self._client, self._clock)
        plan, readings = await plan_and_publish(context, work, place, readings, self._recorder, self._clock)
        await drop_copies(context, work, plan, readings.stored, self._clock)
        place = work.place or place
        now = self._clock.now()
        changed_at = now if work.wrote else None
        last_change = changed_at or (known.last_change_time if known else None)
        removed = self._removed(context, work, plan, now)
        proof = await prove(
            context, self._client, readings, plan, last_change=last_change, removed=removed, clock=self._clock
        )
        publication = publication_of(known, place, plan, work.ledger, readings.stored, changed_at=changed_at)
        summary = summarise_pass(place, plan, work.ledger, readings, proof, work.problems, publication)
        await self._recorder.report(work, summary)
        return self._outcome(context, work, plan)

    def _removed(self, context: IssuerContext, work: Work, plan: Advance, now: datetime) -> frozenset[str]:
        """The keys that left so short a time ago that caches may still hold them.

        Kept in memory alone: after a restart an old copy is called a different key set for one cache age, which is
        worse said than it is, and never the other way round.
        """
        kept = {kid: end for kid, end in self._former.get(work.name, {}).items() if end > now}
        retired = (event.subject for event in work.events if event.reason is Reason.KeyRetired)
        kept.update(dict.fromkeys(retired, now + longest_cache_age(context, plan)))
        self._former[work.name] = kept
        return frozenset(kept)

    def _outcome(self, context: IssuerContext, work: Work, plan: Advance) -> Outcome:
        wake = work.issuer.spec.interval
        if plan.wake_at is not None:
            wake = min(wake, max(plan.wake_at - self._clock.now(), timedelta(0)))
        if context.edge is not None:
            wake = min(wake, context.edge.wake_after(self._clock))
        # A store that is away may be back in a second: it is asked again after growing pauses, at the interval at last.
        away = any(problem.reason is Reason.StoreUnavailable for problem in work.problems)
        return Outcome(wake_after=wake, failed=away)


def _understood(found: Mapping[str, Any]) -> OIDCIssuer | None:
    """The object as a model; what cannot be understood of it is in the log."""
    name = found["metadata"]["name"]
    try:
        issuer = read_issuer(found)
    except InvalidObjectError as error:
        # The CRD admits no such object: it is older than this program, or its CRD is.
        log.error("The OIDCIssuer cannot be understood.", issuer=name, why=error.message)  # noqa: TRY400 - the sentence says it all
        return None
    dropped = (*read_status(found).dropped, *damaged_keys(issuer.status))
    if dropped:
        log.warning(
            "Parts of the status cannot be understood and are left out.",
            issuer=name,
            parts=dropped,
        )
    return issuer

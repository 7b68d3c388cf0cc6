"""A reconciler makes one pass over one issuer: read, plan, publish, prove, report."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from oidc_publisher.api import OIDCIssuer, read_issuer, read_status, remote_cluster
from oidc_publisher.cluster import ClusterAPI, ConflictError, ObjectReference, get_issuer
from oidc_publisher.cluster.answer import list_in, object_in
from oidc_publisher.errors import ClusterError, InvalidObjectError, PublisherError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.delete import end, finalizers_of, held_by_us
from oidc_publisher.reconcile.passes import (
    Gone,
    Observer,
    Outcome,
    PassLateError,
    Unobserved,
    answers_since,
    compute,
    in_time,
)
from oidc_publisher.reconcile.ports import OpenedPorts, OpenPorts, Ports
from oidc_publisher.reconcile.prove import longest_cache_age, prove
from oidc_publisher.reconcile.publish import Published, publish
from oidc_publisher.reconcile.read import read_all
from oidc_publisher.reconcile.record import Recorder, SavedLedgers
from oidc_publisher.reconcile.report import summarise_pass
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder
from oidc_publisher.reconcile.status.ledger import read_ledger
from oidc_publisher.reconcile.status.newissuers import NewIssuers
from oidc_publisher.reconcile.status.passlog import log_pass
from oidc_publisher.reconcile.status.publication import publication_of
from oidc_publisher.reconcile.status.summary import Summary
from oidc_publisher.reconcile.unreadable import ForbiddenIssuers, Refusals, Unreadable, refused_status
from oidc_publisher.rotation import Ledger
from oidc_publisher.sources.factory import references_of
from oidc_publisher.sources.sharing import readings_since
from oidc_publisher.telemetry.cloudrequests import noting
from oidc_publisher.telemetry.steps import OpenSpan, Step, StepTimes, no_span
from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)


def random_nonce() -> str:
    """Return the nonce of one write: 64 random bits, which tell this write from every other."""
    return secrets.token_hex(8)


class Reconciler:
    """A reconciler carries one issuer after the other through the five steps.

    `hub` is the cluster that holds the OIDCIssuers. `open_ports` opens the ports of an issuer. An object whose UID `holds`
    refuses belongs to another shard. `new_nonce` makes the nonce of each write (R9). `observer` is told of every pass, and
    `open_span` opens the spans of traces. `new_issuers` has the objects for which a first pass need not ask.
    """

    def __init__(
        self,
        hub: ClusterAPI,
        open_ports: OpenPorts,
        *,
        clock: Clock | None = None,
        holds: Callable[[str], bool] = lambda _: True,
        new_nonce: Callable[[], str] = random_nonce,
        observer: Observer | None = None,
        open_span: OpenSpan = no_span,
        new_issuers: NewIssuers | None = None,
    ) -> None:
        self._hub = hub
        self._opened = OpenedPorts(open_ports)
        self._holds = holds
        self._new_issuers = new_issuers or NewIssuers()
        self._may_get = False
        self._new_nonce = new_nonce
        self._clock = clock or SystemClock()
        self._saved = SavedLedgers()
        self._events = EventRecorder(hub, self._clock)
        self._forbidden = ForbiddenIssuers(hub, self._events)
        self._refusals = Refusals(hub, self._clock, self._events)
        self._former: dict[str, dict[str, datetime]] = {}
        self._observer: Observer = observer or Unobserved()
        self._open_span = open_span

    async def reconcile(self, name: str) -> Outcome | Gone:
        """Make one pass over the issuer of this name; every failure is reported, logged and tried again."""
        with self._open_span("reconcile", {"oidc_publisher.issuer": name}):
            return await self._reconcile_named(name)

    async def _reconcile_named(self, name: str) -> Outcome | Gone:
        times = StepTimes(self._open_span)
        try:
            found, shown = await self._found(name)
        except ClusterError as error:
            log.warning("The OIDCIssuer cannot be read; it is tried again.", issuer=name, why=error.message)
            await self._forbidden.note(name, error, None)
            self._observer.failed(name)
            return Outcome(failed=True)
        if found is None or not self._holds(found["metadata"]["uid"]):
            # The name may have passed to an object of another shard: events of different objects come in any order.
            await self._forget(name)
            self._saved.forget(name)
            self._events.forget(name)
            self._forbidden.allowed(name)
            self._observer.gone(name)
            return Gone()
        try:
            outcome = await self._reconcile(found, times, shown=shown)
        except ConflictError:
            log.debug("The object was changed during the pass, which begins anew.", issuer=name)
            self._observer.failed(name)
            return Outcome(failed=True)
        except ClusterError as error:
            log.warning("The pass ended early; it is tried again.", issuer=name, why=error.message)
            await self._forbidden.note(name, error, found)
            self._observer.failed(name)
            return Outcome(failed=True)
        self._forbidden.allowed(name)
        return outcome

    async def close(self) -> None:
        """Close the connections of every issuer, and record no event that waits."""
        await self._events.aclose()
        await self._opened.aclose()

    async def _found(self, name: str) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the object, None where there is none, and whether it is the one that the watch has shown.

        That one counts only while the API server lets the operator get objects: an issuer that became Ready without that
        right would never be looked at again.
        """
        shown = self._new_issuers.take(name)
        if shown is not None and self._may_get:
            return shown, True
        try:
            found = await get_issuer(self._hub, name)
        except ClusterError:
            self._may_get = False
            raise
        self._may_get = True
        return found, False

    async def _forget(self, name: str) -> None:
        self._former.pop(name, None)
        await self._opened.forget(name)

    async def _reconcile(self, found: Mapping[str, Any], times: StepTimes, *, shown: bool) -> Outcome:
        try:
            issuer, ledger = await compute(partial(_read, found), keys=_key_count(found))
        except InvalidObjectError as error:
            return await self._refuse(Unreadable.of(found, error))
        self._observer.seen(issuer)
        status = found.get("status") or {}
        recorder = Recorder(self._hub, self._clock, self._events, self._saved, issuer, ledger, status, times)
        if not shown:  # an object from before somebody's write tells nothing of who writes now
            recorder.besides = self._saved.others.read(issuer, self._clock.now())
        with noting() as requests:
            try:
                outcome = await self._steps(recorder, shown=shown)
            except ConflictError:
                self._observer.happened(issuer.metadata.name, await recorder.cut_short())
                raise
        done = recorder.done(outcome)
        self._observer.passed(done)
        log_pass(done, requests)
        return outcome

    async def _refuse(self, found: Unreadable) -> Outcome:
        """Report an object that this version cannot read, whatever was known of the object before."""
        await self._forget(found.metadata.name)
        outcome = await self._refusals.refuse(found)
        status = read_status({"status": refused_status(found, self._clock.now())}).status
        self._observer.refused(found.metadata.name, status)
        return outcome

    async def _steps(self, recorder: Recorder, *, shown: bool) -> Outcome:
        """Take the steps that the object asks for: all five, those of its deletion, or none while it is suspended."""
        issuer = recorder.issuer
        if issuer.metadata.deletion_timestamp is not None:
            return await self._guarded(recorder, self._end)
        if issuer.spec.suspend:
            await self._forget(issuer.metadata.name)
            await recorder.report(Summary())
            return Outcome(follows={})
        now_s = self._clock.monotonic()
        since_s = answers_since(issuer, recorder.ledger, now_s, ours=recorder.confirmed, shown=shown)
        with readings_since(since_s):
            return await self._guarded(recorder, self._pass)

    async def _end(self, recorder: Recorder) -> Outcome:
        """Make the last pass over an object that is being deleted; without our finalizer the object needs no last pass.

        Where the finalizers of others hold the object, its status says no longer what the last proof was.
        """
        outcome = await end(self._opened, recorder) if held_by_us(recorder.issuer) else Outcome()
        await self._forget(recorder.issuer.metadata.name)
        if recorder.issuer.metadata.finalizers and not outcome.failed:
            await recorder.report(Summary(deleted=True))
        return Outcome(outcome.wake_after, outcome.failed, follows={})

    async def _guarded(self, recorder: Recorder, steps: Callable[[Recorder], Awaitable[Outcome]]) -> Outcome:
        """Take the steps; an error that ends them is reported, and the next pass tries again."""
        try:
            return await in_time(steps(recorder))
        except PassLateError as error:
            log.warning("The pass was ended at its deadline; it is tried again.", issuer=recorder.issuer.metadata.name)
            await recorder.report(Summary(findings=(error.finding(recorder.times.current),)))
        except PublisherError as error:
            if isinstance(error, ClusterError) and error.retryable:
                raise  # an API server that is away or busy takes no report either, and its fault passes by itself
            await recorder.report(Summary(findings=(error.finding(),)))
        except Exception as error:
            log.exception("The pass failed in a way that is not known.", issuer=recorder.issuer.metadata.name)
            finding = Finding.of(Reason.InternalError, f"The operator failed with {type(error).__name__}")
            await recorder.report(Summary(findings=(finding,)))
        return Outcome(failed=True, wake_after=recorder.issuer.spec.interval, follows=_followed(recorder.issuer))

    async def _pass(self, recorder: Recorder) -> Outcome:
        """Take the five steps, in their order."""
        issuer, times = recorder.issuer, recorder.times
        with times.during(Step.READ):
            ports = await self._opened.of(issuer)
            await recorder.hold(finalizers_of(issuer))
            known = issuer.status.publication
            readings = await read_all(ports, self._clock)
        with times.during(Step.PUBLISH):
            done = await publish(ports, recorder, readings, self._clock, self._new_nonce)
            problems = (*done.problems, *await self._dropped_copies(ports, done))
        plan, now = done.decision.plan, self._clock.now()
        changed_at = now if done.wrote else None
        last_change = changed_at or (known.last_change_time if known else None)
        removed = self._removed(issuer.metadata.name, ports, done, now)
        with times.during(Step.PROVE):
            proof = await prove(ports, done.readings, plan, last_change=last_change, removed=removed, clock=self._clock)
        publication = publication_of(known, done.stored, plan, done.ledger, changed_at=changed_at)
        with times.during(Step.REPORT):
            await recorder.report(summarise_pass(done, proof, problems, publication))
        return self._outcome(ports, done, issuer.spec.interval)

    async def _dropped_copies(self, ports: Ports, done: Published) -> tuple[Finding, ...]:
        """Do what is due at the distribution before the store, and return the findings on copies that are not dropped."""
        if ports.invalidator is None:
            return ()
        # The store dates the documents by its own clock.
        longest_age = longest_cache_age(ports, done.decision.plan) + ports.spec.rotation.clock_skew
        await ports.invalidator.follow(done.stored.documents, longest_age=longest_age, clock=self._clock)
        return ports.invalidator.findings

    def _removed(self, name: str, ports: Ports, done: Published, now: datetime) -> frozenset[str]:
        """Return the IDs of keys that left so short a time ago that caches may still hold them.

        The IDs are kept in memory alone. After a restart, for one cache age, an old copy is reported as a different key
        set: that finding says more than there is, and never less.
        """
        kept = {kid: end for kid, end in self._former.get(name, {}).items() if end > now}
        kept.update(dict.fromkeys(done.retired, now + longest_cache_age(ports, done.decision.plan)))
        self._former[name] = kept
        return frozenset(kept)

    def _outcome(self, ports: Ports, done: Published, interval: timedelta) -> Outcome:
        wake, wake_at = interval, done.decision.plan.wake_at
        if wake_at is not None:
            wake = min(wake, max(wake_at - self._clock.now(), timedelta(0)))
        if ports.invalidator is not None:
            wake = min(wake, ports.invalidator.wake_after(self._clock))
        # A store that is away may be back in a second. The next passes come after growing pauses, up to the interval.
        away = any(problem.reason is Reason.StoreUnavailable for problem in done.problems)
        return Outcome(wake_after=wake, failed=away, follows=done.readings.watched)


def _followed(issuer: OIDCIssuer) -> Mapping[ObjectReference, str | None] | None:
    """Return what a failed pass follows: with a remote cluster its kubeconfig too, whose change may mend the pass at once."""
    sources = issuer.spec.key_sources
    return dict.fromkeys(references_of(sources)) if remote_cluster(sources) else None


def _key_count(found: Mapping[str, Any]) -> int:
    return len(list_in(object_in(found, "status"), "keys"))


def _read(found: Mapping[str, Any]) -> tuple[OIDCIssuer, Ledger]:
    """Read the object and its ledger; the log names the parts of the status that cannot be understood.

    Raises:
        InvalidObjectError: the spec cannot be understood.
    """
    issuer = read_issuer({name: member for name, member in found.items() if name != "status"})
    reading = read_status(found)  # once a pass: the status of a full ledger takes 10 ms to read
    if found.get("status") is not None:
        issuer = issuer.model_copy(update={"status": reading.status})
    held = read_ledger(issuer.status)
    _log_damage(issuer, (*reading.dropped, *held.damaged))
    return issuer, held.ledger


def _log_damage(issuer: OIDCIssuer, dropped: tuple[str, ...]) -> None:
    if dropped:
        log.warning(
            "Parts of the status cannot be understood and are left out.",
            issuer=issuer.metadata.name,
            parts=dropped,
        )

"""The recorder writes to the object: the finalizer, the ledger before a write, the status at the end of a pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus
from oidc_publisher.cluster import ClusterAPI, ConflictError, patch_finalizers, patch_status
from oidc_publisher.findings import CONDITION_ORDER, Finding
from oidc_publisher.reconcile.ownership import Place, remembering
from oidc_publisher.reconcile.passes import Outcome, PassDone, compute
from oidc_publisher.reconcile.status.changes import changes
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder
from oidc_publisher.reconcile.status.patch import status_patch
from oidc_publisher.reconcile.status.publication import move_noted, saved_publication
from oidc_publisher.reconcile.status.size import fitted
from oidc_publisher.reconcile.status.summary import Summary, summarise, with_ledger, with_plan
from oidc_publisher.reconcile.status.watchfulness import Watchfulness
from oidc_publisher.rotation import Advance, Ledger, same_writes
from oidc_publisher.telemetry.steps import StepTimes
from oidc_publisher.timing.clock import Clock

#: So many nonces of the writes of one object are kept; a status that somebody puts back is seldom older.
_NONCES_KEPT = 256


@dataclass(frozen=True, slots=True)
class _Saved:
    """A saved ledger is that of one object; `confirmed` says that the ledger knew who wrote the documents that were read since."""

    uid: str
    ledger: Ledger
    confirmed: bool
    nonces: tuple[str, ...]


class SavedLedgers:
    """SavedLedgers remembers the ledger of each object as this process saved it last, or left it unchanged (R9).

    No rule works with a remembered ledger. The remembered ledger only tells whether the one in the status is still that
    of this process. `others` notices the writes of another process.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Saved] = {}
        self.others = Watchfulness()

    def of(self, issuer: OIDCIssuer) -> Ledger | None:
        """Return the ledger that was saved last for this object, None where no stored documents have confirmed it yet.

        While the store is away, the operator saves a restored status like any other, although that status knows nothing
        of later writes. Only the stored documents can tell.
        """
        known = self._of(issuer)
        return known.ledger if known and known.confirmed else None

    def nonces(self, issuer: OIDCIssuer) -> tuple[str, ...]:
        """Return the nonces of the latest writes that this process has known, also where the status has lost them."""
        known = self._of(issuer)
        return known.nonces if known else ()

    def note(self, issuer: OIDCIssuer, ledger: Ledger, *, confirmed: bool) -> None:
        """Note the ledger that the object has now."""
        nonces = tuple(dict.fromkeys((*self.nonces(issuer), *ledger.nonces)))[-_NONCES_KEPT:]
        self._known[issuer.metadata.name] = _Saved(issuer.metadata.uid, ledger, confirmed, nonces)

    def forget(self, name: str) -> None:
        """Forget the ledger of an object that is gone."""
        self._known.pop(name, None)
        self.others.forget(name)

    def _of(self, issuer: OIDCIssuer) -> _Saved | None:
        known = self._known.get(issuer.metadata.name)
        return known if known is not None and known.uid == issuer.metadata.uid else None


class Recorder:
    """A recorder writes to the one object that a pass works on, and tells people what has changed.

    `issuer` is the object as last read or written, `ledger` the ledger that the object's status had when it was read. The
    object's resourceVersion goes into every write. `besides` are findings about the operator itself, which every report has.
    `times` measures the steps of the pass. Where somebody changed the object meanwhile, the write raises
    ConflictError, and the pass begins anew.
    """

    def __init__(
        self,
        hub: ClusterAPI,
        clock: Clock,
        events: EventRecorder,
        saved: SavedLedgers,
        issuer: OIDCIssuer,
        ledger: Ledger,
        raw_status: Mapping[str, Any],
        times: StepTimes,
    ) -> None:
        self.issuer = issuer
        self.ledger = ledger
        self.times = times
        self.besides: tuple[Finding, ...] = ()
        self._read_status = issuer.status
        self._told: list[Finding] = []
        self._writes = 0
        self._held = self._proven = False
        self._hub = hub
        self._clock = clock
        self._events = events
        self._saved = saved
        self._raw_status = raw_status
        self._resource_version = issuer.metadata.resource_version
        self._happened: list[Finding] = []
        self._certain = 0
        before = saved.of(issuer)
        self._confirmed = before is not None and same_writes(before, ledger)

    @property
    def confirmed(self) -> bool:
        """Whether the ledger is what this process has left, and stored documents have confirmed it (R9)."""
        return self._confirmed

    def remembering(self, place: Place, ledger: Ledger, now: datetime) -> Place:
        """Return the place with our own writes there (R9)."""
        issuer, saved = self.issuer, self._saved
        return remembering(place, issuer, ledger, saved.of(issuer), now, remembered=saved.nonces(issuer))

    def confirm(self) -> None:
        """Note that the pass has read the stored documents, and that the ledger knows who wrote those documents."""
        self._confirmed = True

    def wrote(self, documents: int) -> None:
        """Note that the pass has written so many documents."""
        self._writes += documents

    def settle(self) -> None:
        """Note that what has happened so far stays, whatever becomes of the pass: it was saved and written.

        The next pass would see nothing of it, so that it is told even if this pass cannot be reported.
        """
        self._certain = len(self._happened)

    async def cut_short(self) -> tuple[Finding, ...]:
        """Tell what stays of a pass that cannot be saved or reported, and return all that was told."""
        del self._happened[self._certain :]
        await self.tell()
        return tuple(self._told)

    def done(self, outcome: Outcome) -> PassDone:
        """Return what the pass did, with its outcome."""
        changed = [*changes(self._read_status, self.issuer.status)]
        if self._writes:
            changed.append("documents")
        if self._held:
            changed.append("finalizers")
        wake = outcome.wake_after
        return PassDone(
            issuer=self.issuer,
            failed=outcome.failed,
            changes=tuple(changed),
            events=tuple(self._told),
            seconds=self.times.seconds,
            took_s=self.times.total_s,
            proven=self._proven,
            next_look_s=wake.total_seconds() if wake is not None else None,
        )

    def happened(self, events: Iterable[Finding]) -> None:
        """Note events of this pass; the recorder tells them once the pass is reported."""
        self._happened.extend(events)

    async def save(self, ledger: Ledger, plan: Advance) -> None:
        """Save the ledger, under the object's resourceVersion, before the write that needs the ledger (R12).

        publication.location is not saved, because the place is ours only once the write was done: a rival may be faster.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        work = partial(_saved_status, self.issuer, ledger, plan, self._clock.now())
        await self._patch(await compute(work, keys=len(ledger.keys)))
        self._saved.note(self.issuer, ledger, confirmed=self._confirmed)

    async def report(self, summary: Summary) -> None:
        """Write the summary as the object's status, and tell what happened in the pass.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        problems = await self._events.problems()
        summary = replace(summary, findings=(*summary.findings, *self.besides, *problems))
        work = partial(_reported_status, self.issuer, summary, self._clock.now())
        status, moved = await compute(work, keys=len((summary.ledger or self.ledger).keys))
        self._proven = all(c.status == "True" for c in status.conditions if c.type in CONDITION_ORDER)
        await self._patch(status)
        if summary.ledger is not None:
            self._saved.note(self.issuer, summary.ledger, confirmed=self._confirmed)
        self.happened(moved)
        await self.tell()

    async def hold(self, finalizers: tuple[str, ...]) -> None:
        """Write these finalizers where the object has others.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        metadata = self.issuer.metadata
        if finalizers == metadata.finalizers:
            return
        stored = await patch_finalizers(self._hub, metadata.name, finalizers, self._resource_version)
        self._held = True
        metadata = metadata.model_copy(update={"finalizers": finalizers})
        self.issuer = self.issuer.model_copy(update={"metadata": metadata})
        self._resource_version = stored["metadata"]["resourceVersion"]

    async def tell(self) -> None:
        """Tell what happened in the pass. A deleted object has no status, so its last events are told without a report."""
        for event in self._happened:
            await self._events.happened(self.issuer, event)
        self._told.extend(self._happened)
        self._happened.clear()

    async def _patch(self, status: OIDCIssuerStatus) -> None:
        """Write the status where it differs from the status that the API server has."""
        work = partial(_patch_of, status, self.issuer.status, self._raw_status, self._clock.now())
        status, patch = await compute(work, keys=len(status.keys))
        if not patch:
            return
        self._saved.others.wrote(self.issuer, status)
        try:
            stored = await patch_status(self._hub, self.issuer.metadata.name, patch, self._resource_version)
        except ConflictError:
            self._saved.others.refused(self.issuer)
            raise
        self._saved.others.stored(self.issuer, status)
        before, self.issuer = self.issuer, self.issuer.model_copy(update={"status": status})
        self._raw_status = stored.get("status") or {}
        self._resource_version = stored["metadata"]["resourceVersion"]
        await self._events.changed(before, status)


def _saved_status(issuer: OIDCIssuer, ledger: Ledger, plan: Advance, now: datetime) -> OIDCIssuerStatus:
    known = issuer.status
    publication = saved_publication(known.publication, ledger)
    status = with_ledger(known, ledger).model_copy(update={"publication": publication})
    return with_plan(status, issuer, plan, now)


def _reported_status(
    issuer: OIDCIssuer, summary: Summary, now: datetime
) -> tuple[OIDCIssuerStatus, tuple[Finding, ...]]:
    return move_noted(summarise(issuer, summary, now), now)


def _patch_of(
    status: OIDCIssuerStatus, known: OIDCIssuerStatus, raw: Mapping[str, Any], now: datetime
) -> tuple[OIDCIssuerStatus, dict[str, Any]]:
    """Return the status, cut to fit into the object, and the patch that makes the status of the API server this one."""
    status, wanted = fitted(status, known, now)
    return status, status_patch(raw, wanted)

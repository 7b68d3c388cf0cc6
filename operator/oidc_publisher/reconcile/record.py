"""What is written to the object itself: its finalizer, the ledger before a write, the status at the end of a pass."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus
from oidc_publisher.cluster import ClusterAPI, patch_finalizers, patch_status
from oidc_publisher.findings import Finding
from oidc_publisher.reconcile.ownership import Place, remembering
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder
from oidc_publisher.reconcile.status.patch import status_patch
from oidc_publisher.reconcile.status.publication import move_noted, saved_publication
from oidc_publisher.reconcile.status.size import fitted
from oidc_publisher.reconcile.status.summary import Summary, summarise, with_ledger, with_plan
from oidc_publisher.rotation import Advance, Ledger, same_writes
from oidc_publisher.timing.clock import Clock

#: Of the writes of one object; a status that is put back is seldom older.
_NONCES_KEPT = 256


@dataclass(frozen=True, slots=True)
class _Saved:
    """One object's ledger as it was saved last. `confirmed`: the stored documents were read since, and it knew them."""

    uid: str
    ledger: Ledger
    confirmed: bool
    nonces: tuple[str, ...]


class SavedLedgers:
    """The ledger of each object as this process saved it last, or left it because nothing was to be changed (R9).

    It is no copy of the status to work with: it tells whether the one in the status is still that of this process.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Saved] = {}

    def of(self, issuer: OIDCIssuer) -> Ledger | None:
        """Return what was saved last for this object, None where no stored documents have confirmed it yet.

        A status that was restored while the store is away is saved by us like any other, and knows nothing of the writes
        since: only what is stored can tell.
        """
        known = self._of(issuer)
        return known.ledger if known and known.confirmed else None

    def nonces(self, issuer: OIDCIssuer) -> tuple[str, ...]:
        """Return the nonces of the latest writes that this process knew, whatever became of the status."""
        known = self._of(issuer)
        return known.nonces if known else ()

    def note(self, issuer: OIDCIssuer, ledger: Ledger, *, confirmed: bool) -> None:
        """Note what the object has now."""
        nonces = tuple(dict.fromkeys((*self.nonces(issuer), *ledger.nonces)))[-_NONCES_KEPT:]
        self._known[issuer.metadata.name] = _Saved(issuer.metadata.uid, ledger, confirmed, nonces)

    def forget(self, name: str) -> None:
        """Let go of what is known of an object that is gone."""
        self._known.pop(name, None)

    def _of(self, issuer: OIDCIssuer) -> _Saved | None:
        known = self._known.get(issuer.metadata.name)
        return known if known is not None and known.uid == issuer.metadata.uid else None


class Recorder:
    """Writes to the one object that a pass works on, and tells people what has changed.

    `issuer` is the object as last read or written, `ledger` the one that its status had when it was read. Its resourceVersion goes into every write: an object that somebody
    changed meanwhile is a ConflictError, and the pass begins anew.
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
    ) -> None:
        self.issuer = issuer
        self.ledger = ledger
        self._hub = hub
        self._clock = clock
        self._events = events
        self._saved = saved
        self._raw_status = raw_status
        self._resource_version = issuer.metadata.resource_version
        self._happened: list[Finding] = []
        before = saved.of(issuer)
        self._confirmed = before is not None and same_writes(before, ledger)

    def remembering(self, place: Place, ledger: Ledger, now: datetime) -> Place:
        """Return the place with what is known of our own writes there (R9)."""
        issuer, saved = self.issuer, self._saved
        return remembering(place, issuer, ledger, saved.of(issuer), now, remembered=saved.nonces(issuer))

    def confirm(self) -> None:
        """Note that the stored documents were read, and that the ledger knows who wrote them."""
        self._confirmed = True

    def happened(self, events: Iterable[Finding]) -> None:
        """Note what is over as soon as it has happened; it is told once the pass is reported."""
        self._happened.extend(events)

    async def save(self, ledger: Ledger, plan: Advance) -> None:
        """R12: save the ledger, under the object's resourceVersion, before the write that needs it.

        publication.location is not among it: the place is ours once the write was done, and a rival may be faster.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        await asyncio.sleep(0)  # others have their turn: the status of a full ledger takes 20 ms
        known = self.issuer.status
        publication = saved_publication(known.publication, ledger)
        status = with_ledger(known, ledger).model_copy(update={"publication": publication})
        await self._patch(with_plan(status, self.issuer, plan, self._clock.now()))
        self._saved.note(self.issuer, ledger, confirmed=self._confirmed)

    async def report(self, summary: Summary) -> None:
        """Make the summary the object's status, and tell what happened in the pass.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        await asyncio.sleep(0)  # as above
        await asyncio.sleep(0)  # as above
        now = self._clock.now()
        status, moved = move_noted(summarise(self.issuer, summary, now), now)
        await self._patch(status)
        if summary.ledger is not None:
            self._saved.note(self.issuer, summary.ledger, confirmed=self._confirmed)
        self.happened(moved)
        await self.tell()

    async def hold(self, finalizers: tuple[str, ...]) -> None:
        """Make these the object's finalizers where they are not.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        metadata = self.issuer.metadata
        if finalizers == metadata.finalizers:
            return
        stored = await patch_finalizers(self._hub, metadata.name, finalizers, self._resource_version)
        metadata = metadata.model_copy(update={"finalizers": finalizers})
        self.issuer = self.issuer.model_copy(update={"metadata": metadata})
        self._resource_version = stored["metadata"]["resourceVersion"]

    async def tell(self) -> None:
        """Tell what happened; an object that is no more has no status to report it in."""
        for event in self._happened:
            await self._events.happened(self.issuer, event)
        self._happened.clear()

    async def _patch(self, status: OIDCIssuerStatus) -> None:
        """Write the status where it differs from what the API server has; nothing changed costs nothing."""
        await asyncio.sleep(0)  # others have their turn: the JSON of a full ledger takes as long as its status
        status, wanted = fitted(status, self.issuer.status, self._clock.now())
        patch = status_patch(self._raw_status, wanted)
        if not patch:
            return
        stored = await patch_status(self._hub, self.issuer.metadata.name, patch, self._resource_version)
        before, self.issuer = self.issuer, self.issuer.model_copy(update={"status": status})
        self._raw_status = stored.get("status") or {}
        self._resource_version = stored["metadata"]["resourceVersion"]
        await self._events.changed(before, status)

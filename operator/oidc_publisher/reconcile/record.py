"""What is written to the object itself: its finalizer, the ledger before a write, the status at the end of a pass."""

from __future__ import annotations

from oidc_publisher.api import OIDCIssuerStatus, to_status_json
from oidc_publisher.cluster import ClusterClient, patch_finalizers, patch_status
from oidc_publisher.reconcile.passes import Work
from oidc_publisher.reconcile.report import move_noted, saved_publication
from oidc_publisher.reconcile.status.patch import status_patch
from oidc_publisher.reconcile.status.summary import Summary, summarise, with_ledger, with_plan
from oidc_publisher.reconcile.telling import Teller
from oidc_publisher.rotation import Advance
from oidc_publisher.timing.clock import Clock


class Recorder:
    """Writes to the object that a pass works on, and tells people what has changed."""

    def __init__(self, client: ClusterClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._teller = Teller(client, clock)

    async def save(self, work: Work, plan: Advance) -> None:
        """R12: save the ledger, under the object's resourceVersion, before the write that needs it.

        publication.location is not among it: the place is ours once the write was done, and a rival may be faster.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        publication = saved_publication(work.issuer.status.publication, work.ledger)
        status = with_ledger(work.issuer.status, work.ledger).model_copy(update={"publication": publication})
        await self._patch(work, with_plan(status, work.issuer, plan, self._clock.now()))

    async def report(self, work: Work, summary: Summary) -> None:
        """Make the summary the object's status, and tell what happened in the pass.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        now = self._clock.now()
        status, moved = move_noted(summarise(work.issuer, summary, now), now)
        await self._patch(work, status)
        for event in (*work.events, *moved):
            await self._teller.happened(work.issuer, event)

    async def hold(self, work: Work, finalizers: tuple[str, ...]) -> None:
        """Make these the object's finalizers where they are not.

        Raises:
            ConflictError: the object was changed since it was read.
        """
        metadata = work.issuer.metadata
        if finalizers == metadata.finalizers:
            return
        stored = await patch_finalizers(self._client, work.name, finalizers, work.resource_version)
        metadata = metadata.model_copy(update={"finalizers": finalizers})
        work.issuer = work.issuer.model_copy(update={"metadata": metadata})
        work.resource_version = stored["metadata"]["resourceVersion"]

    async def tell(self, work: Work) -> None:
        """Tell what happened to an object that is no more, and has no status to report it in."""
        for event in work.events:
            await self._teller.happened(work.issuer, event)

    async def _patch(self, work: Work, status: OIDCIssuerStatus) -> None:
        """Write the status where it differs from what the API server has; nothing changed costs nothing."""
        patch = status_patch(work.raw_status, to_status_json(status))
        if not patch:
            return
        stored = await patch_status(self._client, work.name, patch, work.resource_version)
        before, work.issuer = work.issuer, work.issuer.model_copy(update={"status": status})
        work.raw_status = stored.get("status") or {}
        work.resource_version = stored["metadata"]["resourceVersion"]
        await self._teller.changed(before, status)

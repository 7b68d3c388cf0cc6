"""The last pass over an object that is being deleted: the documents go or stay, then our finalizer goes."""

from __future__ import annotations

from oidc_publisher.controller.queue import Outcome
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.delete import Deletion, delete_documents, not_deleted
from oidc_publisher.reconcile.finalizer import left, left_elsewhere, why_left, without_ours
from oidc_publisher.reconcile.ownership import Place
from oidc_publisher.reconcile.passes import Work
from oidc_publisher.reconcile.plan import place_of
from oidc_publisher.reconcile.ports import Contexts
from oidc_publisher.reconcile.record import Recorder
from oidc_publisher.reconcile.status.summary import Summary


async def end(contexts: Contexts, work: Work, recorder: Recorder) -> Outcome:
    """Do what deletionPolicy says and let the object go; it stays, and says why, while its documents cannot be deleted.

    Raises:
        ClusterError: the cluster's identity, by which documents are known as ours, could not be read.
        ConflictError: the object was changed since it was read.
    """
    issuer = work.issuer
    why = why_left(issuer)
    if why is not None:
        location = issuer.status.publication.location if issuer.status.publication else None
        work.events.extend([left(location, why)] if location else [])
    else:
        context = await contexts.open(issuer)
        place = place_of(issuer, context.store.location, context.owner, context.store.endpoint_url)
        try:
            done = await delete_documents(context.store, issuer.spec.jwks_path, owner=context.owner)
        except StoreError as error:
            await recorder.report(work, Summary(findings=(not_deleted(error, place.location),)))
            return Outcome(failed=True)
        work.events.extend((*_told(done, place), *left_elsewhere(issuer, place)))
        if context.edge is not None and (done.deleted or not done.left):
            problem = await context.edge.drop_deleted(issuer.metadata.uid)
            work.events.extend([_still_at_edges(problem)] if problem else [])
    await recorder.hold(work, without_ours(issuer))
    await recorder.tell(work)
    return Outcome()


def _still_at_edges(error: StoreError) -> Finding:
    message = f"Edges may serve copies of the deleted documents until their max-age has passed. {error.message}"
    return Finding.of(error.reason, message, hint=error.hint, subject=error.subject)


def _told(done: Deletion, place: Place) -> list[Finding]:
    events: list[Finding] = []
    if done.deleted:
        message = f"Deleted at {place.location}: {', '.join(done.deleted)}"
        events.append(Finding.of(Reason.DocumentsDeleted, message, subject=place.location))
    events += [left(f"{place.location}/{path}", f"they are not ours (owner: {owner})") for path, owner in done.left]
    return events

"""The last pass over a deleted object deletes or leaves its two documents, then takes our finalizer off.

The operator deletes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.api import DeletionPolicy, OIDCIssuer
from oidc_publisher.cluster.remote import RemoteClusterError
from oidc_publisher.documents import DISCOVERY_PATH, OwnerMark
from oidc_publisher.errors import PreconditionError, PublisherError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ownership import Place, former_place
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.ports import OpenedPorts
from oidc_publisher.reconcile.record import Recorder
from oidc_publisher.reconcile.status.summary import Summary
from oidc_publisher.stores import Store

FINALIZER = "oidc-publisher.io/documents"

#: So often one pass reads a document anew that somebody keeps changing; the next pass goes on.
_ATTEMPTS = 5

_WAY_OUT = "Or set spec.deletionPolicy to Retain: the object then goes, and the documents stay."


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion names the paths that were deleted, and the paths that were left with their `owner` ("none" without a mark)."""

    deleted: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


async def end(opened: OpenedPorts, recorder: Recorder) -> Outcome:
    """Do what deletionPolicy says and let the object go.

    While its documents cannot be deleted, the object stays, and its status says why.

    Raises:
        ClusterError: the cluster's identity, by which documents are known as ours, could not be read.
        ConflictError: the object was changed since it was read.
    """
    issuer = recorder.issuer
    why = why_left(issuer)
    if why is not None:
        location = issuer.status.publication.location if issuer.status.publication else None
        recorder.happened([left(location, why)] if location else [])
    else:
        try:
            ports = await opened.of(issuer)
        except RemoteClusterError as error:
            await recorder.report(Summary(findings=(not_deleted(error, _where(issuer)),)))
            return Outcome(failed=True)
        place = ports.place_of(issuer)
        try:
            nonces = frozenset(recorder.ledger.nonces)
            done = await delete_documents(ports.store, issuer.spec.jwks_path, owner=ports.owner, nonces=nonces)
        except StoreError as error:
            await recorder.report(Summary(findings=(not_deleted(error, place.location),)))
            return Outcome(failed=True)
        recorder.happened((*_told(done, place), *left_elsewhere(issuer, place)))
        if ports.invalidator is not None and (done.deleted or not done.left):
            problem = await ports.invalidator.drop_deleted(issuer.metadata.uid)
            recorder.happened([_still_at_edges(problem)] if problem else [])
    await recorder.hold(without_ours(issuer))
    await recorder.tell()
    return Outcome()


async def delete_documents(store: Store, jwks_path: str, *, owner: str, nonces: frozenset[str]) -> Deletion:
    """Delete each of the two documents that bears the mark of `owner`; a missing document or bucket is no error.

    `nonces` are those of our own writes, empty where the ledger knows none. The documents of a second writer are left to
    that writer (R9). The discovery document is deleted first, so that it never names a key set that does not exist.

    Raises:
        StoreError: one of them could not be read or deleted.
    """
    deleted: list[str] = []
    others: list[tuple[str, str]] = []
    for path in (DISCOVERY_PATH, jwks_path):
        try:
            found = await _delete(store, path, owner, nonces)
        except StoreError as error:
            if error.reason is not Reason.BucketNotFound:
                raise
            found = None
        if found == owner:
            deleted.append(path)
        elif found is not None:
            others.append((path, found))
    return Deletion(tuple(deleted), tuple(others))


def _where(issuer: OIDCIssuer) -> str:
    """Return the place of the documents where the owner, by whose mark they are ours, cannot be learnt."""
    location = issuer.status.publication.location if issuer.status.publication else None
    return location or issuer.spec.issuer_url


def not_deleted(error: PublisherError, location: str) -> Finding:
    """Return the finding of documents that could not be deleted, with the way out."""
    message = f"The documents at {location} are not deleted: {error.message}"
    advice = " ".join(part for part in (error.hint, _WAY_OUT) if part)
    return Finding.of(error.reason, message, hint=advice, subject=location)


async def _delete(store: Store, path: str, owner: str, nonces: frozenset[str]) -> str | None:
    """Delete the document if it bears the mark of `owner`; return the name of its owner, None where there is no document."""
    for attempt in range(_ATTEMPTS):
        found = await store.read(path)
        if found is None:
            return None
        mark = OwnerMark.read(found.document.metadata)
        if mark is None or mark.owner != owner:
            return mark.owner if mark else "none"
        if mark.nonce and nonces and mark.nonce not in nonces:
            return f"another operator of the same name, {owner}"
        try:
            await store.delete(path, expected=found.version)
        except PreconditionError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue  # the document is read anew: another owner may have written it
        break
    return owner


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


def finalizers_of(issuer: OIDCIssuer) -> tuple[str, ...]:
    """Return the finalizers that a living object should have: those of others, and ours under deletionPolicy Delete alone."""
    present = issuer.metadata.finalizers
    if issuer.spec.deletion_policy is not DeletionPolicy.DELETE:
        return without_ours(issuer)
    return present if FINALIZER in present else (*present, FINALIZER)


def without_ours(issuer: OIDCIssuer) -> tuple[str, ...]:
    """Return the object's finalizers without ours."""
    return tuple(name for name in issuer.metadata.finalizers if name != FINALIZER)


def held_by_us(issuer: OIDCIssuer) -> bool:
    """Tell whether our finalizer keeps the object from being deleted."""
    return FINALIZER in issuer.metadata.finalizers


def why_left(issuer: OIDCIssuer) -> str | None:
    """Return why the documents of a deleted object stay although the object has our finalizer, None where they must go.

    Nobody may touch the documents of a suspended issuer. Its deletion waits for nothing and deletes nothing.
    """
    if issuer.spec.deletion_policy is not DeletionPolicy.DELETE:
        return "spec.deletionPolicy is Retain"
    return "the issuer was suspended when it was deleted" if issuer.spec.suspend else None


def left(where: str, why: str) -> Finding:
    """Return the event that documents stay."""
    return Finding.of(Reason.DocumentsLeft, f"The documents at {where} are left as they are: {why}", subject=where)


def left_elsewhere(issuer: OIDCIssuer, place: Place) -> tuple[Finding, ...]:
    """Return the events for documents that this issuer has written at other places than the present one."""
    publication = issuer.status.publication
    if publication is None:
        return ()
    noted = (
        (publication.location, publication.endpoint_url),
        (publication.former_location, publication.former_endpoint_url),
    )
    others = (former_place(at, on, place.location) for at, on in noted if at and not place.is_at(at, on))
    return tuple(left(where, "spec.store was changed since they were written") for where in dict.fromkeys(others))

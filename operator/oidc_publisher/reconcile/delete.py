"""deletionPolicy Delete: the two documents go with their object, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.documents import DISCOVERY_PATH, OwnerMark
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.stores import Store

#: A document that somebody keeps changing is looked at anew this often; the next pass goes on.
_ATTEMPTS = 5

_WAY_OUT = "Or set spec.deletionPolicy to Retain: the object then goes, and the documents stay."


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of the documents: paths that were deleted, and those left to another `owner` ("none" without a mark)."""

    deleted: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


async def delete_documents(store: Store, jwks_path: str, *, owner: str) -> Deletion:
    """Delete both documents while they bear the mark of `owner`; what is gone already, with its bucket even, is gone.

    The discovery document goes first: it never names a key set that is not there.

    Raises:
        StoreError: one of them could not be read or deleted.
    """
    deleted: list[str] = []
    others: list[tuple[str, str]] = []
    for path in (DISCOVERY_PATH, jwks_path):
        try:
            found = await _delete(store, path, owner)
        except StoreError as error:
            if error.reason is not Reason.BucketNotFound:
                raise
            found = None
        if found == owner:
            deleted.append(path)
        elif found is not None:
            others.append((path, found))
    return Deletion(tuple(deleted), tuple(others))


def not_deleted(error: StoreError, location: str) -> Finding:
    """The finding of documents that could not be deleted, with the way out."""
    message = f"The documents at {location} are not deleted: {error.message}"
    advice = " ".join(part for part in (error.hint, _WAY_OUT) if part)
    return Finding.of(error.reason, message, hint=advice, subject=location)


async def _delete(store: Store, path: str, owner: str) -> str | None:
    """Delete the document if it is `owner`'s; returns whose it was, None when there was none."""
    for attempt in range(_ATTEMPTS):
        found = await store.read(path)
        if found is None:
            return None
        mark = OwnerMark.read(found.document.metadata)
        if mark is None or mark.owner != owner:
            return mark.owner if mark else "none"
        try:
            await store.delete(path, expected=found.version)
        except PreconditionError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue  # whose is it now?
        break
    return owner

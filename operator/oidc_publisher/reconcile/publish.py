"""Step three, publish: the writes that a plan needs, each by compare-and-swap, in an order that breaks no reader."""

from __future__ import annotations

from dataclasses import dataclass, replace

from oidc_publisher.documents import DISCOVERY_PATH, PlannedDocuments, plan_writes
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.reconcile.ownership import StoredDocuments
from oidc_publisher.reconcile.ports import IssuerContext


@dataclass(frozen=True, slots=True)
class Publication:
    """What the writes led to.

    `stored` are the documents as they are now. `error` ended the writes early; `raced` says that somebody else wrote in
    between, so that everything must be read and planned again.
    """

    stored: StoredDocuments
    writes: int = 0
    error: StoreError | None = None
    raced: bool = False


async def publish(context: IssuerContext, planned: PlannedDocuments, stored: StoredDocuments) -> Publication:
    """Make the stored documents the planned ones; what is in place already is not written."""
    writes = 0
    for write in plan_writes(planned, stored.discovery, stored.jwks):
        try:
            document = await context.store.write(write.path, write.document, expected=write.expected_version)
        except PreconditionError:
            return Publication(stored, writes, raced=True)
        except StoreError as error:
            return Publication(stored, writes, error=error)
        writes += 1
        stored = replace(stored, discovery=document) if write.path == DISCOVERY_PATH else replace(stored, jwks=document)
    return Publication(stored, writes)

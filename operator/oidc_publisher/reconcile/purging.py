"""Step three, publish, its last part: copies of what was stored before are dropped where a distribution keeps some."""

from __future__ import annotations

from oidc_publisher.reconcile.ownership import StoredDocuments
from oidc_publisher.reconcile.passes import Work
from oidc_publisher.reconcile.ports import IssuerContext
from oidc_publisher.reconcile.prove import longest_cache_age
from oidc_publisher.rotation import Advance
from oidc_publisher.timing.clock import Clock


async def drop_copies(context: IssuerContext, work: Work, plan: Advance, stored: StoredDocuments, clock: Clock) -> None:
    """Do what is due at the distribution, and note what keeps copies from being dropped; nothing without one."""
    if context.edge is None:
        return
    # The store dates the documents by its own clock.
    longest_age = longest_cache_age(context, plan) + context.spec.rotation.clock_skew
    documents = () if stored.error else (stored.discovery, stored.jwks)
    await context.edge.follow(documents, longest_age=longest_age, clock=clock)
    work.problems.extend(context.edge.findings)

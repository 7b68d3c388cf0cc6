"""Step two, plan: what would be written and why, or why nothing may be. Pure.

The rules of rotation say which keys to publish; what is stored says what is left to do. `decide` asks both. Whoever
acts on a decision saves `intent.ledger` before the first write (R12).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec
from oidc_publisher.documents import Difference, OwnerMark, PlannedDocuments, differences, digest, plan_documents
from oidc_publisher.findings import Finding
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import Target
from oidc_publisher.reconcile.ownership import Place, StoredDocuments, refusal
from oidc_publisher.reconcile.read import Readings, as_pass
from oidc_publisher.reconcile.writing import notes_on_write
from oidc_publisher.rotation import Advance, Ledger, Pass, Policy, advance, begin_write


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be written, and why; or the `problem` for which nothing may be.

    `planned` is None when nothing may or need be written; else `differing` says how what is stored differs from it, and
    `ledger` has the raised serial. `events` are worth telling once everything is written: that drift was repaired, that
    another owner's documents were taken over.
    """

    ledger: Ledger
    problem: Finding | None = None
    planned: PlannedDocuments | None = None
    differing: tuple[Difference, ...] = ()
    events: tuple[Finding, ...] = ()
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What one round of a pass decides: the readings as the rules take them, the plan, and what to write."""

    seen: Pass
    plan: Advance
    intent: Intent


def decide(
    issuer: OIDCIssuer, ledger: Ledger, readings: Readings, place: Place, target: Target, *, nonce: str
) -> Decision:
    """Advance the ledger by what was read, and say what to write at `place`, marked with `nonce`.

    The operator, `oidc-publisher plan` and the simulations decide by this function alone.
    """
    seen = as_pass(readings, ledger, policy_of(issuer.spec), place=place, target=target)
    plan = advance(ledger, seen)
    return Decision(seen, plan, intend(issuer, plan, readings.stored, place, nonce=nonce))


def policy_of(spec: OIDCIssuerSpec) -> Policy:
    """The settings that the rules of rotation use."""
    forget = spec.rotation.forget_cache_ages_before
    return Policy(
        pre_publish_period=spec.rotation.pre_publish_period,
        max_token_lifetime=spec.rotation.max_token_lifetime,
        clock_skew=spec.rotation.clock_skew,
        cache_max_age=spec.cache_max_age,
        withdrawn_key_ids=frozenset(spec.rotation.withdrawn_key_ids),
        forget_cache_ages_before=datetime.fromisoformat(forget) if forget else None,
    )


def intend(issuer: OIDCIssuer, plan: Advance, stored: StoredDocuments, place: Place, *, nonce: str) -> Intent:
    """What to write so that the stored documents become those of `plan`; decided by what was read, and by that alone.

    `nonce` is the random mark of this write (R9), empty where nothing will be written.
    """
    ledger = plan.ledger
    if stored.error is not None:
        return Intent(ledger, problem=stored.error.finding(subject=place.location))
    refused = refusal(place, stored)
    if refused is not None or not plan.publish:
        return Intent(ledger, problem=refused)
    planned = documents_for(issuer.spec, ledger, plan.publish, owner=place.owner)
    differing = differences(planned, stored.discovery, stored.jwks)
    if not differing:
        return Intent(ledger, in_place=True)
    raised = begin_write(ledger, jwks_digest=digest(planned.jwks.body), nonce=nonce)
    return Intent(
        raised,
        planned=documents_for(issuer.spec, raised, plan.publish, owner=place.owner),
        differing=differing,
        events=notes_on_write(place, stored, ledger, differing, settled=_settled(issuer, planned)),
    )


def _settled(issuer: OIDCIssuer, planned: PlannedDocuments) -> bool:
    """Whether the plan is the one that was last written, for this very generation: what differs is not our doing then.

    The ledger's own digest would not do: it follows what somebody else stored under our mark (R2).
    """
    publication = issuer.status.publication
    same = publication is not None and publication.jwks_digest == digest(planned.jwks.body)
    return same and issuer.status.observed_generation == issuer.metadata.generation


def documents_for(spec: OIDCIssuerSpec, ledger: Ledger, keys: tuple[PublicKey, ...], *, owner: str) -> PlannedDocuments:
    """Both documents for `keys` under the ledger's serial and the longest times of the published keys (R9)."""
    published = [entry for entry in ledger.keys if entry.key in keys]
    mark = OwnerMark(
        owner=owner,
        serial=ledger.serial,
        token_lifetime=max(entry.token_lifetime for entry in published),
        stale_age=max(entry.stale_age for entry in published),
        nonce=ledger.nonces[-1] if ledger.nonces else "",
    )
    return plan_documents(spec.issuer_url, spec.jwks_path, keys, cache_max_age=spec.cache_max_age, mark=mark)

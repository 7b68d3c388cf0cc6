"""Step two, plan, decides which documents to write and why, or why the operator may not write. Pure.

The rules of rotation say which keys to publish, and the stored documents say which writes are left to do. `decide` asks
both. Whoever carries out a decision saves `intent.ledger` before the first write (R12).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec
from oidc_publisher.api.durations import format_duration
from oidc_publisher.documents import (
    DISCOVERY_PATH,
    Difference,
    OwnerMark,
    PlannedDocuments,
    Write,
    WriteReason,
    differences,
    digest,
    plan_documents,
    plan_writes,
)
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import Target
from oidc_publisher.reconcile.ownership import Place, Standing, Stored, refusal
from oidc_publisher.reconcile.read import Readings, as_pass
from oidc_publisher.rotation import Advance, Ledger, Pass, Policy, advance, begin_write, coarse_phase


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent holds the writes to do, or the `problem` for which the operator may not write.

    `writes` stand in their order; the tuple is empty where there is nothing to write or writing is not allowed. Each write
    bears the raised serial, which `ledger` has too. `events` are told once all writes are done: that drift was repaired,
    that another owner's documents were taken over. `in_place` says that the stored documents are the planned ones.
    """

    ledger: Ledger
    problem: Finding | None = None
    writes: tuple[Write, ...] = ()
    events: tuple[Finding, ...] = ()
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision is the result of one round of a pass.

    `stored` is what the store holds at the issuer's place, `seen` the readings as the rules take the readings.
    """

    stored: Stored
    seen: Pass
    plan: Advance
    intent: Intent


def decide(
    issuer: OIDCIssuer, ledger: Ledger, readings: Readings, place: Place, target: Target, *, nonce: str
) -> Decision:
    """Advance the ledger by the readings, and return the writes to do at `place`, which carry `nonce`.

    The operator, `oidc-publisher plan` and the simulations decide by this function alone.
    """
    stored = Stored(place, readings.stored)
    phase = coarse_phase(issuer.metadata.uid)
    seen = as_pass(readings, ledger, policy_of(issuer.spec), stored=stored, target=target, phase=phase)
    plan = advance(ledger, seen)
    return Decision(stored, seen, plan, intend(issuer, plan, stored, nonce=nonce))


def policy_of(spec: OIDCIssuerSpec) -> Policy:
    """Return the settings of the spec that the rules of rotation use."""
    forget = spec.rotation.forget_cache_ages_before
    return Policy(
        pre_publish_period=spec.rotation.pre_publish_period,
        max_token_lifetime=spec.rotation.max_token_lifetime,
        clock_skew=spec.rotation.clock_skew,
        cache_max_age=spec.cache_max_age,
        withdrawn_key_ids=frozenset(spec.rotation.withdrawn_key_ids),
        forget_cache_ages_before=datetime.fromisoformat(forget) if forget else None,
    )


def intend(issuer: OIDCIssuer, plan: Advance, stored: Stored, *, nonce: str) -> Intent:
    """Return the writes that make the stored documents those of `plan`; only what was read in this pass decides.

    `nonce` is the random mark of this write (R9), empty where the caller writes nothing.
    """
    ledger, place, documents = plan.ledger, stored.place, stored.documents
    if documents.error is not None:
        return Intent(ledger, problem=documents.error.finding(subject=place.location))
    refused = refusal(stored)
    if refused is not None or not plan.publish:
        return Intent(ledger, problem=refused)
    planned = documents_for(issuer.spec, ledger, plan.publish, owner=place.owner, place=place.name)
    differing = differences(planned, documents)
    if not differing:
        return Intent(ledger, in_place=True)
    raised = begin_write(ledger, jwks_digest=digest(planned.jwks.body), nonce=nonce)
    return Intent(
        raised,
        writes=plan_writes(planned.under(_mark(raised, plan.publish, place.owner, place.name)), documents, differing),
        events=notes_on_write(stored, ledger, differing, settled=_settled(issuer, planned)),
    )


def _settled(issuer: OIDCIssuer, planned: PlannedDocuments) -> bool:
    """Tell whether this plan was written last, for this generation: a difference is then not our doing.

    The ledger's own digest cannot tell, because that digest follows what somebody else stored under our mark (R2).
    """
    publication = issuer.status.publication
    same = publication is not None and publication.jwks_digest == digest(planned.jwks.body)
    return same and issuer.status.observed_generation == issuer.metadata.generation


def documents_for(
    spec: OIDCIssuerSpec, ledger: Ledger, keys: tuple[PublicKey, ...], *, owner: str, place: str = ""
) -> PlannedDocuments:
    """Return both documents for `keys`, under the ledger's mark at the place of this name."""
    mark = _mark(ledger, keys, owner, place)
    return plan_documents(spec.issuer_url, spec.jwks_path, keys, cache_max_age=spec.cache_max_age, mark=mark)


def _mark(ledger: Ledger, keys: tuple[PublicKey, ...], owner: str, place: str) -> OwnerMark:
    """Return the owner mark with the ledger's serial and the longest times of the published keys (R9)."""
    chosen = frozenset(keys)
    published = [entry for entry in ledger.keys if entry.key in chosen]
    return OwnerMark(
        owner=owner,
        serial=ledger.serial,
        token_lifetime=max(entry.token_lifetime for entry in published),
        stale_age=max(entry.stale_age for entry in published),
        nonce=ledger.nonces[-1] if ledger.nonces else "",
        shown=place if ledger.shown else "",
    )


def notes_on_write(
    stored: Stored, ledger: Ledger, differing: tuple[Difference, ...], *, settled: bool
) -> tuple[Finding, ...]:
    """Return the events of a write that mends `differing`. `settled` says that this plan was written last."""
    if stored.standing in (Standing.MERGE, Standing.REPLACE):
        return (_taken_over(stored, ledger),)
    # A difference beside our own mark is drift, also where the status that noted the place was lost. After a take-over
    # that was cut short between its two writes the difference is no drift.
    damage, place = _damage(stored), stored.place
    half = stored.half_marked and (place.known or ledger.adopted_time is None)
    if not place.known and not half and not damage:
        return ()
    strangers = _strangers(stored, ledger)
    drifted = tuple(d for d in differing if (settled or half) and _is_drift(d, stored, ledger))
    if not strangers and not drifted and not damage:
        return ()
    what = [f"{difference.path}: {difference.reason}" for difference in drifted] + damage
    what += [f"key {key_id} is not known to this issuer and was removed" for key_id in strangers]
    return (Finding.of(Reason.DriftRepaired, f"{place.location} is repaired ({'; '.join(what)})"),)


def _damage(stored: Stored) -> list[str]:
    """Return the sentences about values in our own mark that cannot be (R9).

    Such a value is ignored, and the next write mends the mark.
    """
    damaged = [mark.damaged_lifetime for mark in reversed(stored.our_marks) if mark.damaged_lifetime]
    told = (
        f"the token lifetime of {format_duration(lifetime)} in its owner mark is beyond 8784h and ignored"
        for lifetime in damaged
    )
    return list(dict.fromkeys(told))


def _is_drift(difference: Difference, stored: Stored, ledger: Ledger) -> bool:
    """Tell whether somebody else changed the document.

    A new plan of our own and a write that was cut short make differences too, and neither of them is drift.
    """
    documents = stored.documents
    mark = documents.discovery_mark if difference.path == DISCOVERY_PATH else documents.jwks_mark
    if mark is None:
        return True
    if mark.serial < ledger.serial:
        return False  # the ledger was saved, and its write is still to come (R12)
    return difference.reason is not WriteReason.MARK_CHANGED  # a token lifetime or a cache age rose


def _strangers(stored: Stored, ledger: Ledger) -> tuple[str, ...]:
    """Return the IDs of the stored keys that the ledger does not know; an older ledger would have learnt those keys (R9)."""
    known = {entry.key_id for entry in ledger.keys}
    return tuple(key.key_id for key in stored.documents.keys if key.key_id not in known)


def _taken_over(stored: Stored, ledger: Ledger) -> Finding:
    message = f"The documents at {stored.place.location} are taken over (owner: {stored.owner_found})"
    if stored.standing is Standing.REPLACE:
        return Finding.of(Reason.DocumentsAdopted, f"{message}; their keys were replaced at once")
    known = {entry.key for entry in ledger.keys}
    kept = [key for key in stored.documents.keys if key in known]
    message = f"{message}; {len(kept)} of their keys stay published until no token signed with them can live"
    left_out = [*stored.documents.left_out, *_other_materials(stored, ledger)]
    if not left_out:
        return Finding.of(Reason.DocumentsAdopted, message)
    return Finding.of(Reason.DocumentsAdopted, f"{message}; left out: {', '.join(left_out)}", severity=Severity.WARNING)


def _other_materials(stored: Stored, ledger: Ledger) -> tuple[str, ...]:
    """Name the stored keys whose ID is that of another key of ours, because one ID cannot stand for two keys (R8)."""
    known = ((key, ledger.get(key.key_id)) for key in stored.documents.keys)
    return tuple(f"key {key.key_id} (ours is another one)" for key, entry in known if entry and entry.key != key)

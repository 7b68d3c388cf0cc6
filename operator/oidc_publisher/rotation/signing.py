"""Note which API server signs with which key (R7), and whether a key signed before it was safe (R10)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.clock import coarse
from oidc_publisher.rotation.ledger import Endpoint, Ledger, LedgerKey, replace

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass

#: API servers that left are remembered for people only. They are dropped beyond this many API servers in all.
MAX_ENDPOINTS = 64


def remember_endpoints(ledger: Ledger, seen: Pass) -> Ledger:
    """Note the key of the latest token of every API server, and mark those that left the EndpointSlice as gone.

    An API server that minted no token in this pass keeps the key of its latest known one.
    """
    present = seen.mints.endpoints
    known = {endpoint.address: endpoint for endpoint in ledger.endpoints}
    latest = {address: mint.key_id for address, mint in seen.minted.items()}
    if present is None:
        kept = [replace(e, key_id=latest.get(e.address, e.key_id)) for e in ledger.endpoints]
        return replace(ledger, endpoints=tuple(kept))
    endpoints = [
        Endpoint(address, latest.get(address) or known[address].key_id)
        for address in present
        if address in latest or address in known
    ]
    for endpoint in ledger.endpoints:
        if endpoint.address in present:
            continue
        gone = replace(endpoint, gone_since_time=endpoint.gone_since_time or seen.now)
        # Its tokens have expired by then, so no person needs the entry any more.
        if seen.now < (gone.gone_since_time or seen.now) + _longest_lifetime(ledger, seen) + seen.policy.clock_skew:
            endpoints.append(gone)
    ordered = sorted(endpoints, key=lambda e: (e.gone_since_time is not None, e.address))
    return replace(ledger, endpoints=tuple(ordered[: max(MAX_ENDPOINTS, len(present))]))


def _longest_lifetime(ledger: Ledger, seen: Pass) -> timedelta:
    return max([seen.policy.max_token_lifetime, *(entry.token_lifetime for entry in ledger.keys)])


def signing_key_ids(ledger: Ledger) -> frozenset[str]:
    """Return the kids of the latest tokens of the present API servers (R7)."""
    return frozenset(e.key_id for e in ledger.endpoints if e.gone_since_time is None)


def note_signatures(ledger: Ledger, seen: Pass) -> Ledger:
    """Note first signatures (R10). The keys that sign in the first complete pass are the baseline."""
    minted = {m.key_id for m in seen.mints.minted}
    first_complete = seen.complete and ledger.last_complete_pass_time is None

    def note(entry: LedgerKey) -> LedgerKey:
        signed = entry.key_id in minted
        first = entry.first_signed_time or (seen.now if signed else None)
        return replace(
            entry,
            first_signed_time=first,
            last_signed_time=coarse(entry.last_signed_time, seen.now, seen.phase) if signed else entry.last_signed_time,
            # A key that signed only before that pass is no baseline: a cluster that begins to sign with it again has to
            # wait.
            baseline=entry.baseline or (first_complete and signed and not _new_to_the_world(entry, ledger)),
        )

    completed = ledger.last_complete_pass_time
    if seen.complete:
        completed = coarse(completed, seen.now, seen.phase)
    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys), last_complete_pass_time=completed)


def _new_to_the_world(entry: LedgerKey, ledger: Ledger) -> bool:
    """Return whether the documents that were taken over lacked the key, so that their readers refuse its tokens."""
    adopted = ledger.adopted_time
    return adopted is not None and (entry.published_time is None or entry.published_time >= adopted)


def judge_signatures(ledger: Ledger, before: Ledger) -> Ledger:
    """Set signed_before_safe for each key whose first signature is seen before the key is safe (R10).

    This is decided once, in the pass that sees the signature. Before the first complete pass it is unknown which keys
    signed before this issuer was published, so nothing is decided. The first complete pass decides it for all keys that
    signed so far: those that no longer sign are no baseline. Another material is another key (R8).
    """
    if ledger.last_complete_pass_time is None:
        return ledger
    first_complete = before.last_complete_pass_time is None
    signed_before = {e.key for e in before.keys if e.first_signed_time is not None and not first_complete}

    def judge(entry: LedgerKey) -> LedgerKey:
        new = entry.first_signed_time is not None and entry.key not in signed_before
        early = new and not entry.known_to_caches and not (first_complete and entry.baseline)
        return replace(entry, signed_before_safe=True) if early else entry

    return replace(ledger, keys=tuple(judge(entry) for entry in ledger.keys))

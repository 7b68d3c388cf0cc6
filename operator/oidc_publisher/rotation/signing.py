"""R7 and R10: who signs with what, and whether it was early."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.clock import coarse
from oidc_publisher.rotation.ledger import Endpoint, Ledger, LedgerKey, replace

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass

#: API servers that left are remembered for people only; they are not where it would be more than this many with them.
MAX_ENDPOINTS = 64


def remember_endpoints(ledger: Ledger, seen: Pass) -> Ledger:
    """The latest token of every API server: fresh where it minted, else as known; those that left are marked as gone."""
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
        # Its tokens have died by then, so nobody will ask for it again.
        if seen.now < (gone.gone_since_time or seen.now) + _longest_lifetime(ledger, seen) + seen.policy.clock_skew:
            endpoints.append(gone)
    ordered = sorted(endpoints, key=lambda e: (e.gone_since_time is not None, e.address))
    return replace(ledger, endpoints=tuple(ordered[: max(MAX_ENDPOINTS, len(present))]))


def _longest_lifetime(ledger: Ledger, seen: Pass) -> timedelta:
    return max([seen.policy.max_token_lifetime, *(entry.token_lifetime for entry in ledger.keys)])


def signing_key_ids(ledger: Ledger) -> frozenset[str]:
    """R7: the kids of the latest tokens of the API servers that are present."""
    return frozenset(e.key_id for e in ledger.endpoints if e.gone_since_time is None)


def note_signatures(ledger: Ledger, seen: Pass) -> Ledger:
    """R10: note first signatures; the keys that sign in the first complete pass are the baseline."""
    minted = {m.key_id for m in seen.mints.minted}
    first_complete = seen.complete and ledger.last_complete_pass_time is None

    def note(entry: LedgerKey) -> LedgerKey:
        signed = entry.key_id in minted
        first = entry.first_signed_time or (seen.now if signed else None)
        return replace(
            entry,
            first_signed_time=first,
            last_signed_time=coarse(entry.last_signed_time, seen.now) if signed else entry.last_signed_time,
            # One that signed only earlier is none: those who took it up meanwhile have waited for nobody.
            baseline=entry.baseline or (first_complete and signed and not _new_to_the_world(entry, ledger)),
        )

    completed = coarse(ledger.last_complete_pass_time, seen.now) if seen.complete else ledger.last_complete_pass_time
    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys), last_complete_pass_time=completed)


def _new_to_the_world(entry: LedgerKey, ledger: Ledger) -> bool:
    """Whether the key signs although the documents that were taken over did not have it: their readers must refuse it."""
    adopted = ledger.adopted_time
    return adopted is not None and (entry.published_time is None or entry.published_time >= adopted)


def judge_signatures(ledger: Ledger, before: Ledger) -> Ledger:
    """R10: a key whose first signature is seen before it is safe signed early; decided once, in the pass that saw it.

    Until the first complete pass nobody knows who signed before we came, so nothing is called early. In that pass it is
    decided for all who signed so far: those who no longer do were no baseline. Another material is another key (R8).
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

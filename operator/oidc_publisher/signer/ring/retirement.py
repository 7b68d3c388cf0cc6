"""Decide which versions only verify from now on, and which are forgotten (S14 to S17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from oidc_publisher.signer.ring.ring import Ring, RingKey
from oidc_publisher.signer.ring.sight import Sight

#: No API server signs with a key for this many intervals before its private half is destroyed (S14).
UNUSED_INTERVALS = 2


def without_withdrawn(ring: Ring, withdrawn: frozenset[str]) -> Ring:
    """Return the ring without the versions that somebody withdrew, whose private halves are destroyed (S17)."""
    gone = [key.key_id for key in ring.keys if key.key_id in withdrawn]
    return ring.without(gone, withdrawn=True) if gone else ring


def unused_since(ring: Ring, sight: Sight) -> Mapping[str, datetime]:
    """Return by key ID since when no API server signs with a version, in every look since then (S14)."""
    if not sight.evidence or not all(issuer.signing_key_ids for issuer in sight.issuers):
        return {}
    used = {sight.signing_key_id}.union(*(issuer.signing_key_ids for issuer in sight.issuers))
    known = sight.memory.unused_since
    return {key.key_id: known.get(key.key_id, sight.now) for key in ring.keys if key.key_id not in used}


def without_private_halves(ring: Ring, sight: Sight, unused: Mapping[str, datetime]) -> Ring:
    """Return the ring in which versions that nobody signs with any more only verify (S14).

    A version that can sign and did so stays above each of them, so that one can always sign.
    """
    if sight.suspended:
        return ring
    newest = next((key for key in ring.keys if key.can_sign and key.signed_time), None)
    for key in ring.keys:
        if (
            newest is not None
            and key.number < newest.number
            and not key.verify_only
            and _long_unused(key, sight, unused)
        ):
            ring = ring.with_changed(replace(key, private=None, verify_only_time=sight.now))
    return ring


def _long_unused(key: RingKey, sight: Sight, unused: Mapping[str, datetime]) -> bool:
    since = unused.get(key.key_id)
    return since is not None and sight.now - since >= UNUSED_INTERVALS * max(i.interval for i in sight.issuers)


def gone_since(ring: Ring, sight: Sight) -> Mapping[str, Mapping[str, datetime]]:
    """Return by key ID and issuer the proof in which a ledger first lacked a version that only verifies (S15)."""
    if not sight.evidence:
        return sight.memory.gone
    found: dict[str, Mapping[str, datetime]] = {}
    for key in ring.keys:
        if key.verify_only and all(issuer.get(key.key_id) is None for issuer in sight.issuers):
            known = sight.memory.gone.get(key.key_id, {})
            found[key.key_id] = {i.name: known.get(i.name, i.proven_time or sight.now) for i in sight.issuers}
    return found


def trimmed(ring: Ring, sight: Sight, gone: Mapping[str, Mapping[str, datetime]]) -> Ring:
    """Return the ring with a tombstone for the oldest version, if nobody needs that one any more (S15).

    Imported versions stay until a person releases them, because token Secrets that never expire may need them (S16).
    """
    if sight.suspended or not sight.evidence:
        return ring
    oldest = next((k for k in reversed(ring.keys) if not k.imported or _released(k, sight)), None)
    if oldest is None or not _needless(oldest, sight, gone.get(oldest.key_id, {})):
        return ring
    return ring.without((oldest.key_id,))


def _needless(key: RingKey, sight: Sight, gone: Mapping[str, datetime]) -> bool:
    # A ledger that was begun after the key was excluded never held it, and says nothing of the tokens that live.
    lived = key.verify_only_time is not None and sight.now >= key.verify_only_time + sight.token_lifetime
    return lived and all(_lacks_twice(issuer.name, issuer.proven_time, gone) for issuer in sight.issuers)


def _lacks_twice(name: str, proven: datetime | None, gone: Mapping[str, datetime]) -> bool:
    return name in gone and proven is not None and proven > gone[name]


def _released(key: RingKey, sight: Sight) -> bool:
    intent = sight.intent
    return intent is not None and intent.trim_before is not None and key.number < intent.trim_before

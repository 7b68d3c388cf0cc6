"""Decide which version this signer signs with, and which one may sign next (S6 to S9, S17)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from oidc_publisher.signer.ring.ring import Ring, RingKey
from oidc_publisher.signer.ring.sight import Sight


def obstacle(key: RingKey, sight: Sight) -> str:
    """Say what keeps a version from being allowed, as a clause; empty where every issuer allows it (S6)."""
    if sight.doubt:
        return sight.doubt
    for issuer in sight.issuers:
        known = issuer.get(key.key_id)
        if known is None:
            return f"OIDCIssuer {issuer.name} has not seen it yet"
        if known.unlisted_by:
            return f"{', '.join(known.unlisted_by)} does not list it (OIDCIssuer {issuer.name})"
        if not known.safe:
            expected = f"before {known.expected}" if known.expected else "yet"
            return f"OIDCIssuer {issuer.name} does not call it safe to sign with {expected}"
    return ""


def allowed(key: RingKey, sight: Sight) -> bool:
    """Tell whether the whole world and the whole cluster can verify tokens of a version (S6)."""
    return not obstacle(key, sight)


def signing_key(ring: Ring, sight: Sight) -> RingKey | None:
    """Return the version to sign with now, None where there is none.

    The ring says of this version that it may sign, in a write that succeeded: only versions with `signed_time` are
    taken (S9). The present one stays until a newer one is allowed (S7).
    """
    signed = [key for key in _able(ring, sight) if key.signed_time]
    present = next((key for key in signed if key.key_id == sight.signing_key_id), None)
    if present is not None:
        newer = (key for key in signed if key.number > present.number)
        return present if sight.suspended else next((key for key in newer if allowed(key, sight)), present)
    if sight.signing_key_id in sight.withdrawn:
        return next((key for key in signed if allowed(key, sight)), next(iter(signed), None))
    return next(iter(signed), None)


def with_next_signer(ring: Ring, sight: Sight) -> Ring:
    """Return the ring in which the next version is marked as one that signs, before anybody signs with it (S9)."""
    chosen = _next_signer(ring, sight)
    return ring if chosen is None else ring.with_changed(replace(chosen, signed_time=sight.now))


def _next_signer(ring: Ring, sight: Sight) -> RingKey | None:
    able = tuple(_able(ring, sight))
    if not any(key.signed_time for key in able):
        return able[0] if able and (_founding(ring) or _in_distress(ring, sight)) else None
    present = signing_key(ring, sight)
    if sight.suspended or present is None:
        return None
    waiting = (key for key in able if key.number > present.number and not key.signed_time)
    return next((key for key in waiting if allowed(key, sight)), None)


def _able(ring: Ring, sight: Sight) -> Iterator[RingKey]:
    """Yield the versions that can sign, newest first. Nobody signs with a withdrawn key, whatever the ring says yet."""
    return (key for key in ring.keys if key.can_sign and key.key_id not in sight.withdrawn)


def _founding(ring: Ring) -> bool:
    """Tell whether the ring has one version and never had another, so that the cluster signs with it already (S8)."""
    return len(ring.keys) == 1 and not ring.tombstones


def _in_distress(ring: Ring, sight: Sight) -> bool:
    """Tell whether all that signed was withdrawn: a forged identity is worse than a refused one (S17)."""
    return any(stone.withdrawn for stone in ring.tombstones) or any(k.key_id in sight.withdrawn for k in ring.keys)

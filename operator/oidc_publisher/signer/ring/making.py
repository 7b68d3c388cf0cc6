"""Decide whether a new version is made (S13, S17)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oidc_publisher.findings import Reason
from oidc_publisher.signer.ring.ring import Ring, RingKey
from oidc_publisher.signer.ring.sight import RingIntent, Sight

#: Relying parties take more keys, but a ring that holds more than this goes wrong somewhere.
MAX_LISTED = 8
#: How much later than its period a rotation may begin, so that not every signer writes at one moment.
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Make:
    """A Make asks for a new version: its number, the kind of its key, and whether nobody can sign until it is there."""

    number: int
    algorithm: str
    distress: bool = False


@dataclass(frozen=True, slots=True)
class Making:
    """A Making is the answer: what to make, if anything, and what keeps a version from being made that is due.

    `blocked` is a clause, empty where nothing does. `reason` is set where the obstacle is a finding, because it does not
    go by itself.
    """

    make: Make | None = None
    blocked: str = ""
    reason: Reason | None = None


def making(ring: Ring, sight: Sight) -> Making:
    """Decide about a new version of a ring from which withdrawn versions are gone already."""
    number = ring.highest + 1
    intent = sight.intent or RingIntent()
    if _in_distress(ring):
        return Making(Make(number, intent.algorithm, distress=True))
    if sight.suspended:
        return Making()
    if intent.newest_version is not None and intent.newest_version > number:
        asked = (
            f"newestVersion asks for {intent.newest_version}, and the newest version there ever was is {ring.highest}"
        )
        return Making(blocked=asked, reason=Reason.ManagedRotationBlocked)
    if not (_asked(ring, intent) or _due(ring, sight, intent)):
        return Making()
    return next(_obstacles(ring, sight), Making(Make(number, intent.algorithm)))


def _in_distress(ring: Ring) -> bool:
    """Tell whether everything that could sign was withdrawn. Keys whose private halves were lost are for a person."""
    return all(key.verify_only for key in ring.keys) and any(stone.withdrawn for stone in ring.tombstones)


def _asked(ring: Ring, intent: RingIntent) -> bool:
    return intent.newest_version is not None and intent.newest_version > ring.highest


def _due(ring: Ring, sight: Sight, intent: RingIntent) -> bool:
    """Tell whether the period is over since the newest version was made that can sign, which need not be the greatest."""
    newest = _newest(ring)
    if intent.rotation_period is None or newest is None:
        return False
    return sight.now >= newest.created_time + intent.rotation_period * (1 + JITTER * sight.jitter)


def _newest(ring: Ring) -> RingKey | None:
    return next((key for key in ring.keys if key.can_sign), None)


def _obstacles(ring: Ring, sight: Sight) -> Iterator[Making]:
    newest = _newest(ring)
    if newest is None:
        yield Making(blocked="no version can sign", reason=Reason.ManagedRotationBlocked)
    elif newest.signed_time is None:
        yield Making(blocked=f"version {newest.number} has not signed yet")
    if sight.doubt:
        yield Making(blocked=sight.doubt)
    if sum(not key.verify_only for key in ring.keys) >= MAX_LISTED:
        yield Making(blocked=f"{MAX_LISTED} versions are listed", reason=Reason.ManagedRotationBlocked)
    for issuer, key_id in _strangers(ring, sight):
        unknown = f"the ledger of OIDCIssuer {issuer} holds {key_id}, which the ring does not know"
        yield Making(blocked=unknown, reason=Reason.RingBehind)


def _strangers(ring: Ring, sight: Sight) -> Iterator[tuple[str, str]]:
    """Yield issuer and key ID of keys that no other key source lists and the ring does not know: another disk may."""
    known = {key_id for _, key_id in ring.claims}
    for issuer in sight.issuers:
        for key in issuer.keys:
            if key.key_id not in known and not key.sources - issuer.api_sources:
                yield issuer.name, key.key_id

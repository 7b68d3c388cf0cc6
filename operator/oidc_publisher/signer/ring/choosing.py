"""Decide all that one signer does with the ring at one instant. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from oidc_publisher.findings import Finding
from oidc_publisher.signer.ring.making import Make, Making, making
from oidc_publisher.signer.ring.permission import obstacle, signing_key, with_next_signer
from oidc_publisher.signer.ring.retirement import (
    gone_since,
    trimmed,
    unused_since,
    without_private_halves,
    without_withdrawn,
)
from oidc_publisher.signer.ring.ring import Ring, RingKey
from oidc_publisher.signer.ring.sight import Memory, Sight


@dataclass(frozen=True, slots=True)
class Choice:
    """A Choice is what one signer does at one instant.

    `sign` is the version to sign with now, and `listed` are the versions that FetchKeys answers, newest first: both
    follow from the ring as it was written. `ring` is what to write in its place, and equal to it where nothing changes;
    only after that write may anything follow from it (S1). `make` asks for a private key, for which the caller writes
    the ring a second time. `memory` is for the next look. `waiting_for` says in a sentence what a rotation waits for.
    """

    ring: Ring
    sign: RingKey | None
    listed: tuple[RingKey, ...]
    memory: Memory
    make: Make | None = None
    waiting_for: str = ""
    findings: tuple[Finding, ...] = ()


def choose(ring: Ring, sight: Sight) -> Choice:
    """Apply the rules S6 to S17 to the ring as it is written, at the instant `sight.now`."""
    unused, gone = unused_since(ring, sight), gone_since(ring, sight)
    wanted = without_withdrawn(ring, sight.withdrawn)
    wanted = with_next_signer(wanted, sight)
    wanted = without_private_halves(wanted, sight, unused)
    wanted = trimmed(wanted, sight, gone)
    new = making(wanted, sight)
    # Jitter parts the signers by days. What is told is told by all of them alike, or each would take back the other's word.
    told = making(wanted, replace(sight, jitter=0.0))
    return Choice(
        wanted,
        signing_key(ring, sight),
        tuple(key for key in ring.keys if key.key_id not in sight.withdrawn),
        Memory(unused, gone),
        new.make,
        _waiting_for(wanted, sight, told),
        _findings(told),
    )


def _waiting_for(ring: Ring, sight: Sight, new: Making) -> str:
    newest = next((key for key in ring.keys if key.can_sign), None)
    if newest is not None and newest.signed_time is None and not sight.suspended:
        why = obstacle(newest, sight)
        return f"version {newest.number}: {why}" if why else ""
    return f"a new version: {new.blocked}" if new.blocked else ""


def _findings(new: Making) -> tuple[Finding, ...]:
    return (Finding.of(new.reason, f"No version is made: {new.blocked}"),) if new.reason else ()

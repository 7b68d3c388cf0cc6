"""Make this signer's part of the status of SigningKeyRing. Nothing decides by it, and it holds no key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from oidc_publisher.findings import Finding
from oidc_publisher.signer.kube.ringconditions import SignerEntry, condition, present, ready, rotating, written_time
from oidc_publisher.signer.ring import Choice, Ring, RingKey, Sight
from oidc_publisher.signer.ring.permission import allowed

#: How often `lastSeenTime` moves, if nothing else changes.
SEEN = timedelta(minutes=1)
#: What the ring's status says of the ring itself, which a signer that cannot read the ring leaves as it is.
_OF_THE_RING = ("observedGeneration", "versions", "highest", "nextRotationTime", "waitingFor")


def report_of(choice: Choice, sight: Sight, *, node: str, api_server: str, period: timedelta | None) -> dict[str, Any]:
    """Return what this signer applies: all versions, its own entry, and what a rotation waits for."""
    ring = choice.ring
    own = _own(node, choice, choice.findings)
    status = {
        "observedGeneration": sight.seen.generation,
        "versions": [_version(key, choice, sight) for key in ring.keys],
        "signers": [_entry(own, sight, api_server, ring.serial)],
        "highest": str(ring.highest),
        "nextRotationTime": _next(ring, period),
        "waitingFor": choice.waiting_for or None,
        "conditions": [
            condition("Ready", ready(own, choice.findings, sight), sight),
            condition("Rotating", rotating(own, choice, sight), sight),
        ],
    }
    return _known(status)


def trouble_of(trouble: Finding, choice: Choice | None, sight: Sight, *, node: str, api_server: str) -> dict[str, Any]:
    """Return what a signer applies that cannot read the ring: its own entry, and the condition Ready.

    `choice` is what it does from its disk meanwhile, None where that holds no ring. Of the ring it repeats what the status
    has already: what no signer applies any more would vanish from the status.
    """
    findings = (trouble,)
    own = _own(node, choice, findings)
    former = present(sight, "Rotating")
    return {
        **{name: sight.seen.status[name] for name in _OF_THE_RING if name in sight.seen.status},
        "signers": [_entry(own, sight, api_server, choice.ring.serial if choice else None)],
        "conditions": [condition("Ready", ready(own, findings, sight), sight), *([dict(former)] if former else [])],
    }


def _own(node: str, choice: Choice | None, findings: Iterable[Finding]) -> SignerEntry:
    signing = choice.sign if choice else None
    return SignerEntry(node, str(signing.number) if signing else "", tuple(str(each.reason) for each in findings))


def _entry(own: SignerEntry, sight: Sight, api_server: str, serial: int | None) -> dict[str, Any]:
    seen = sight.now - (sight.now - datetime.min.replace(tzinfo=sight.now.tzinfo)) % SEEN
    signer = {
        "node": own.node,
        "apiServer": api_server,
        "version": own.version or None,
        "serial": serial,
        "lastSeenTime": written_time(seen),
        "maxTokenLifetime": _duration(sight.token_lifetime),
        "findings": list(own.reasons),
    }
    return _known(signer)


def _version(key: RingKey, choice: Choice, sight: Sight) -> dict[str, Any]:
    return _known(
        {
            "version": str(key.number),
            "keyID": key.key_id,
            "algorithm": key.key.algorithm,
            "state": state_of(key, choice, sight),
            "imported": key.imported or None,
            "createdTime": written_time(key.created_time),
            "signingSinceTime": written_time(key.signed_time),
            "verifyOnlyTime": written_time(key.verify_only_time),
        }
    )


def state_of(key: RingKey, choice: Choice, sight: Sight) -> str:
    """Return the state of a version in one word, the first that matches."""
    signing = {choice.sign.key_id if choice.sign else None}.union(*(i.signing_key_ids for i in sight.issuers))
    matches: Iterable[tuple[str, bool]] = (
        ("Withdrawn", key.key_id in sight.withdrawn),
        ("VerifyOnly", key.verify_only),
        ("Signing", key.key_id in signing),
        ("Allowed", allowed(key, sight)),
    )
    return next((name for name, holds in matches if holds), "Waiting")


def _next(ring: Ring, period: timedelta | None) -> str | None:
    newest = next((key for key in ring.keys if key.can_sign), None)
    return None if period is None or newest is None else written_time(newest.created_time + period)


def _duration(duration: timedelta) -> str:
    """Return a duration as the API writes it: the flag counts hours."""
    hours, rest = divmod(duration, timedelta(hours=1))
    return f"{duration // timedelta(seconds=1)}s" if rest else f"{hours}h"


def _known(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}

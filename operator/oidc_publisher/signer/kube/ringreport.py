"""Make this signer's part of the status of SigningKeyRing. Nothing decides by it, and it holds no key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from oidc_publisher.signer.ring import Choice, Ring, RingKey, Sight
from oidc_publisher.signer.ring.permission import allowed

#: How often `lastSeenTime` moves, if nothing else changes.
SEEN = timedelta(minutes=1)


def report_of(choice: Choice, sight: Sight, *, node: str, api_server: str, period: timedelta | None) -> dict[str, Any]:
    """Return what this signer applies: all versions, its own entry, and what a rotation waits for."""
    ring = choice.ring
    status = {
        "versions": [_version(key, choice, sight) for key in ring.keys],
        **entry_of(choice, sight, node=node, api_server=api_server),
        "highest": str(ring.highest),
        "nextRotationTime": _next(ring, period),
        "waitingFor": choice.waiting_for or None,
        "conditions": [_ready(choice, ring)],
    }
    return _known(status)


def entry_of(choice: Choice, sight: Sight, *, node: str, api_server: str) -> dict[str, Any]:
    """Return this signer's own entry alone, which is all that a signer may say that does not read the ring."""
    seen = sight.now - (sight.now - datetime.min.replace(tzinfo=sight.now.tzinfo)) % SEEN
    signer = {
        "node": node,
        "apiServer": api_server,
        "version": str(choice.sign.number) if choice.sign else None,
        "serial": choice.ring.serial,
        "lastSeenTime": _time(seen),
        "maxTokenLifetime": _duration(sight.token_lifetime),
        "findings": [str(finding.reason) for finding in choice.findings],
    }
    return {"signers": [_known(signer)]}


def _version(key: RingKey, choice: Choice, sight: Sight) -> dict[str, Any]:
    return _known(
        {
            "version": str(key.number),
            "keyID": key.key_id,
            "algorithm": key.key.algorithm,
            "state": state_of(key, choice, sight),
            "imported": key.imported or None,
            "createdTime": _time(key.created_time),
            "signingSinceTime": _time(key.signed_time),
            "verifyOnlyTime": _time(key.verify_only_time),
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
    return None if period is None or newest is None else _time(newest.created_time + period)


def _ready(choice: Choice, ring: Ring) -> dict[str, Any]:
    """Return the condition; its time is that of the newest change of the ring, which every signer knows alike."""
    finding = next(iter(choice.findings), None)
    changed = max((time for key in ring.keys for time in (key.created_time, key.signed_time) if time), default=None)
    return {
        "type": "Ready",
        "status": "False" if finding else "True",
        "reason": str(finding.reason) if finding else "Succeeded",
        "message": finding.sentence if finding else "The ring is read, and tokens are signed.",
        "lastTransitionTime": _time(changed) or "1970-01-01T00:00:00Z",
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _duration(duration: timedelta) -> str:
    """Return a duration as the API writes it: the flag counts hours."""
    hours, rest = divmod(duration, timedelta(hours=1))
    return f"{duration // timedelta(seconds=1)}s" if rest else f"{hours}h"


def _known(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}

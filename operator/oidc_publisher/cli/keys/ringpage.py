"""The ring as one value, and what speaks against a change; the same for people and for programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from oidc_publisher.api.managed import SigningKeyRing, StatusVersion

#: A signer reports once a minute. One that has not for this long is not waited for, and named.
SILENT = timedelta(minutes=5)
_ON_ITS_WAY = frozenset({"Waiting", "Allowed"})


@dataclass(frozen=True, slots=True)
class RingLine:
    """One version; `signers` are the nodes that sign with it."""

    version: str
    key_id: str
    algorithm: str
    state: str
    imported: bool
    signers: tuple[str, ...]
    created_time: datetime | None
    signing_since_time: datetime | None


@dataclass(frozen=True, slots=True)
class RingPage:
    """The ring: its versions, newest first, and what a rotation waits for."""

    ready: str
    reason: str
    waiting_for: str
    next_rotation_time: datetime | None
    keys: tuple[RingLine, ...]


def ring_page(ring: SigningKeyRing) -> RingPage:
    """Make the page of a ring."""
    status = ring.status
    ready = next((condition for condition in status.conditions if condition.type == "Ready"), None)
    return RingPage(
        ready.status if ready else "Unknown",
        ready.reason if ready else "WaitingForSigner",
        status.waiting_for or "",
        status.next_rotation_time,
        tuple(_line(ring, version) for version in status.versions),
    )


def _line(ring: SigningKeyRing, version: StatusVersion) -> RingLine:
    nodes = (signer.node for signer in ring.status.signers if signer.version == version.version)
    return RingLine(
        version.version,
        version.key_id or "",
        version.algorithm or "",
        version.state or "",
        bool(version.imported),
        tuple(sorted(nodes)),
        version.created_time,
        version.signing_since_time,
    )


def next_version(ring: SigningKeyRing) -> int | None:
    """Return the number of the next version, None where no signer has reported yet."""
    highest = ring.status.highest
    return int(highest) + 1 if highest and highest.isdigit() else None


def rotation_under_way(ring: SigningKeyRing) -> str:
    """Say which version is on its way, as a sentence; empty where none is."""
    # A former version is Allowed as well, until it only verifies.
    newer = takewhile(lambda each: each.state != "Signing", ring.status.versions)
    waiting = next((each for each in newer if each.state in _ON_ITS_WAY), None)
    if waiting is not None:
        why = f" It waits for {ring.status.waiting_for}." if ring.status.waiting_for else ""
        return f"Version {waiting.version} does not sign everywhere yet.{why}"
    asked, following = ring.spec.newest_version, next_version(ring)
    if asked is not None and following is not None and int(asked) >= following:
        return f"Version {asked} is asked for already, and not made yet."
    return ""


def lagging(ring: SigningKeyRing, version: int, now: datetime) -> tuple[str, ...]:
    """Return the nodes whose signers report, and sign with another version."""
    return tuple(
        sorted(
            signer.node
            for signer in ring.status.signers
            if signer.version != str(version) and signer.last_seen_time and now - signer.last_seen_time <= SILENT
        )
    )


def silent(ring: SigningKeyRing, now: datetime) -> tuple[str, ...]:
    """Return the nodes whose signers have not reported for a while, because they are gone or broken."""
    return tuple(
        sorted(
            signer.node
            for signer in ring.status.signers
            if signer.last_seen_time is None or now - signer.last_seen_time > SILENT
        )
    )


def in_use_before(ring: SigningKeyRing, before: int) -> str:
    """Say which version below a number is still in use, as a sentence; empty where none is."""
    for version in reversed(ring.status.versions):
        if int(version.version) < before and version.state != "VerifyOnly":
            return f"Version {version.version} is {version.state}: it only verifies some intervals after a newer one signs."
    return ""


def imported_before(ring: SigningKeyRing, before: int) -> tuple[str, ...]:
    """Return the imported versions below a number."""
    return tuple(v.version for v in ring.status.versions if v.imported and int(v.version) < before)

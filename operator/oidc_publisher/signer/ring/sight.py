"""Define what a signer sees and remembers when it decides: the issuers, what is asked for, and its own past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from oidc_publisher.signer.ring.issuerview import IssuerView


@dataclass(frozen=True, slots=True)
class RingIntent:
    """A RingIntent is what people ask of the ring, in the spec of SigningKeyRing.

    `newest_version`: a version of this number, or a newer one, is to exist. `trim_before`: imported versions below it
    may go. `suspend`: no new version, no switch, nothing destroyed; signing goes on.
    """

    algorithm: str = "RS256"
    rotation_period: timedelta | None = None
    newest_version: int | None = None
    trim_before: int | None = None
    suspend: bool = False


@dataclass(frozen=True, slots=True)
class RingObject:
    """A RingObject is what SigningKeyRing has beside its spec: `status` as signers wrote it. Nothing decides by it."""

    generation: int = 0
    status: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """A Memory is what one signer has seen in a row, for rules that a single look does not satisfy.

    `unused_since`: by key ID, since when no API server signs with the key in any look (S14). `gone`: by key ID and
    issuer, the proof in which the ledger first lacked the key (S15).
    """

    unused_since: Mapping[str, datetime] = field(default_factory=dict)
    gone: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """A Sight is what a signer decides by at `now`, which is the API server's time.

    `issuers` are those that count for this ring. `intent` is None where SigningKeyRing cannot be read: then nothing new
    begins. `withdrawn` are key IDs of any issuer's withdrawnKeyIDs. `signing_key_id` is the key that this signer signed
    with last, by its disk. `evidence_since` is the later of the signer's start and of the last time that the ring was
    healed; what was proven before that is no evidence (S14). `jitter` between 0 and 1 is this signer's own.
    `token_lifetime` is the longest that a token may live, as Metadata declares. `seen` is for reports alone.
    """

    now: datetime
    issuers: tuple[IssuerView, ...] = ()
    intent: RingIntent | None = None
    withdrawn: frozenset[str] = frozenset()
    signing_key_id: str | None = None
    evidence_since: datetime | None = None
    jitter: float = 0.0
    token_lifetime: timedelta = timedelta(hours=24)
    memory: Memory = field(default_factory=Memory)
    seen: RingObject = field(default_factory=RingObject)

    @property
    def suspended(self) -> bool:
        """Whether nothing new may begin."""
        return self.intent is None or self.intent.suspend

    @property
    def doubt(self) -> str:
        """Why the issuers' statuses cannot be judged at present, as a clause; empty where each of them can."""
        if not self.issuers:
            return "no OIDCIssuer reads the keys of this cluster's API servers"
        doubts = ((issuer.name, issuer.doubt(self.now)) for issuer in self.issuers)
        return next((f"OIDCIssuer {name} {doubt}" for name, doubt in doubts if doubt), "")

    @property
    def evidence(self) -> bool:
        """Whether every issuer can be judged, and was proven since this signer knows the ring."""
        since = self.evidence_since
        return not self.doubt and since is not None and all(i.proven_since(since) for i in self.issuers)

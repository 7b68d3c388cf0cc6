"""What a person gives with --token, and what the token is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.verify.verification import TokenCheck
from oidc_publisher.findings import Finding
from oidc_publisher.probe import Judgement
from oidc_publisher.relyingparties.ownwords import Refusal

#: Each check, and the refusal that its failure leads to.
Checked = Iterator[tuple[TokenCheck, Refusal | None]]


@dataclass(frozen=True, slots=True)
class GivenToken:
    """What a person gave: a token, the audiences that the relying party expects, and what the role trusts."""

    token: str
    audiences: tuple[str, ...]
    role_trust: bytes | None

    @property
    def compared(self) -> bool:
        """Whether anything was given that audience or subject are compared with."""
        return bool(self.audiences) or self.role_trust is not None


@dataclass(frozen=True, slots=True)
class World:
    """What the token is compared with: the issuer as it was given, and what the probe judged of it."""

    issuer_url: str
    judgement: Judgement
    findings: tuple[Finding, ...]
    parties: tuple[RelyingParty, ...]
    now: datetime
    clock_offset: timedelta | None

"""What a pass that writes nothing comes back with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.findings import Finding
from oidc_publisher.probe import Look
from oidc_publisher.reconcile.ownership import Place, StoredDocuments
from oidc_publisher.reconcile.plan import Intent
from oidc_publisher.rotation import Advance, Pass


@dataclass(frozen=True, slots=True)
class Decided:
    """What one pass has read and decided; `findings` are those that it would report, `serial` the ledger's before it."""

    place: Place
    serial: int
    stored: StoredDocuments
    look: Look
    seen: Pass
    plan: Advance
    intent: Intent
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was read, for the store cannot be opened here."""

    findings: tuple[Finding, ...]

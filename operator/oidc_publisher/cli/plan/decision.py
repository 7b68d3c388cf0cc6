"""What a pass that writes nothing comes back with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.findings import Finding
from oidc_publisher.probe import Look
from oidc_publisher.reconcile.plan import Decision


@dataclass(frozen=True, slots=True)
class Decided:
    """What one pass has read and decided; `findings` are those that it would report, `serial` the ledger's before it."""

    serial: int
    look: Look
    decision: Decision
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was read, for the store cannot be opened here."""

    findings: tuple[Finding, ...]

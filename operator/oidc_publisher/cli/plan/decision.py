"""The two results of a pass that writes nothing.

The types stand apart from `look_and_decide`, which does I/O, so that everything that shows them stays pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.findings import Finding
from oidc_publisher.probe import Look
from oidc_publisher.reconcile.plan import Decision


@dataclass(frozen=True, slots=True)
class Decided:
    """The readings and decisions of one pass, the findings that it would report, and the ledger's `serial` before it."""

    serial: int
    look: Look
    decision: Decision
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The findings of a pass that read nothing, because the store cannot be opened here, or the remote cluster cannot be asked."""

    findings: tuple[Finding, ...]

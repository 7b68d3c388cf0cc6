"""One pass over one issuer, as it goes through the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.findings import Finding
from oidc_publisher.reconcile.ownership import Place
from oidc_publisher.rotation import Ledger


@dataclass(slots=True)
class Work:
    """What a pass has come to so far.

    `raw_status` and `resource_version` are those of the object as last read or written, `ledger` the newest one, which
    may not be saved yet. `place` is where it publishes, None before that is known. `problems` are what kept the steps
    from being done, `events` what is told once when the pass is reported.
    """

    issuer: OIDCIssuer
    resource_version: str
    raw_status: Mapping[str, Any]
    ledger: Ledger
    place: Place | None = None
    problems: list[Finding] = field(default_factory=list)
    events: list[Finding] = field(default_factory=list)
    wrote: bool = False

    @property
    def name(self) -> str:
        """The object's name."""
        return self.issuer.metadata.name

"""The port to a place that states the cluster's public keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding
from oidc_publisher.rotation import SourceReading


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What a source said, and what was wrong with it.

    `endpoints` are the present API server endpoints (HOST:PORT) for an apiServer source; None when they could not be
    learnt; the empty tuple for every other source.
    """

    reading: SourceReading
    findings: tuple[Finding, ...] = ()
    endpoints: tuple[str, ...] | None = ()


class Source(Protocol):
    """A place that states public keys."""

    @property
    def watches(self) -> tuple[ObjectReference, ...]:
        """The objects of the cluster whose change is worth a pass at once."""
        ...

    async def read(self) -> SourceResult:
        """Read everything once. Never raises for what the world does: a failure is an incomplete reading with findings."""
        ...

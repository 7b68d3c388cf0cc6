"""Define the port to a key source, which lists public keys of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding
from oidc_publisher.rotation import SourceReading


@dataclass(frozen=True, slots=True)
class SourceResult:
    """A SourceResult holds the reading of one source, and the findings about that source.

    `endpoints` are the present API server endpoints (HOST:PORT) of an apiServer source, None when they could not be
    learnt. Every other source has the empty tuple. `watched` are the objects of the cluster whose change starts a pass at
    once, each with the resourceVersion that was read, None where that is not known.
    """

    reading: SourceReading
    findings: tuple[Finding, ...] = ()
    endpoints: tuple[str, ...] | None = ()
    watched: Mapping[ObjectReference, str | None] = field(default_factory=dict)


class Source(Protocol):
    """A source lists public keys."""

    async def read(self) -> SourceResult:
        """Read the whole source once. A failure outside of the operator gives an incomplete reading with findings."""
        ...

"""A key source that is told what to say, for dry runs and tests."""

from __future__ import annotations

from collections.abc import Iterable

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Listing, SourceReading
from oidc_publisher.sources.port import SourceResult


class MemorySource:
    """States what it was last told; a complete reading of its keys unless told otherwise."""

    def __init__(self, name: str, keys: Iterable[PublicKey | Listing] = ()) -> None:
        self.name = name
        self.endpoints: tuple[str, ...] | None = ()
        self._reading = SourceReading(self.name, complete=False)
        self._findings: tuple[Finding, ...] = ()
        self.state(*keys)

    def state(self, *keys: PublicKey | Listing) -> None:
        """State exactly these keys from now on; no key at all is no complete reading (R4)."""
        listings = tuple(key if isinstance(key, Listing) else Listing(key) for key in keys)
        self._reading = SourceReading(self.name, complete=bool(listings), listings=listings)
        self._findings = ()

    def fail(self, *findings: Finding, missing: Iterable[str] = ()) -> None:
        """State nothing from now on, for these reasons."""
        self._reading = SourceReading(self.name, complete=False, missing=tuple(missing))
        self._findings = findings

    @property
    def watches(self) -> tuple[ObjectReference, ...]:
        """Nothing: it is read at each pass."""
        return ()

    async def read(self) -> SourceResult:
        """What it was told."""
        return SourceResult(self._reading, self._findings, self.endpoints)

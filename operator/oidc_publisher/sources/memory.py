"""Implement a key source in memory, for dry runs and tests."""

from __future__ import annotations

from collections.abc import Iterable

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Listing, SourceReading
from oidc_publisher.sources.port import SourceResult


class MemorySource:
    """A MemorySource gives the reading that was last set: a complete reading of its keys, or a failure."""

    def __init__(self, name: str, keys: Iterable[PublicKey | Listing] = ()) -> None:
        self.name = name
        self.endpoints: tuple[str, ...] | None = ()
        self._reading = SourceReading(self.name, complete=False)
        self._findings: tuple[Finding, ...] = ()
        self.state(*keys)

    def state(self, *keys: PublicKey | Listing) -> None:
        """List exactly these keys from now on. Without a key the reading is not complete (R4)."""
        listings = tuple(key if isinstance(key, Listing) else Listing(key) for key in keys)
        self._reading = SourceReading(self.name, complete=bool(listings), listings=listings)
        self._findings = ()

    def fail(self, *findings: Finding, missing: Iterable[str] = ()) -> None:
        """List no key from now on, with these findings."""
        self._reading = SourceReading(self.name, complete=False, missing=tuple(missing))
        self._findings = findings

    @property
    def watches(self) -> tuple[ObjectReference, ...]:
        """Empty: each pass reads this source, so that nothing is watched."""
        return ()

    async def read(self) -> SourceResult:
        """Return the reading that was last set."""
        return SourceResult(self._reading, self._findings, self.endpoints)

"""Implement a distribution in memory, for dry runs and tests."""

from __future__ import annotations

from collections.abc import Sequence

from oidc_publisher.errors import StoreError


class MemoryDistribution:
    """MemoryDistribution records invalidations. A reference used again is the same invalidation, as at CloudFront.

    `refusals` holds errors by method; each call of that method raises the next one. An invalidation is completed when
    its ID is in `done`.
    """

    def __init__(self, name: str = "EMEMORY") -> None:
        self.name = name
        self.invalidations: dict[str, tuple[str, ...]] = {}  # paths by reference, in the order of asking
        self.done: set[str] = set()
        self.calls: list[str] = []
        self.refusals: dict[str, list[StoreError]] = {}

    async def invalidate(self, paths: Sequence[str], reference: str) -> str:
        """Record the paths under the reference, which is also the ID of the invalidation."""
        self._called("invalidate")
        self.invalidations.setdefault(reference, tuple(paths))
        return reference

    async def completed(self, invalidation: str) -> bool:
        """Return whether the ID is in `done`."""
        self._called("completed")
        return invalidation in self.done

    async def check(self) -> None:
        """Return, unless `refusals` holds an error for this method."""
        self._called("check")

    def _called(self, method: str) -> None:
        self.calls.append(method)
        refusals = self.refusals.get(method)
        if refusals:
            raise refusals.pop(0)

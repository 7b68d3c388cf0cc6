"""A distribution in memory, for dry runs and tests."""

from __future__ import annotations

from collections.abc import Sequence

from oidc_publisher.errors import StoreError


class MemoryDistribution:
    """Remembers what was invalidated. A reference that is used again is the same invalidation, as at CloudFront.

    `refusals` are raised one after the other, each by the next call of the method named; an invalidation is completed
    when its ID is in `done`.
    """

    def __init__(self, name: str = "EMEMORY") -> None:
        self.name = name
        self.invalidations: dict[str, tuple[str, ...]] = {}  # paths by reference, in the order of asking
        self.done: set[str] = set()
        self.calls: list[str] = []
        self.refusals: dict[str, list[StoreError]] = {}

    async def invalidate(self, paths: Sequence[str], reference: str) -> str:
        """Note the paths under the reference, which is also the ID."""
        self._called("invalidate")
        self.invalidations.setdefault(reference, tuple(paths))
        return reference

    async def completed(self, invalidation: str) -> bool:
        """Whether the ID is in `done`."""
        self._called("completed")
        return invalidation in self.done

    async def check(self) -> None:
        """Serve every bucket, unless a refusal says otherwise."""
        self._called("check")

    def _called(self, method: str) -> None:
        self.calls.append(method)
        refusals = self.refusals.get(method)
        if refusals:
            raise refusals.pop(0)

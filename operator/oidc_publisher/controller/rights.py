"""Report rights that the operator lacks on the readiness page."""

from __future__ import annotations

import time
from collections.abc import Callable

from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.access import missing_rights

#: Granted rights are checked again after this time, a missing right at each request of the page.
_KEPT_S = 60.0


class RightsCheck:
    """A RightsCheck is one of the checks of the readiness page."""

    def __init__(self, client: ClusterAPI, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._good_until_s = float("-inf")

    async def check(self) -> str | None:
        """Return a sentence that names the missing rights, None when no right is missing."""
        if self._monotonic() < self._good_until_s:
            return None
        missing = await missing_rights(self._client)
        if not missing:
            self._good_until_s = self._monotonic() + _KEPT_S
            return None
        return f"the operator lacks rights: {', '.join(map(str, missing))} (value rbac.create of the Helm chart)"

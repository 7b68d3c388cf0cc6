"""Rights that the operator lacks, told where an admin looks: on the readiness page, and as an event of the object.

The status cannot tell it: without these rights nothing is read or written there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oidc_publisher.api import GROUP, PLURAL, ObjectMeta, OIDCIssuerStatus
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.cluster.access import missing_rights
from oidc_publisher.cluster.issuers import listed_issuer
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.reconcile.telling import Teller
from oidc_publisher.timing.clock import Clock

_FORBIDDEN = 403
_HINT = (
    f"Allow its ServiceAccount get, list and watch on {PLURAL}.{GROUP}, and patch on them and on {PLURAL}.{GROUP}/status; "
    "/readyz of the operator says which of these it lacks."
)
#: Rights that are there are asked for again after this time; one that is missing each time somebody wants to know.
_KEPT_S = 60.0


class RightsCheck:
    """A check for the readiness page."""

    def __init__(self, client: ClusterClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._good_until_s = float("-inf")

    async def check(self) -> str | None:
        """Name the rights that are missing, None when there are none."""
        if self._monotonic() < self._good_until_s:
            return None
        missing = await missing_rights(self._client)
        if not missing:
            self._good_until_s = self._monotonic() + _KEPT_S
            return None
        return f"the operator lacks rights: {', '.join(map(str, missing))}"


@dataclass(frozen=True, slots=True)
class _Object:
    metadata: ObjectMeta
    status: OIDCIssuerStatus


class ForbiddenIssuers:
    """Tells of each issuer that may not be read or written, once until that is over."""

    def __init__(self, client: ClusterClient, clock: Clock) -> None:
        self._client = client
        self._teller = Teller(client, clock)
        self._told: set[str] = set()

    def allowed(self, name: str) -> None:
        """Note that the issuer could be read and written."""
        self._told.discard(name)

    async def note(self, name: str, error: ClusterError, found: Mapping[str, Any] | None) -> None:
        """Tell of a request that failed, if it was forbidden; `found` is the object where it could be read."""
        if not isinstance(error, AnswerError) or error.status != _FORBIDDEN or name in self._told:
            return
        self._told.add(name)
        uid = await self._uid_of(name) if found is None else str(found["metadata"]["uid"])
        message = f"The operator can do nothing for this OIDCIssuer: {error.message}"
        finding = Finding.of(Reason.WaitingForOperator, message, hint=_HINT, subject=name, severity=Severity.WARNING)
        await self._teller.happened(_Object(ObjectMeta(name=name, uid=uid), OIDCIssuerStatus()), finding)

    async def _uid_of(self, name: str) -> str:
        """The UID, by which kubectl describe finds events; an operator that may list can learn it without `get`."""
        try:
            found = await listed_issuer(self._client, name)
        except ClusterError:
            return ""
        return str(found["metadata"]["uid"]) if found else ""

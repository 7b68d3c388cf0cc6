"""Read the SigningKeyRing of the cluster, in whose status signers say which versions they hold and what is wrong.

The ring is not a key source: a pass takes names from the ring and no key, and what cannot be read changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from oidc_publisher.api import GROUP, VERSION
from oidc_publisher.api.managed import RING_NAME, RING_PLURAL, SigningKeyRing, read_ring
from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.access import grant
from oidc_publisher.cluster.answer import list_in
from oidc_publisher.errors import AnswerError, ClusterError, InvalidObjectError
from oidc_publisher.timing.clock import Clock, SystemClock

#: All issuers of a process share an answer for this long: a ring tells a thousand issuers the same.
KEPT_S: Final = 10.0
#: So often the API server is asked whether it serves the kind, which most clusters do not have.
SERVED_AGAIN_S: Final = 60.0
_TIMEOUT_S: Final = 5.0
_KINDS = f"/apis/{GROUP}/{VERSION}"
_PATH = f"{_KINDS}/{RING_PLURAL}/{RING_NAME}"
_GRANT = grant(f"get {RING_PLURAL}.{GROUP} with resourceNames [{RING_NAME}]", "managedKeys.enabled")


class NoRing:
    """NoRing is the reader of a remote cluster, whose issuers know no ring.

    Signers wait for the OIDCIssuers of the cluster that they sign for, and those of a remote cluster are elsewhere.
    """

    async def read(self) -> SigningKeyRing | None:
        """Return None."""
        return None


class RingReader:
    """A RingReader reads the ring for all issuers of one cluster.

    `on_refusal` is called with what an admin has to allow, once in a row of refusals, because no finding says so.
    """

    def __init__(
        self, cluster: ClusterAPI, clock: Clock | None = None, *, on_refusal: Callable[[str], None] = lambda _: None
    ) -> None:
        self._cluster = cluster
        self._clock = clock or SystemClock()
        self._on_refusal = on_refusal
        self._one_at_a_time = asyncio.Lock()
        self._ring: SigningKeyRing | None = None
        self._served = self._refused = False
        self._read_again_s = self._ask_again_s = float("-inf")

    async def read(self) -> SigningKeyRing | None:
        """Return the ring; None where there is none, or where it cannot be read in this pass."""
        async with self._one_at_a_time:
            if self._clock.monotonic() >= self._read_again_s:
                self._ring = await self._read()
                self._read_again_s = self._clock.monotonic() + KEPT_S
            return self._ring

    async def _read(self) -> SigningKeyRing | None:
        try:
            if not await self._is_served():
                return None
            answer = await self._cluster.request("GET", _PATH, timeout_s=_TIMEOUT_S)
            self._refused = False
            return read_ring(answer.object())
        except AnswerError as error:
            if error.status == HTTPStatus.FORBIDDEN and not self._refused:
                self._refused = True
                self._on_refusal(_GRANT)
        except (ClusterError, InvalidObjectError):
            pass  # an API server that is away has a finding of its own, and what is no ring names nothing
        return None

    async def _is_served(self) -> bool:
        """Tell whether the cluster has the kind: else RBAC would refuse each request, for the audit log to show."""
        if not self._served and self._clock.monotonic() >= self._ask_again_s:
            self._ask_again_s = self._clock.monotonic() + SERVED_AGAIN_S
            self._served = RING_PLURAL in await self._kinds()
        return self._served

    async def _kinds(self) -> frozenset[str]:
        """Return the kinds of our group, which every user may list unless a hardened cluster takes that away."""
        try:
            answer = await self._cluster.request("GET", _KINDS, timeout_s=_TIMEOUT_S)
            found = list_in(answer.object(), "resources")
        except ClusterError:
            return frozenset()
        return frozenset(str(kind.get("name")) for kind in found if isinstance(kind, dict))

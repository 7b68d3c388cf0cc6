"""Renew the Lease of this shard, and read those of other shards, so that one that is down is named by the others.

The chart makes the Leases, so that the operator needs `get` and `patch` of these alone. Nothing but metrics and logs
depends on them: no shard takes over the issuers of another one, and none stops without its Lease.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from http import HTTPStatus

import structlog

from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.controller.peers.silence import SILENT_S, Silence
from oidc_publisher.controller.shard import Shard
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)

RENEW_S = 15.0

#: A request that is not answered by then is made again at the next renewal.
_TIMEOUT_S = 5.0

_HINTS: dict[int, str] = {
    HTTPStatus.FORBIDDEN: "Allow its ServiceAccount to get and patch it; the Helm chart does so with rbac.create.",
    HTTPStatus.NOT_FOUND: "Create it empty, as the Helm chart does, or leave --shard-leases away.",
}


class ShardLeases:
    """ShardLeases are the Leases NAME-1 to NAME-n in `namespace`, of which this process renews that of its shard."""

    def __init__(self, client: ClusterAPI, shard: Shard, place: tuple[str, str], clock: Clock | None = None) -> None:
        self._client = client
        self._shard = shard
        self._namespace, self._name = place
        self._clock = clock or SystemClock()
        self._silence = Silence(shard)
        self._named: frozenset[int] = frozenset()
        self._told: set[str] = set()

    @property
    def silent_s(self) -> Mapping[int, float]:
        """For how many seconds each shard that this one looks at has not renewed its Lease. Any thread may ask."""
        return self._silence.silent_s

    async def run(self) -> None:
        """Renew and read without end."""
        while True:
            await self.look()
            await asyncio.sleep(RENEW_S)

    async def look(self) -> None:
        """Renew the own Lease and read those of others once. No failure ends the operator."""
        for step in (self._renew, self._read):
            try:
                await step()
            except ClusterError as error:
                self._warn(error)
            except Exception:
                log.exception("The leases of shards failed in a way that is not known; they are tried again.")
        self._name_silent()

    async def _read(self) -> None:
        for part in self._silence.to_read():
            self._silence.read(part, await self._renewal(part), self._clock.monotonic())

    async def _renew(self) -> None:
        renewed = self._clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {"holderIdentity": socket.gethostname(), "leaseDurationSeconds": int(SILENT_S), "renewTime": renewed}
        await self._client.request(
            "PATCH",
            self._path(self._shard.index),
            body={"spec": spec},
            content_type="application/merge-patch+json",
            timeout_s=_TIMEOUT_S,
        )

    async def _renewal(self, part: int) -> str:
        answer = await self._client.request("GET", self._path(part), timeout_s=_TIMEOUT_S)
        spec = object_in(answer.object(), "spec")
        return f"{spec.get('holderIdentity')} {spec.get('renewTime')}"

    def _path(self, part: int) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases/{self._name}-{part}"

    def _warn(self, error: ClusterError) -> None:
        """Warn once of each cause that an admin has to mend; an API server that is away is logged elsewhere."""
        hint = _HINTS.get(error.status) if isinstance(error, AnswerError) else None
        if hint is not None and error.message not in self._told:
            self._told.add(error.message)
            log.warning(
                "A shard's lease cannot be used: one that is down may go unnamed.", why=error.message, hint=hint
            )

    def _name_silent(self) -> None:
        silent = frozenset(part for part, seconds in self.silent_s.items() if seconds >= SILENT_S)
        for part in sorted(silent - self._named):
            log.warning(
                "A shard is down: its issuers are neither proven nor repaired.", shard=f"{part}/{self._shard.count}"
            )
        for part in sorted(self._named - silent):
            log.info(
                "The shard renews its lease again, or another one looks at it.", shard=f"{part}/{self._shard.count}"
            )
        self._named = silent

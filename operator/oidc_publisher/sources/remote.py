"""Read the API servers of a remote cluster, whose kubeconfig is an object of the operator's own cluster."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from oidc_publisher.cluster import ClusterAPI, ObjectReference
from oidc_publisher.sources.apiserver import APIServerSource
from oidc_publisher.sources.objects import WatchRights
from oidc_publisher.sources.port import SourceResult


class RemoteSource:
    """A RemoteSource is the source of a remote cluster, which follows the Secret with the kubeconfig."""

    def __init__(
        self, source: APIServerSource, hub: ClusterAPI, kubeconfig: ObjectReference, rights: WatchRights
    ) -> None:
        self._source = source
        self._hub = hub
        self._kubeconfig = kubeconfig
        self._right = rights.of(kubeconfig)

    async def read(self) -> SourceResult:
        """Read all API servers, and report a kubeconfig that the operator may not watch; each change of it starts a pass."""
        result, unwatched = await asyncio.gather(self._source.read(), self._right.unwatched(self._hub))
        return replace(result, findings=(*result.findings, *unwatched), watched={self._kubeconfig: None})

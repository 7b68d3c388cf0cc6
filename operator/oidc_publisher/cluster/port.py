"""Define the port to a cluster: requests to its API servers, and streams of changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, Protocol

from oidc_publisher.cluster.answer import Answer


class ClusterAPI(Protocol):
    """A ClusterAPI sends requests to the API servers of one cluster. Every failure is a ClusterError."""

    @property
    def host_port(self) -> str:
        """The HOST:PORT of the API server for requests that name no endpoint."""
        ...

    @property
    def vouches(self) -> bool:
        """Whether an explicit CA identifies API servers. Without it no request goes to a single endpoint."""
        ...

    @property
    def grantee(self) -> str:
        """Who needs the rights that findings name, empty for the operator's ServiceAccount, which the chart makes."""
        ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        endpoint: str | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        repeatable: bool = False,
    ) -> Answer:
        """Send one request to the API server at `endpoint` and return its success (2xx)."""
        ...

    def stream(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: str, timeout_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the JSON objects of a watch until the server or `timeout_s` ends it."""
        ...

    def clock_offsets(self, since_s: float) -> Mapping[str, timedelta]:
        """Return each API server's clock minus the operator's, by HOST:PORT, of answers since `since_s` (R13)."""
        ...

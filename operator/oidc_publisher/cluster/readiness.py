"""Whether the API server answers, for the operator's own health."""

from __future__ import annotations

from oidc_publisher.cluster.client import ClusterClient
from oidc_publisher.errors import AnswerError, ClusterError

_FORBIDDEN = 403


async def api_answers(client: ClusterClient, *, timeout_s: float = 2.0) -> bool:
    """Whether the API server says that it is ready and knows the operator.

    Every authenticated user may read /readyz (ClusterRole system:public-info-viewer). Where that was taken away, the
    refusal itself is the answer of an API server that knows who asks.
    """
    try:
        await client.request("GET", "/readyz", timeout_s=timeout_s)
    except AnswerError as error:
        return error.status == _FORBIDDEN
    except ClusterError:
        return False
    return True

"""Repeat a failed reading once before it is reported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from oidc_publisher.cluster.client import CONNECT_TIMEOUT_S
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.sources.sharing import readings_since

_TOTAL_S = 5.0
#: An API server that has just started answers 403 for 0.1 s, until it has read its RBAC rules.
_RBAC_LOADS_S = 0.25

T = TypeVar("T")


async def confirmed(call: Callable[[float], Awaitable[T]]) -> T:
    """Call, and call once more if the first call failed, because a finding needs two failures.

    The second call shares no answer of another pass (sharing.py): it may be the one that could not be understood.
    `call` gets the seconds that are left; both calls share 5 s. A call that took as long as a connect timeout is not
    repeated, because TCP itself has retried meanwhile.
    """
    start_s = time.monotonic()
    try:
        return await call(_TOTAL_S)
    except ClusterError as error:
        if time.monotonic() - start_s >= CONNECT_TIMEOUT_S:
            raise
        if isinstance(error, AnswerError) and error.status == HTTPStatus.FORBIDDEN:
            await asyncio.sleep(_RBAC_LOADS_S)
    with readings_since(float("inf")):
        return await call(_TOTAL_S - (time.monotonic() - start_s))

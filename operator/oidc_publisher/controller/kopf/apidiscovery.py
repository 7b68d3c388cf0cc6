"""Wait until the API server serves OIDCIssuers.

kopf reads discovery once. It never notices a CRD that is applied later, or one whose entry in discovery appears after
its objects. So kopf is started only when both the objects and the entry in discovery are served.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from http import HTTPStatus

import structlog

from oidc_publisher.api import CRD_NAME, GROUP, PLURAL, VERSION
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.cluster.answer import list_in
from oidc_publisher.controller.kopf.reachability import Contact
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.timing.backoff import Backoff

log = structlog.stdlib.get_logger(__name__)

COLLECTION = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
_GROUP_VERSION = f"/apis/{GROUP}/{VERSION}"

#: One small request per second costs little, and an API server that returns is noticed within that time.
POLL = Backoff(base_s=0.1, cap_s=1.0)
_TIMEOUT_S = 3.0


class ServingStage(Enum):
    """A ServingStage states whether the API server serves the resource."""

    NO = auto()
    OBJECTS_ONLY = auto()  # discovery follows about 0.1 s later
    YES = auto()


async def wait_until_served(client: ClusterClient, contact: Contact) -> None:
    """Return when OIDCIssuers can be read and are in discovery; log once how to apply the CRD where it is missing."""
    told = False
    for pause_s in POLL:
        try:
            served = await serving_stage(client)
        except ClusterError as error:
            contact.failed(error.message)
        else:
            contact.answered()
            if served is ServingStage.YES:
                if told:
                    log.info("The CustomResourceDefinition is there.", crd=CRD_NAME)
                return
            if served is ServingStage.NO and not told:
                told = True
                log.warning(
                    "The CustomResourceDefinition is missing. Apply it: kubectl apply --server-side -f crds/",
                    crd=CRD_NAME,
                )
        await asyncio.sleep(pause_s)


async def serving_stage(client: ClusterClient) -> ServingStage:
    """Ask once.

    Raises:
        ClusterError: the API server did not answer, or refused.
    """
    if not await objects_are_served(client):
        return ServingStage.NO
    return ServingStage.YES if await _discovered(client) else ServingStage.OBJECTS_ONLY


async def objects_are_served(client: ClusterClient) -> bool:
    """Return whether OIDCIssuers can be listed, False when the API server does not serve the resource.

    Raises:
        ClusterError: the API server did not answer, or refused.
    """
    try:
        await client.request("GET", COLLECTION, params={"limit": "1"}, timeout_s=_TIMEOUT_S)
    except AnswerError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


async def _discovered(client: ClusterClient) -> bool:
    """Return whether discovery names the resource in both documents that kopf reads."""
    try:
        groups = (await client.request("GET", "/apis", timeout_s=_TIMEOUT_S)).object()
        version = (await client.request("GET", _GROUP_VERSION, timeout_s=_TIMEOUT_S)).object()
    except AnswerError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return _names(groups, "groups", GROUP) and _names(version, "resources", PLURAL)


def _names(listing: object, member: str, name: str) -> bool:
    return any(isinstance(item, dict) and item.get("name") == name for item in list_in(listing, member))

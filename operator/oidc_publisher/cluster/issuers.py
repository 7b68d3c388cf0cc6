"""Read and patch OIDCIssuer objects, and read the identity of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from oidc_publisher.api import GROUP, KIND, PLURAL, VERSION
from oidc_publisher.cluster.access import grant
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.cluster.failures import ObjectMissingError, where_forbidden
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason

_COLLECTION = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
#: The objects of one page. A full ledger makes an object of 412 kB, so 32 objects stay below the client's limit of 16
#: MiB.
_PAGE = "32"

Object = dict[str, Any]


async def get_issuer(client: ClusterAPI, name: str) -> Object | None:
    """Return the object, None when there is none of that name.

    Raises:
        ClusterError: the object could not be read. This includes a 404 about the resource, which is not served.
    """
    try:
        answer = await client.request("GET", _path(name))
    except ObjectMissingError:
        return None
    return answer.stored_object("name", "uid", "resourceVersion")


async def listed_issuer(client: ClusterAPI, name: str) -> Object | None:
    """Return the object from a listing, which needs another right than `get`; None when there is no such object.

    Raises:
        ClusterError: the object could not be listed.
    """
    answer = await client.request("GET", _COLLECTION, params={"fieldSelector": f"metadata.name={name}"})
    return next((item for item in answer.items() if object_in(item, "metadata").get("name") == name), None)


async def all_issuers(client: ClusterAPI) -> tuple[Object, ...]:
    """Return every OIDCIssuer.

    Raises:
        ClusterError: the objects could not be listed.
    """
    found: list[Object] = []
    params = {"limit": _PAGE}
    while True:
        answer = await client.request("GET", _COLLECTION, params=params)
        found += answer.items()
        following = object_in(answer.object(), "metadata").get("continue")
        if not following:
            return tuple(found)
        params |= {"continue": str(following)}


async def served_schema(client: ClusterAPI, kind: str = KIND) -> Object | None:
    """Return the schema by which the API server checks objects of a kind, None when it serves none of this version.

    Every authenticated user may read it (ClusterRole system:discovery), but not the CustomResourceDefinition itself.

    Raises:
        ClusterError: the schema could not be read.
    """
    try:
        answer = await client.request("GET", f"/openapi/v3/apis/{GROUP}/{VERSION}")
    except AnswerError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    schemas = object_in(object_in(answer.object(), "components"), "schemas")
    return next((found for name, found in schemas.items() if name.rpartition(".")[2] == kind), None)


async def patch_status(client: ClusterAPI, name: str, status_patch: Mapping[str, Any], resource_version: str) -> Object:
    """Merge a patch into the status of the object as it was at `resource_version`, and return the new object.

    Raises:
        ConflictError: the object was changed since (409); read it again and decide again.
        ClusterError: the status could not be written.
    """
    body = {"metadata": {"resourceVersion": resource_version}, "status": status_patch}
    answer = await client.request(
        "PATCH", _path(name) + "/status", body=body, content_type="application/merge-patch+json"
    )
    return answer.stored_object("resourceVersion")


async def patch_finalizers(client: ClusterAPI, name: str, finalizers: Sequence[str], resource_version: str) -> Object:
    """Set the finalizers of the object as it was at `resource_version`, and return the new object.

    The list is replaced as a whole. A later change by another writer is not overwritten, because the version differs
    then.

    Raises:
        ConflictError: the object was changed since (409); read it again and decide again.
        ClusterError: the finalizers could not be written.
    """
    body = {"metadata": {"resourceVersion": resource_version, "finalizers": list(finalizers)}}
    refused = f"The operator may not patch OIDCIssuer {name}, whose finalizer deletionPolicy Delete needs"
    with where_forbidden(Reason.SourceForbidden, refused, hint=grant(f"patch {PLURAL}.{GROUP}", "rbac.finalizers")):
        answer = await client.request("PATCH", _path(name), body=body, content_type="application/merge-patch+json")
    return answer.stored_object("resourceVersion")


async def kube_system_uid(client: ClusterAPI) -> str:
    """Return the UID of namespace kube-system, which identifies the cluster in owner marks.

    Raises:
        ClusterError: the namespace could not be read.
    """
    refused = "The operator may not read namespace kube-system, whose UID marks the documents as this cluster's"
    hint = grant("get the namespace kube-system", grantee=client.grantee)
    with where_forbidden(Reason.SourceForbidden, refused, hint=hint):
        answer = await client.request("GET", "/api/v1/namespaces/kube-system")
    return str(answer.stored_object("uid")["metadata"]["uid"])


def _path(name: str) -> str:
    return f"{_COLLECTION}/{quote(name, safe='')}"

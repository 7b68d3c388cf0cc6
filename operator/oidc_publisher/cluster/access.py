"""Ask the API server which rights the operator has."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

from oidc_publisher.api import GROUP, PLURAL
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.cluster.failures import unexpected_body
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.errors import ClusterError

_API_VERSION = "authorization.k8s.io/v1"
_PATH = f"/apis/{_API_VERSION}/selfsubjectaccessreviews"
_WHO_API_VERSION = "authentication.k8s.io/v1"
_WHO_PATH = f"/apis/{_WHO_API_VERSION}/selfsubjectreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """A Right is a verb on a resource, on one named object of the resource, or on a URL's `path` that is no resource's."""

    verb: str
    resource: str = PLURAL
    subresource: str = ""
    group: str = GROUP
    namespace: str = ""
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        """Return the right as RBAC and `kubectl auth can-i` write it."""
        if self.path:
            return f"{self.verb} on {self.path}"
        below = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} on {self.resource}{'.' if self.group else ''}{self.group}{below}"


def grant(what: str, value: str = "rbac.create", *, grantee: str = "") -> str:
    """Say what an admin has to allow, and the value of the Helm chart that allows it.

    `grantee` is who needs it in a remote cluster (ClusterAPI.grantee), where no chart grants anything.
    """
    if grantee:
        return f"Allow {grantee} to {what}; the page on hosted control planes has the Role to apply there."
    return f"Allow its ServiceAccount to {what}; the Helm chart does so with {value}."


#: The rights without each of which the operator can do nothing for any issuer.
NEEDED = (Right("get"), Right("list"), Right("watch"), Right("patch", subresource="status"))


async def missing_rights(client: ClusterAPI, *, timeout_s: float = 3.0) -> tuple[Right, ...]:
    """Return the rights of NEEDED that the operator does not have, by one SelfSubjectAccessReview each.

    A right whose review fails does not count as missing.
    """
    allowed = await asyncio.gather(*(is_allowed(client, right, timeout_s=timeout_s) for right in NEEDED))
    return tuple(right for right, yes in zip(NEEDED, allowed, strict=True) if yes is False)


async def is_allowed(client: ClusterAPI, right: Right, *, timeout_s: float = 3.0) -> bool | None:
    """Return whether the operator has the right; None where the review fails."""
    try:
        return await review_right(client, right, timeout_s=timeout_s)
    except ClusterError:
        return None


async def review_right(client: ClusterAPI, right: Right, *, timeout_s: float = 3.0) -> bool:
    """Return whether the caller has the right, by a SelfSubjectAccessReview.

    Every authenticated user may create these reviews (ClusterRole system:basic-user).

    Raises:
        ClusterError: the API server did not say.
    """
    attributes = {name: value for name, value in dataclasses.asdict(right).items() if value}
    asked: dict[str, object] = {"resourceAttributes": attributes}
    if right.path:
        asked = {"nonResourceAttributes": {"path": right.path, "verb": right.verb}}
    body = {"apiVersion": _API_VERSION, "kind": "SelfSubjectAccessReview", "spec": asked}
    answer = await client.request("POST", _PATH, body=body, timeout_s=timeout_s, repeatable=True)
    allowed = object_in(answer.object(), "status").get("allowed")
    if not isinstance(allowed, bool):
        raise unexpected_body(answer.status, "a review without a result", request=answer.request, asked=answer.asked)
    return allowed


async def own_name(client: ClusterAPI, *, timeout_s: float = 5.0) -> str:
    """Return the user name that the API server knows the credentials by, as `kubectl auth whoami` does (Kubernetes 1.28).

    Raises:
        ClusterError: the API server did not say.
    """
    body = {"apiVersion": _WHO_API_VERSION, "kind": "SelfSubjectReview"}
    answer = await client.request("POST", _WHO_PATH, body=body, timeout_s=timeout_s, repeatable=True)
    return str(object_in(object_in(answer.object(), "status"), "userInfo").get("username") or "")

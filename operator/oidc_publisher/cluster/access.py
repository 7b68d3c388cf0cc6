"""Ask the API server which rights the operator has."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

from oidc_publisher.api import GROUP, PLURAL
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.errors import ClusterError

_API_VERSION = "authorization.k8s.io/v1"
_PATH = f"/apis/{_API_VERSION}/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """A Right is a verb on a resource, or on one named object of the resource."""

    verb: str
    resource: str = PLURAL
    subresource: str = ""
    group: str = GROUP
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Return the right as RBAC and `kubectl auth can-i` write it."""
        below = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} on {self.resource}{'.' if self.group else ''}{self.group}{below}"


def grant(what: str, value: str = "rbac.create") -> str:
    """Say what an admin has to allow, and the value of the Helm chart that allows it."""
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
    """Return whether the operator has the right, by a SelfSubjectAccessReview; None where the review fails.

    Every authenticated user may create these reviews (ClusterRole system:basic-user).
    """
    attributes = dataclasses.asdict(right)
    body = {
        "apiVersion": _API_VERSION,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
    }
    try:
        answer = await client.request("POST", _PATH, body=body, timeout_s=timeout_s, repeatable=True)
        status = object_in(answer.object(), "status")
    except ClusterError:
        return None
    return status.get("allowed") is not False

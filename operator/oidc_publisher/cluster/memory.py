"""Implement a cluster in memory, whose API servers answer the requests of a pass, for simulations and tests."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from oidc_publisher.api import API_VERSION, GROUP, KIND, PLURAL, VERSION
from oidc_publisher.api.managed import RING_NAME, RING_PLURAL
from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.failures import answer_failure
from oidc_publisher.cluster.issuers import Object
from oidc_publisher.errors import UnreachableError
from oidc_publisher.findings import Reason

_KINDS = f"/apis/{GROUP}/{VERSION}"
_ISSUERS = f"{_KINDS}/{PLURAL}/"
_RING = f"{_KINDS}/{RING_PLURAL}/{RING_NAME}"
_EVENTS = "/apis/events.k8s.io/v1/"
_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


T = TypeVar("T")
#: Returns the token that the API server at an endpoint signs for an audience with a lifetime in seconds; None: it is
#: down.
Minter = Callable[[str, str, int], str | None]
#: Returns the `status` of a TokenReview by the API server at an endpoint; None: it is down.
Review = Callable[[str, str, tuple[str, ...]], Mapping[str, Any] | None]


@dataclass(slots=True)
class MemoryCluster:
    """A MemoryCluster holds the objects of one cluster; two functions stand for its API servers.

    A patch under an old resourceVersion is a conflict, as on the real server. `before` is called with the method and
    the path of each request, and may raise any exception: a fault, or the end of the process. `ring` is the
    SigningKeyRing, None in a cluster without managed keys.
    """

    uid: str = "00000000-0000-4000-8000-000000000000"
    mint: Minter = lambda *_: None
    review: Review = lambda *_: None
    before: Callable[[str, str], None] = lambda *_: None
    offsets: Callable[[], Mapping[str, timedelta]] = dict
    issuers: dict[str, Object] = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)
    ring: Object | None = None
    patches: int = 0
    conflicts: int = 0
    _version: int = 0

    @property
    def vouches(self) -> bool:
        """True, because every endpoint of this cluster is an API server."""
        return True

    @property
    def grantee(self) -> str:
        """Empty, because this is the operator's own cluster."""
        return ""

    @property
    def host_port(self) -> str:
        """The HOST:PORT of the server for requests that name no endpoint."""
        return "memory:6443"

    def apply(self, name: str, spec: Mapping[str, Any], *, uid: str = "") -> Object:
        """Create or change an OIDCIssuer, as `kubectl apply` does; another spec gives another generation."""
        present = self.issuers.get(name)
        metadata = {"name": name, "uid": uid or f"uid-of-{name}", "generation": 1}
        changed = present is not None and present["spec"] != spec
        if present is not None:
            metadata = {**present["metadata"], "generation": present["metadata"]["generation"] + changed}
        status = present.get("status", {}) if present else {}
        return self._keep(name, {"metadata": metadata, "spec": dict(spec), "status": status})

    def set_status(self, name: str, status: Mapping[str, Any]) -> Object:
        """Write the status as another writer than the operator does."""
        return self._keep(name, {**self.issuers[name], "status": dict(status)})

    async def request(
        self,
        method: str,
        path: str,
        *,
        endpoint: str | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",  # noqa: ARG002 - every body is JSON, every patch a merge patch
        params: Mapping[str, str] | None = None,  # noqa: ARG002 - nothing here is listed
        timeout_s: float = 10.0,  # noqa: ARG002 - memory answers at once
        repeatable: bool = False,  # noqa: ARG002 - no answer is lost
    ) -> Answer:
        """Answer one request; raises ClusterError as the real client does."""
        self.before(method, path)
        asked = endpoint or self.host_port
        status, found = self._answer(method, path, asked, dict(body or {}))
        payload = json.dumps(found).encode()
        request = f"{method} {path}"
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise answer_failure(status, payload, request=request, asked=asked)
        return Answer(status, payload, asked, request)

    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str,
        timeout_s: float,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """End at once, because this cluster has no watches."""
        del path, params, accept, timeout_s
        return
        yield {}

    def clock_offsets(self, since_s: float) -> Mapping[str, timedelta]:
        """Return the result of `offsets`."""
        del since_s
        return self.offsets()

    def _answer(self, method: str, path: str, asked: str, body: Object) -> tuple[int, Object]:
        found = self._read(path)
        if found is not None:
            return HTTPStatus.OK, found
        if path.startswith(_ISSUERS):
            return self._issuer(method, path.removeprefix(_ISSUERS), body)
        if path.startswith(_EVENTS):
            return self._event(method, path.rpartition("/")[2], body)
        if path.endswith("/token"):
            spec = body["spec"]
            token = self.mint(asked, spec["audiences"][0], spec["expirationSeconds"])
            return HTTPStatus.CREATED, {**body, "status": {"token": _answered(token, asked)}}
        if path == _REVIEWS:
            spec = body["spec"]
            review = self.review(asked, spec["token"], tuple(spec["audiences"]))
            return HTTPStatus.CREATED, {**body, "status": _answered(review, asked)}
        return HTTPStatus.NOT_FOUND, {"kind": "Status", "reason": "NotFound", "message": "not found"}

    def _read(self, path: str) -> Object | None:
        """Return what is only ever read."""
        if path == _KINDS:
            return {"resources": [{"name": RING_PLURAL}] if self.ring else []}
        if path == _KUBE_SYSTEM:
            return {"kind": "Namespace", "metadata": {"name": "kube-system", "uid": self.uid}}
        return self.ring if path == _RING else None

    def _event(self, method: str, name: str, body: Object) -> tuple[int, Object]:
        if method == "PATCH":
            found = next((event for event in self.events if event["metadata"]["name"] == name), None)
            if found is None:
                return HTTPStatus.NOT_FOUND, {
                    "kind": "Status",
                    "reason": "NotFound",
                    "details": {"name": name, "kind": "events"},
                }
            found.update(body)
            return HTTPStatus.OK, found
        if any(event["metadata"]["name"] == body["metadata"]["name"] for event in self.events):
            return HTTPStatus.CONFLICT, {"kind": "Status", "reason": "AlreadyExists", "message": "it exists"}
        self.events.append(body)
        return HTTPStatus.CREATED, body

    def _issuer(self, method: str, rest: str, body: Object) -> tuple[int, Object]:
        name, _, part = rest.partition("/")
        present = self.issuers.get(name)
        if present is None:
            details = {"name": name, "kind": PLURAL, "group": GROUP}
            return HTTPStatus.NOT_FOUND, {"kind": "Status", "reason": "NotFound", "details": details}
        if method == "GET":
            return HTTPStatus.OK, present
        version = body["metadata"].pop("resourceVersion")
        if version != present["metadata"]["resourceVersion"]:
            self.conflicts += 1
            return HTTPStatus.CONFLICT, {"kind": "Status", "reason": "Conflict", "message": "changed"}
        self.patches += 1
        patched = merged(present, {"status": body["status"]} if part == "status" else {"metadata": body["metadata"]})
        if patched["metadata"].get("deletionTimestamp") and not patched["metadata"].get("finalizers"):
            del self.issuers[name]
            return HTTPStatus.OK, patched
        return HTTPStatus.OK, self._keep(name, patched)

    def _keep(self, name: str, issuer: Mapping[str, Any]) -> Object:
        self._version += 1
        metadata = {**issuer["metadata"], "resourceVersion": str(self._version)}
        self.issuers[name] = {"apiVersion": API_VERSION, "kind": KIND, **issuer, "metadata": metadata}
        return self.issuers[name]


def merged(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386) to a copy of a value."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for name, part in patch.items():
        if part is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), part)
    return result


def _answered(answer: T | None, asked: str) -> T:
    if answer is None:
        raise UnreachableError(Reason.APIServerUnreachable, f"{asked} is down", retryable=True, subject=asked)
    return answer

"""JSON of the API server in which any member is null, absent or of another type: an answer or an error with a reason."""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.cluster import (
    ClusterClient,
    ObjectReference,
    api_server_endpoints,
    get_issuer,
    kube_system_uid,
    mint_token,
    patch_finalizers,
    patch_status,
    review_token,
)
from oidc_publisher.controller.kopf.apidiscovery import serving_stage
from oidc_publisher.errors import AnswerError, PublisherError
from oidc_publisher.findings import Reason
from oidc_publisher.sources.entries import EntryPattern
from oidc_publisher.sources.objects import ObjectSource
from tests.support.apistub import client_of, says, serving

if TYPE_CHECKING:
    from tests.support.pki import PKI

ISSUERS = "/apis/oidc-publisher.io/v1alpha1"
METADATA = {"name": "prod", "uid": "u", "resourceVersion": "1", "generation": 1}
ISSUER = {"metadata": METADATA, "spec": {"issuerURL": "https://a"}, "status": {"conditions": []}}
SLICE = {
    "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
    "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
}

OTHERS: tuple[Any, ...] = (None, "text", 7, [], {}, [None], ["text"])

Call = Callable[[ClusterClient], Awaitable[object]]
#: The path that is asked, a good answer, and who reads it.
CALLS: dict[str, tuple[str, str, Any, Call]] = {
    "TokenRequest": (
        "POST",
        "/api/v1/namespaces/n/serviceaccounts/s/token",
        {"status": {"token": "t"}},
        lambda c: mint_token(c, None, namespace="n", name="s", audience="a"),
    ),
    "TokenReview": (
        "POST",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        {"status": {"authenticated": True, "error": ""}},
        lambda c: review_token(c, None, "t", ["a"]),
    ),
    "EndpointSlices": (
        "GET",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        {"items": [SLICE]},
        api_server_endpoints,
    ),
    "kube-system": ("GET", "/api/v1/namespaces/kube-system", {"metadata": METADATA}, kube_system_uid),
    "OIDCIssuer": ("GET", f"{ISSUERS}/oidcissuers/prod", ISSUER, lambda c: get_issuer(c, "prod")),
    "status": ("PATCH", f"{ISSUERS}/oidcissuers/prod/status", ISSUER, lambda c: patch_status(c, "prod", {}, "1")),
    "finalizers": ("PATCH", f"{ISSUERS}/oidcissuers/prod", ISSUER, lambda c: patch_finalizers(c, "prod", [], "1")),
    "ConfigMap": (
        "GET",
        "/api/v1/namespaces/n/configmaps/c",
        {"data": {"a": "x"}, "binaryData": {"b": "eA=="}},
        lambda c: ObjectSource(c, "s", ObjectReference("ConfigMap", "n", "c"), EntryPattern(".*")).read(),
    ),
    "groups": ("GET", "/apis", {"groups": [{"name": "oidc-publisher.io"}]}, serving_stage),
    "resources": ("GET", ISSUERS, {"resources": [{"name": "oidcissuers"}]}, serving_stage),
}


def spoilt(answer: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The answer with each of its members null, absent and of another type in turn."""
    for value in OTHERS:
        yield f"{path} {json.dumps(value)}", value
    members = answer.items() if isinstance(answer, dict) else enumerate(answer) if isinstance(answer, list) else ()
    for name, member in members:
        for how, other in spoilt(member, (*path, name)):
            changed = copy.copy(answer)
            changed[name] = other
            yield how, changed
        if isinstance(answer, dict):
            yield f"{(*path, name)} absent", {key: value for key, value in answer.items() if key != name}


@pytest.mark.parametrize("name", CALLS)
async def test_a_null_is_no_crash(pki: PKI, name: str) -> None:
    """Nothing but our own errors comes out, so that no pass ends as InternalError."""
    method, path, good, call = CALLS[name]
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{ISSUERS}/oidcissuers", says({"items": []}))
        stub.on("GET", "/apis", says({"groups": []}))
        stub.on("GET", ISSUERS, says({"resources": []}))
        for how, answer in spoilt(good):
            stub.on(method, path, says(answer))
            try:
                await call(client)
            except PublisherError as error:
                assert error.reason is not Reason.InternalError, how  # noqa: PT017 - an answer is right too


async def test_a_token_request_without_status_has_its_reason(pki: PKI) -> None:
    """`"status": null` ended a pass as InternalError."""
    method, path, _, call = CALLS["TokenRequest"]
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on(method, path, says({"status": None}))
        with pytest.raises(AnswerError) as caught:
            await call(client)
    assert caught.value.reason is Reason.TokenRequestFailed


async def test_an_object_without_metadata_was_not_read(pki: PKI) -> None:
    """It is no object of ours: the pass is tried again, and nothing is decided by it."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{ISSUERS}/oidcissuers/prod", says({**ISSUER, "metadata": None}))
        with pytest.raises(AnswerError, match="an object without metadata"):
            await get_issuer(client, "prod")


@pytest.mark.parametrize("protocol", [None, "TCP"])
async def test_a_null_is_a_default(pki: PKI, protocol: str | None) -> None:
    """A port whose protocol is null is one of TCP, as one without it."""
    ports = [{"name": "https", "port": 6443, "protocol": protocol}]
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", CALLS["EndpointSlices"][1], says({"items": [{**SLICE, "ports": ports}]}))
        assert await api_server_endpoints(client) == ("10.0.0.1:6443",)

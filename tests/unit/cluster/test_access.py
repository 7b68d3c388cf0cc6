"""A refused request says which right is missing, and which value of the chart grants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from oidc_publisher.cluster import (
    ClusterAPI,
    ObjectReference,
    api_server_endpoints,
    get_object,
    kube_system_uid,
    mint_token,
    patch_finalizers,
    post_event,
    review_token,
)
from oidc_publisher.errors import AnswerError
from tests.support.apistub import client_of, refuses, serving
from tests.support.pki import PKI

DENIED = refuses(403, "Forbidden", "no")
ISSUERS = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
MAP = ObjectReference("ConfigMap", "keys", "signers")
SECRET = ObjectReference("Secret", "keys", "hosted-sa")
AT = datetime(2026, 1, 1, tzinfo=UTC)

Ask = Callable[[ClusterAPI], Awaitable[object]]
#: What is asked, at which path, and the words of the advice: the verb, the resource, the value.
REFUSALS: dict[str, tuple[Ask, str, str, str]] = {
    "endpoints": (
        api_server_endpoints,
        "GET /apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        "list endpointslices (discovery.k8s.io) in namespace default",
        "rbac.create",
    ),
    "cluster": (kube_system_uid, "GET /api/v1/namespaces/kube-system", "get the namespace kube-system", "rbac.create"),
    "config map": (
        lambda client: get_object(client, MAP),
        "GET /api/v1/namespaces/keys/configmaps/signers",
        "get and watch configmaps with resourceNames [signers] in namespace keys",
        "{namespace: keys, name: signers} in rbac.configMaps",
    ),
    "secret": (
        lambda client: get_object(client, SECRET),
        "GET /api/v1/namespaces/keys/secrets/hosted-sa",
        "get and watch secrets with resourceNames [hosted-sa] in namespace keys",
        "{namespace: keys, name: hosted-sa} in rbac.secrets",
    ),
    "token": (
        lambda client: mint_token(client, None, namespace="default", name="probe", audience="a"),
        "POST /api/v1/namespaces/default/serviceaccounts/probe/token",
        "create serviceaccounts/token of probe in namespace default",
        "rbac.create",
    ),
    "review": (
        lambda client: review_token(client, None, "token", ["a"]),
        "POST /apis/authentication.k8s.io/v1/tokenreviews",
        "create tokenreviews (authentication.k8s.io)",
        "rbac.create",
    ),
    "finalizer": (
        lambda client: patch_finalizers(client, "prod", [], "1"),
        f"PATCH {ISSUERS}/prod",
        "patch oidcissuers.oidc-publisher.io",
        "rbac.finalizers",
    ),
    "event": (
        lambda client: post_event(
            client,
            {"name": "prod", "uid": "u"},
            name="prod.1",
            reason="Proven",
            note="",
            warning=False,
            action="Reconcile",
            at=AT,
        ),
        "POST /apis/events.k8s.io/v1/namespaces/default/events",
        "create events (events.k8s.io) in namespace default",
        "rbac.create",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_names_the_right_and_the_value_that_grants_it(pki: PKI, case: str) -> None:
    """Whoever reads the finding needs neither the source nor the chart."""
    ask, request, right, value = REFUSALS[case]
    method, path = request.split()
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on(method, path, DENIED)
        with pytest.raises(AnswerError) as caught:
            await ask(client)
        assert right in caught.value.hint
        assert caught.value.hint.endswith(f"; the Helm chart does so with {value}.")
        assert caught.value.status == 403


async def test_a_probe_account_that_does_not_exist_is_named_with_the_values_that_make_it(pki: PKI) -> None:
    """Whoever set probe.serviceAccount.create to false is told of it."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        path = "/api/v1/namespaces/default/serviceaccounts/probe/token"
        stub.on("POST", path, refuses(404, "NotFound", 'serviceaccounts "probe" not found'))
        with pytest.raises(AnswerError, match="ServiceAccount default/probe does not exist") as caught:
            await mint_token(client, None, namespace="default", name="probe", audience="a")
        assert "probe.serviceAccount.create" in caught.value.hint

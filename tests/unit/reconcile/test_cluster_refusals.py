"""A refusal by the cluster itself, before anything is read, stands in the object's status: only a person can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.ports import PortOpener
from oidc_publisher.reconcile.reconciler import Reconciler
from tests.support.apistub import APIStub, client_of, refuses, says, serving

if TYPE_CHECKING:
    from tests.support.pki import PKI

ISSUER = "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
OBJECT: dict[str, Any] = {
    "metadata": {"name": "prod", "uid": "u-1", "generation": 1, "resourceVersion": "7"},
    "spec": {
        "issuerURL": "https://oidc.example.com/prod",
        "store": {"s3": {"bucket": "example-oidc", "region": "eu-central-1"}},
    },
}


async def _pass(pki: PKI, status: int, reason: str) -> tuple[Any, list[dict[str, Any]]]:
    """One pass while the cluster answers so for its identity; the outcome, and the status patches."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", ISSUER, says(OBJECT))
        stub.on("GET", KUBE_SYSTEM, refuses(status, reason, "not now"))
        stub.on("PATCH", f"{ISSUER}/status", says(OBJECT))
        reconciler = Reconciler(client, PortOpener(client).open)
        outcome = await reconciler.reconcile("prod")
        await reconciler.close()
        return outcome, _patches(stub)


def _patches(stub: APIStub) -> list[dict[str, Any]]:
    return [seen.body["status"] for seen in stub.seen if (seen.method, seen.path) == ("PATCH", f"{ISSUER}/status")]


async def test_a_namespace_that_may_not_be_read_is_said_in_the_status(pki: PKI) -> None:
    """RBAC lacks `get` on kube-system: Ready says so, and does not wait for an operator that is there."""
    outcome, (status,) = await _pass(pki, 403, "Forbidden")
    assert isinstance(outcome, Outcome)
    assert outcome.failed
    conditions = {condition["type"]: condition for condition in status["conditions"]}
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("False", "SourceForbidden")
    assert "namespace kube-system" in conditions["Ready"]["message"]
    assert "Stalled" in conditions


@pytest.mark.parametrize(("status", "reason"), [(503, "ServiceUnavailable"), (429, "TooManyRequests")])
async def test_what_passes_by_itself_is_tried_again_and_costs_no_patch(pki: PKI, status: int, reason: str) -> None:
    """An API server that is busy for a moment is no state of the issuer."""
    outcome, patches = await _pass(pki, status, reason)
    assert isinstance(outcome, Outcome)
    assert outcome.failed
    assert patches == []

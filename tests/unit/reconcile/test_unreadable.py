"""An object that the API server admits and this version cannot read: somebody hears of it, and it can be deleted."""

from __future__ import annotations

import contextlib
import copy
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from oidc_publisher.api import RECONCILE_REQUESTED_AT, read_issuer
from oidc_publisher.cli.connection import NoAnswerError
from oidc_publisher.cli.plan.decide import living_issuer
from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.reconcile.delete import FINALIZER
from oidc_publisher.reconcile.passes import Gone, Outcome
from oidc_publisher.reconcile.ports import PortOpener
from oidc_publisher.reconcile.reconciler import Reconciler
from tests.api_objects import good_objects
from tests.api_objects.mutation import mutations
from tests.support.apistub import APIStub, client_of, says, serving
from tests.support.examples import about

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.pki import PKI

ISSUER = "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
KEY = {"keyID": "k1", "state": "Signing", "aMemberOfTomorrow": {"a": 1}}
STATUS: dict[str, Any] = {
    "observedGeneration": 6,
    "conditions": [
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": "Good.",
            "observedGeneration": 6,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind, reason in (("Ready", "Proven"), ("KeysRead", "Succeeded"), ("example.com/Foreign", "Mine"))
    ],
    "findings": [{"reason": "PrePublishShort", "severity": "Warning", "message": "short"}],
    "keys": [KEY],
    "ledger": {"nextVersion": "2"},
    "publication": {"location": "s3://example-oidc/prod", "serial": 4},
    "aMemberOfTomorrow": 1,
}
UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a pattern that Go takes and C++ does not": (
        {"keySources": [{"configMap": {"namespace": "n", "name": "c", "entryPattern": r"\pL{1000}"}}]},
        "spec.keySources[0].configMap.entryPattern",
    ),
    "a store of a newer version": ({"store": {"azureBlob": {"account": "a"}}}, "spec.store"),
    "a relying party of a newer version": ({"probe": {"relyingParties": ["Nomad"]}}, "spec.probe.relyingParties[0]"),
    "another type": ({"interval": 60}, "spec.interval"),
}


def stored(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """The object of generation 7, which an older operator had proven."""
    return {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "OIDCIssuer",
        "metadata": {"name": "prod", "uid": "u-1", "generation": 7, "resourceVersion": "41", **metadata},
        "spec": {"issuerURL": "https://oidc.example.com/prod", "store": {"gcs": {"bucket": "example-oidc"}}} | spec,
        "status": copy.deepcopy(STATUS),
    }


@asynccontextmanager
async def passed(pki: PKI, found: dict[str, Any]) -> AsyncIterator[tuple[APIStub, Outcome | Gone]]:
    """One pass over the object; what was sent, and how it ended."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", ISSUER, says(found))
        stub.on("PATCH", f"{ISSUER}/status", says(found))
        stub.on("PATCH", ISSUER, says(found))
        stub.on("POST", EVENTS, says({}))
        reconciler = Reconciler(client, PortOpener(client).open)
        outcome = await reconciler.reconcile("prod")
        await reconciler.close()
        yield stub, outcome


def sent(stub: APIStub, method: str, path: str) -> list[Any]:
    """The bodies sent there."""
    return [seen.body for seen in stub.seen if (seen.method, seen.path) == (method, path)]


@pytest.mark.parametrize("name", UNREADABLE)
async def test_it_is_said_in_every_condition_and_the_ledger_stays(pki: PKI, name: str) -> None:
    """Ready=True of the generation before would stand for ever, and `kubectl wait` would believe it."""
    spec, field = UNREADABLE[name]
    async with passed(pki, stored(spec)) as (stub, outcome):
        (body,) = sent(stub, "PATCH", f"{ISSUER}/status")
    assert isinstance(outcome, Outcome)
    assert outcome.wake_after is not None
    status = body["status"]
    assert body["metadata"] == {"resourceVersion": "41"}
    assert set(status) == {"observedGeneration", "conditions", "findings"}, "and nothing of the ledger"
    assert status["observedGeneration"] == 7
    conditions = {condition["type"]: condition for condition in status["conditions"]}
    assert conditions.pop("example.com/Foreign")["reason"] == "Mine"
    assert {kind: c["status"] for kind, c in conditions.items()} == {
        "Ready": "False",
        **dict.fromkeys(("KeysRead", "Published", "Served", "SafeToSign"), "Unknown"),
        **({} if "configMap" in field else {"TokenAccepted": "Unknown"}),
        "Stalled": "True",
    }
    assert {c["reason"] for c in conditions.values()} == {"SpecUnsupported"}
    assert {c["observedGeneration"] for c in conditions.values()} == {7}
    assert field in conditions["Ready"]["message"]
    assert [finding["reason"] for finding in status["findings"]] == ["SpecUnsupported"]


async def test_it_is_said_once(pki: PKI) -> None:
    """A second pass over what the first wrote sends nothing."""
    found = stored(UNREADABLE["a store of a newer version"][0], annotations={RECONCILE_REQUESTED_AT: "now"})
    async with passed(pki, found) as (stub, _):
        (body,) = sent(stub, "PATCH", f"{ISSUER}/status")
        assert [event["reason"] for event in sent(stub, "POST", EVENTS)] == ["SpecUnsupported"]
    assert body["status"]["lastHandledReconcileAt"] == "now"
    found["status"] |= body["status"]
    async with passed(pki, found) as (stub, _):
        assert sent(stub, "PATCH", f"{ISSUER}/status") == sent(stub, "POST", EVENTS) == []


async def test_a_deletion_is_let_go_and_the_documents_stay(pki: PKI) -> None:
    """Our finalizer would hold it for ever; those of others are theirs."""
    finalizers = ["example.com/mine", FINALIZER]
    found = stored({"store": {"azureBlob": {}}}, deletionTimestamp="2026-01-02T00:00:00Z", finalizers=finalizers)
    async with passed(pki, found) as (stub, outcome):
        (body,) = sent(stub, "PATCH", ISSUER)
        (event,) = sent(stub, "POST", EVENTS)
        assert sent(stub, "PATCH", f"{ISSUER}/status") == []
    assert body == {"metadata": {"resourceVersion": "41", "finalizers": ["example.com/mine"]}}
    assert event["reason"] == "DocumentsLeft"
    assert "s3://example-oidc/prod" in event["note"]
    assert outcome == Outcome(follows={})


async def test_a_deletion_that_waits_for_others_is_left_alone(pki: PKI) -> None:
    """It is as good as gone."""
    found = stored({"store": {}}, deletionTimestamp="2026-01-02T00:00:00Z", finalizers=["example.com/mine"])
    async with passed(pki, found) as (stub, outcome):
        assert {seen.method for seen in stub.seen} == {"GET"}
    assert outcome == Outcome(follows={})


async def test_a_plan_says_whose_object_it_is(pki: PKI) -> None:
    """The manifest that mends it is sound: what cannot be read is in the cluster."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", ISSUER, says(stored({"store": {}})))
        with pytest.raises(NoAnswerError, match="prod as it is in the cluster cannot be read"):
            await living_issuer(client, "prod")


@about(150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(good_objects())).flatmap(lambda name: mutations(good_objects()[name])))
def test_whatever_is_stored_is_read_or_refused_by_name(document: dict[str, Any]) -> None:
    """Nothing else is raised, so that a pass over it can always be reported."""
    with contextlib.suppress(InvalidObjectError):
        read_issuer(document)

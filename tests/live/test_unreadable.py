"""An object that the API server stores and this version cannot read, on real parts: it is said, and it can go."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.places import DISCOVERY, JWKS, event, exists, patch, until
from tests.support.stage import BUCKET, Object, Stage

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/oidcissuers.oidc-publisher.io"
ISSUER = "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod"
UNREADABLE_SOURCE = {"configMap": {"namespace": "default", "name": "keys", "entryPattern": r"\pL{1000}"}}
STEPS = {"KeysRead", "Published", "Served", "SafeToSign"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server, S3 and the operator."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        running.apply_crd()
        running.operator.start()
        yield running


def refused(obj: Object) -> bool:
    """Whether every condition says of this very generation that it cannot be read."""
    conditions = {c["type"]: c for c in obj["status"]["conditions"]}
    generation = obj["metadata"]["generation"]
    if obj["status"].get("observedGeneration") != generation or not conditions.keys() > STEPS:
        return False
    said = {(c["reason"], c["observedGeneration"]) for c in conditions.values()}
    return said == {("SpecUnsupported", generation)} and conditions["Ready"]["status"] == "False"


def test_a_pattern_that_only_go_takes(stage: Stage) -> None:
    """Proven turns into SpecUnsupported, the ledger and the documents stay, and the deletion is let go."""
    stage.apply(stage.issuer(deletionPolicy="Delete"))
    before = stage.wait_ready()["status"]
    patch(stage, keySources=[UNREADABLE_SOURCE])
    until(lambda: refused(stage.get()), "the object is refused by name")
    status = stage.get()["status"]
    assert "spec.keySources[0].configMap.entryPattern" in status["conditions"][0]["message"]
    assert {name: status[name] for name in ("keys", "ledger", "publication")} == {
        name: before[name] for name in ("keys", "ledger", "publication")
    }
    stage.cluster.request("DELETE", ISSUER)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.get(BUCKET, DISCOVERY) is not None
    assert stage.s3.get(BUCKET, JWKS) is not None
    assert BUCKET in event(stage, "DocumentsLeft")["note"]


def test_a_store_of_a_newer_crd(stage: Stage) -> None:
    """A CRD that knows more than this program admits what it cannot do."""
    crd = stage.cluster.json("GET", CRD)
    newer: Any = copy.deepcopy({"spec": crd["spec"]})
    store = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["store"]
    store["properties"]["azureBlob"] = {"type": "object", "properties": {"account": {"type": "string"}}}
    store["x-kubernetes-validations"] = []
    stage.cluster.json("PATCH", CRD, newer, content_type="application/merge-patch+json")
    issuer = stage.issuer()
    issuer["spec"]["store"] = {"azureBlob": {"account": "a"}}
    until(lambda: stage.cluster.request("POST", ISSUER.removesuffix("/prod"), issuer).status == 201, "it is stored")
    until(lambda: refused(stage.get()), "the object is refused by name")
    assert "spec.store" in stage.get()["status"]["conditions"][0]["message"]

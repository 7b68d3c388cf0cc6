"""The CustomResourceDefinition of SigningKeyRing on a real API server: what it accepts, and how it looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.api.managed import read_ring, signing_key_ring_definition
from tests.api_objects import RINGS, BadObject, bad_objects, good_objects
from tests.support.processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.controlplane import ControlPlane

CRD_FILE = Path(__file__).parents[2] / "crds" / "oidc-publisher.io_signingkeyrings.yaml"
COLLECTION = "/apis/oidc-publisher.io/v1alpha1/signingkeyrings"
GOOD, BAD = good_objects(RINGS), bad_objects(RINGS)


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """A cluster with the generated CustomResourceDefinition."""
    control_plane.apply(CRD_FILE)
    wait_for(
        lambda: control_plane.request("GET", COLLECTION).status == 200, timeout_s=20, what="SigningKeyRings are served"
    )
    return control_plane


@pytest.fixture
def ring(cluster: ControlPlane) -> Iterator[dict[str, Any]]:
    """The ring of a new installation."""
    yield cluster.create(GOOD["smallest"])
    cluster.request("DELETE", COLLECTION)


def test_every_rule_compiles(cluster: ControlPlane) -> None:
    """The API server reports nothing against the definition, and holds the schema of the models."""
    crd = cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "signingkeyrings.oidc-publisher.io")
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert "NonStructuralSchema" not in conditions
    expected = signing_key_ring_definition()["spec"]["versions"][0]["schema"]
    assert crd["spec"]["versions"][0]["schema"] == expected


@pytest.mark.parametrize("name", GOOD)
def test_a_good_object_is_accepted_and_reads_the_same_offline(cluster: ControlPlane, name: str) -> None:
    """The API server takes it, and its defaults are the defaults of the models."""
    answer = cluster.request("POST", f"{COLLECTION}?dryRun=All&fieldValidation=Strict", GOOD[name])
    assert answer.status == 201, answer.body
    assert read_ring(answer.json()).spec == read_ring(GOOD[name]).spec


@pytest.mark.parametrize("bad", BAD.values(), ids=lambda b: b.name)
def test_a_bad_object_is_refused_with_its_message(cluster: ControlPlane, bad: BadObject) -> None:
    """The refusal says what is wrong, and repeats nothing of a key."""
    answer = cluster.request("POST", f"{COLLECTION}?dryRun=All&fieldValidation=Strict", bad.document)
    assert answer.status in {400, 422}
    assert bad.expect in answer.json()["message"]
    assert b"dGhpcyBpcyBub3Qg" not in answer.body


def _apply(cluster: ControlPlane, manager: str, status: dict[str, Any]) -> None:
    body = {key: GOOD["smallest"][key] for key in ("apiVersion", "kind", "metadata")} | {"status": status}
    path = f"{COLLECTION}/default/status?fieldManager={manager}&force=true"
    answer = cluster.request("PATCH", path, body, content_type="application/apply-patch+yaml")
    assert answer.status == 200, answer.body


def test_each_signer_writes_its_own_entry(cluster: ControlPlane, ring: dict[str, Any]) -> None:
    """Two of them apply, and neither takes the other's away; the row says what people want to know."""
    assert ring["status"]["conditions"][0]["reason"] == "WaitingForSigner"
    versions = [
        {"version": number, "keyID": f"kid-{number}", "algorithm": "RS256", "state": state}
        for number, state in (("11", "Waiting"), ("10", "Signing"), ("9", "VerifyOnly"))
    ]
    ready = ring["status"]["conditions"][0] | {
        "status": "True",
        "reason": "Succeeded",
        "message": "Every signer signs.",
    }
    for node in ("a", "b"):
        status = {
            "conditions": [ready],
            "versions": versions,
            "signers": [{"node": node, "apiServer": f"10.0.0.1{node}:6443", "version": "10", "serial": 7}],
            "waitingFor": "version 11: OIDCIssuer prod does not call it safe to sign with yet",
            "nextRotationTime": "2099-01-01T00:00:00Z",
            "highest": "11",
        }
        _apply(cluster, f"signer-{node}", status)
    found = cluster.json("GET", f"{COLLECTION}/default")["status"]
    assert [signer["node"] for signer in found["signers"]] == ["a", "b"]
    assert [version["version"] for version in found["versions"]] == ["11", "10", "9"]
    _apply(cluster, "signer-b", {"versions": versions})
    left = cluster.json("GET", f"{COLLECTION}/default")["status"]
    assert [signer["node"] for signer in left["signers"]] == ["a"]
    header, row = (" ".join(line.split()) for line in cluster.kubectl("get", "skr").splitlines())
    assert header == "NAME SIGNING NEWEST READY WAITING FOR NEXT AGE"
    said = "version 11: OIDCIssuer prod does not call it safe to sign with yet"
    assert row.startswith(f"default 10 11 True {said} 2099-01-01T00:00:00Z ")


def test_a_new_row_says_that_it_waits(cluster: ControlPlane, ring: dict[str, Any]) -> None:
    """Before any signer runs."""
    assert ring["metadata"]["name"] == "default"
    row = cluster.kubectl("get", "skr", "-o", "wide").splitlines()[1]
    assert "Unknown" in row
    assert "WaitingForSigner" in row


def test_a_typing_error_can_be_taken_back(cluster: ControlPlane, ring: dict[str, Any]) -> None:
    """No rule says that numbers only grow: 18 digits by mistake would stand for ever."""
    assert ring["spec"] == {"algorithm": "RS256", "suspend": False}
    for number in ("999999999999999999", "11"):
        body = {"spec": {"newestVersion": number}}
        answer = cluster.request("PATCH", f"{COLLECTION}/default", body, content_type="application/merge-patch+json")
        assert (answer.status, answer.json()["spec"]["newestVersion"]) == (200, number)


def test_kubectl_explains_every_field(cluster: ControlPlane) -> None:
    """People write the object without a page beside it."""
    text = cluster.kubectl("explain", "signingkeyring.spec")
    explained = json.dumps(signing_key_ring_definition()["spec"]["versions"][0]["schema"])
    for name in ("algorithm", "rotationPeriod", "newestVersion", "trimBefore", "issuers", "suspend"):
        assert f"{name}\t<" in text
        assert f'"{name}": ' in explained

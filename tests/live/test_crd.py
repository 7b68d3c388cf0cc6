"""The CustomResourceDefinition on a real API server: what it accepts, what it refuses, and in which words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from oidc_publisher.api import custom_resource_definition, read_issuer, to_status_json
from oidc_publisher.api.status import WAITING_STATUS
from oidc_publisher.errors import InvalidObjectError
from tests.api_objects import BadObject, bad_objects, good_objects
from tests.api_objects.mutation import mutations
from tests.support.docpages import manifests
from tests.support.processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.adminapi import Answer
    from tests.support.controlplane import ControlPlane

CRD_FILE = Path(__file__).parents[2] / "crds" / "oidc-publisher.io_oidcissuers.yaml"
API_VERSION, KIND = "oidc-publisher.io/v1alpha1", "OIDCIssuer"
COLLECTION = f"/apis/{API_VERSION}/oidcissuers"
GOOD, BAD = good_objects(), bad_objects()
#: The OIDCIssuers on the pages of the docs.
PRINTED = manifests(KIND)
#: Members with an enum: the API server repeats a value that is not in it, and nothing but giving up the enum helps.
ENUMS = {"addressingStyle", "adoption", "deletionPolicy", "relyingParties", "serverSideEncryption"}


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A cluster with the generated CustomResourceDefinition."""
    control_plane.apply(CRD_FILE)
    wait_for(
        lambda: control_plane.request("GET", COLLECTION).status == 200, timeout_s=20, what="OIDCIssuers are served"
    )
    yield control_plane
    _delete_all(control_plane)


@pytest.fixture
def scratch(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The same, without OIDCIssuers before and after the test."""
    _delete_all(cluster)
    yield cluster
    _delete_all(cluster)


def _delete_all(cluster: ControlPlane) -> None:
    cluster.request("DELETE", COLLECTION)


def _try(cluster: ControlPlane, document: dict[str, Any]) -> Answer:
    """Create an object without storing it, as strictly as kubectl does."""
    return cluster.request("POST", f"{COLLECTION}?dryRun=All&fieldValidation=Strict", document)


def _replace(cluster: ControlPlane, document: dict[str, Any]) -> Answer:
    path = f"{COLLECTION}/{document['metadata']['name']}"
    version = cluster.json("GET", path)["metadata"]["resourceVersion"]
    named = document | {"metadata": document["metadata"] | {"resourceVersion": version}}
    return cluster.request("PUT", f"{path}?fieldValidation=Strict", named)


def test_every_rule_compiles(cluster: ControlPlane) -> None:
    """The API server reports no condition that speaks against the definition, and publishes its schema."""
    crd = cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "oidcissuers.oidc-publisher.io")
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("name", GOOD)
def test_a_good_object_is_accepted_and_reads_the_same_offline(cluster: ControlPlane, name: str) -> None:
    """The API server takes it, and its defaults are the defaults of the models."""
    answer = _try(cluster, GOOD[name])
    assert answer.status == 201, answer.body
    assert read_issuer(answer.json()).spec == read_issuer(GOOD[name]).spec


def test_the_manifests_of_the_docs_are_accepted(cluster: ControlPlane) -> None:
    """What an admin copies from a page is taken as it stands."""
    answers = {where: _try(cluster, document) for where, document in PRINTED.items()}
    refused = {where: answer.body for where, answer in answers.items() if answer.status != 201}
    assert len(PRINTED) > 12
    assert refused == {}


@pytest.mark.parametrize("bad", [b for b in BAD.values() if b.before is None], ids=lambda b: b.name)
def test_a_bad_object_is_refused_with_its_message(cluster: ControlPlane, bad: BadObject) -> None:
    """The refusal says what is wrong, and repeats no line of a key."""
    answer = _try(cluster, bad.document)
    message = answer.json()["message"]
    assert answer.status in {400, 422}
    assert bad.expect in message
    assert not _lines_of_keys(bad.document, message)


@pytest.mark.parametrize("bad", [b for b in BAD.values() if b.before is not None], ids=lambda b: b.name)
def test_an_immutable_field_cannot_be_changed(scratch: ControlPlane, bad: BadObject) -> None:
    """The object as it was is stored, the changed one refused."""
    assert bad.before is not None
    scratch.create(bad.before)
    answer = _replace(scratch, bad.document)
    assert answer.status == 422
    assert bad.expect in answer.json()["message"]
    assert _replace(scratch, bad.before).status == 200


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(document=st.sampled_from(sorted(GOOD)).flatmap(lambda name: mutations(GOOD[name])))
def test_what_is_admitted_is_read_or_refused_by_name(cluster: ControlPlane, document: dict[str, Any]) -> None:
    """Of every object that schema and rules admit we say either what it asks for, or which field we cannot read."""
    # Not strict, as most clients are: what the schema does not know is dropped and not refused.
    answer = cluster.request("POST", f"{COLLECTION}?dryRun=All&fieldValidation=Ignore", document)
    event(f"{answer.status}")
    if answer.status != 201:
        return
    try:
        read_issuer(answer.json())
    except InvalidObjectError as error:
        event(f"admitted and refused: {error.message}")
        assert "spec." in error.message  # noqa: PT017 - both ways are right


@pytest.mark.parametrize("pattern", [r"\pL{1000}", r"(?:\pL{100}){10}"])
def test_go_takes_patterns_that_we_do_not(cluster: ControlPlane, pattern: str) -> None:
    """Such an object is stored, and named when it is read (tests/live/test_unreadable.py: in its status)."""
    source = {"configMap": {"namespace": "n", "name": "c", "entryPattern": pattern}}
    document = GOOD["smallest"] | {"spec": GOOD["smallest"]["spec"] | {"keySources": [source]}}
    answer = _try(cluster, document)
    assert answer.status == 201
    with pytest.raises(InvalidObjectError, match=r"spec\.keySources\[0\]\.configMap\.entryPattern: .* 8 MiB"):
        read_issuer(answer.json())


def test_mutable_fields_can_be_changed(scratch: ControlPlane) -> None:
    """Everything but the two immutable fields may change, the store included."""
    before = GOOD["everything-s3"]
    scratch.create(before)
    after = copy.deepcopy(GOOD["gcs"])
    after["metadata"]["name"] = before["metadata"]["name"]
    after["spec"]["issuerURL"] = before["spec"]["issuerURL"]
    assert _replace(scratch, after).status == 200


def test_an_object_at_every_limit_is_affordable(cluster: ControlPlane) -> None:
    """Sixteen sources and the longest of all strings do not exhaust the cost budget of the rules."""
    answer = _try(cluster, _longest())
    assert answer.status == 201, answer.body


def _longest() -> dict[str, Any]:
    config_map = {"namespace": "n" * 63, "name": "c" * 253, "entryPattern": "p" * 253}
    addresses = [f"{i:02}" + "h" * 253 + ":65535" for i in range(16)]
    return GOOD["smallest"] | {
        "metadata": {"name": "n" * 63},
        "spec": {
            "issuerURL": "https://" + "a" * 247,
            "jwksPath": "j" * 128,
            "keySources": [
                {"name": f"{i:063}"} | ({"apiServer": {"addresses": addresses}} if i % 2 else {"configMap": config_map})
                for i in range(16)
            ],
            "store": {"gcs": {"bucket": "b" * 222, "prefix": "p" * 512}},
            "rotation": {"withdrawnKeyIDs": [f"{i:01024}" for i in range(16)]},
            "probe": {
                "audiences": [f"{i:0600}" for i in range(8)],
                "certificateAuthority": "-----BEGIN CERTIFICATE-----" + "c" * 32741,
            },
        },
    }


def _private_keys() -> dict[str, str]:
    keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey] = {
        "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "EC": ec.generate_private_key(ec.SECP256R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    return {
        name: key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        for name, key in keys.items()
    }


def _leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all strings."""
    if isinstance(node, str):
        yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _leaves(child, (*path, key))


def _planted(document: dict[str, Any], path: tuple[str | int, ...], value: str) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    node: Any = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def _lines_of_keys(document: dict[str, Any], text: str) -> list[str]:
    """The lines of private keys in `document` that `text` repeats."""
    pasted = [_at(document, path) for path in _leaves(document)]
    bodies = [value.split("PRIVATE KEY-----\n")[1].split("-----")[0] for value in pasted if "PRIVATE KEY" in value]
    return [line for body in bodies for line in body.splitlines() if line in text]


@pytest.mark.parametrize("name", ["everything-s3", "gcs", "several-sources"])
@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_no_string_takes_a_private_key_or_repeats_one(cluster: ControlPlane, name: str, kind: str) -> None:
    """A key pasted into any string of the spec is refused, and the refusal repeats none of its lines."""
    key = _private_keys()[kind]
    body = key.splitlines()[1:-1]
    accepted, repeated = [], []
    for path in _leaves(GOOD[name]["spec"], ("spec",)):
        answer = _try(cluster, _planted(GOOD[name], path, key))
        said = answer.body.decode() + json.dumps(dict(answer.headers))
        if answer.status == 201:
            accepted.append(path)
        elif any(line in said for line in body):
            repeated.append(path)
    assert accepted == []
    assert [path for path in repeated if not ENUMS & set(map(str, path))] == []


def test_a_new_object_has_a_status_and_a_row_that_says_so(scratch: ControlPlane) -> None:
    """Before any operator runs, the object says that it waits for one."""
    created = scratch.create(GOOD["smallest"])
    assert created["status"] == {"conditions": to_status_json(WAITING_STATUS)["conditions"]}
    header, row = (line.split() for line in scratch.kubectl("get", "oidci").splitlines())
    assert header == ["NAME", "READY", "REASON", "ISSUER", "KEYS", "PROVEN", "AGE"]
    assert row[:4] == ["smallest", "Unknown", "WaitingForOperator", "https://oidc.example.com/prod"]


def test_the_wide_columns_show_what_the_status_holds(scratch: ControlPlane) -> None:
    """Every column finds its value."""
    scratch.create(GOOD["smallest"])
    ready = to_status_json(WAITING_STATUS)["conditions"][0] | {"status": "True", "reason": "Proven", "message": "Good."}
    status = {
        "conditions": [ready],
        "signingKeyIDs": ["kid-1"],
        "lastProvenTime": "2026-01-31T12:00:00Z",
        "publication": {"location": "s3://example-oidc", "keyCount": 3},
    }
    scratch.patch(API_VERSION, KIND, "smallest", {"status": status}, subresource="status")
    output = scratch.kubectl("get", "oidci", "-o", "wide")
    header = output.splitlines()[0]
    for column in (
        "READY",
        "REASON",
        "ISSUER",
        "KEYS",
        "SIGNING KEY",
        "PROVEN",
        "AGE",
        "STORE",
        "SUSPENDED",
        "MESSAGE",
    ):
        assert column in header
    for value in ("True", "Proven", "3", "kid-1", "s3://example-oidc", "false", "Good."):
        assert value in output.splitlines()[1]


def test_a_status_with_odd_entries_is_accepted(scratch: ControlPlane) -> None:
    """The operator can always report: below status nothing is refused but malformed conditions and times."""
    scratch.create(GOOD["smallest"])
    odd = {
        "findings": [{"reason": "no such reason!", "severity": "Dreadful", "message": "m" * 4000}] * 100,
        "signingKeyIDs": ["", "k" * 5000],
        "keys": [{"keyID": f"k{i}", "state": "Odd", "staleAge": "1 fortnight", "version": "-x"} for i in range(512)],
        "ledger": {"nextVersion": "", "cacheAges": [{"age": "?", "untilTime": "2026-01-31T12:00:00Z"}]},
        "publication": {"serial": -1, "jwksDigest": "md5:"},
    }
    patched = scratch.patch(API_VERSION, KIND, "smallest", {"status": odd}, subresource="status")
    assert patched["status"]["keys"][511]["keyID"] == "k511"
    assert read_issuer(patched).status.keys[511].key_id == "k511"


def test_a_malformed_condition_is_refused(scratch: ControlPlane) -> None:
    """Conditions are the standard ones, with the standard limits."""
    scratch.create(GOOD["smallest"])
    condition = to_status_json(WAITING_STATUS)["conditions"][0] | {"status": "Maybe"}
    path = f"{COLLECTION}/smallest/status"
    answer = scratch.request(
        "PATCH", path, {"status": {"conditions": [condition]}}, content_type="application/merge-patch+json"
    )
    assert answer.status == 422


def test_kubectl_explains_every_field(cluster: ControlPlane) -> None:
    """`kubectl explain` finds a description at every field that an admin writes."""
    explained = cluster.kubectl("explain", "oidcissuer.spec", "--recursive")
    assert "withdrawnKeyIDs" in explained
    text = cluster.kubectl("explain", "oidci.spec.rotation.prePublishPeriod")
    assert "safe to sign" in text


def test_the_file_is_what_the_models_say(cluster: ControlPlane) -> None:
    """The definition that the API server holds has the schema of the models."""
    crd = cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "oidcissuers.oidc-publisher.io")
    expected = custom_resource_definition()["spec"]["versions"][0]["schema"]
    assert crd["spec"]["versions"][0]["schema"] == expected

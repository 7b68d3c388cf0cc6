"""Manifests that `plan` takes, and those that it refuses as kubectl and the API server would."""

from __future__ import annotations

import json
import textwrap
import time

import pytest
import yaml

from oidc_publisher.cli.plan.manifest import MAX_MANIFEST_BYTES, read_manifest
from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.findings import Reason
from tests.api_objects import bad_objects, good_objects

GOOD = """\
apiVersion: oidc-publisher.io/v1alpha1
kind: OIDCIssuer
metadata: {name: prod}
spec:
  issuerURL: https://oidc.example.com/prod
  store: {s3: {bucket: example-oidc, region: eu-central-1}}
"""
ONE = {"kind": "OIDCIssuer", "metadata": {"name": "one"}}
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"


def refusal(text: str | bytes, name: str = "issuer.yaml") -> str:
    with pytest.raises(InvalidObjectError) as caught:
        read_manifest(text, name)
    assert caught.value.reason is Reason.SpecUnsupported
    return caught.value.message


def test_defaults_of_the_crd_are_applied() -> None:
    """As the API server fills them in."""
    issuer = read_manifest(GOOD, "issuer.yaml")
    assert issuer.metadata.name == "prod"
    assert issuer.spec.jwks_path == "openid/v1/jwks"
    assert [source.name for source in issuer.spec.key_sources] == ["default"]


def test_json_is_yaml() -> None:
    """The manifest may be either: kubectl takes both."""
    assert read_manifest(json.dumps(yaml.safe_load(GOOD)), "issuer.json").metadata.name == "prod"


def test_other_documents_are_passed_over() -> None:
    """A file may hold the namespace and the ServiceAccount too, and empty documents."""
    text = f"---\n{CONFIG_MAP}---\n{GOOD}---\n"
    assert read_manifest(text, "all.yaml").metadata.name == "prod"


@pytest.mark.parametrize("kind", [{"apiVersion": "v1", "kind": "List"}, {"kind": "OIDCIssuerList"}], ids=str)
def test_a_list_is_what_is_in_it(kind: dict[str, str]) -> None:
    """It is printed by kubectl get, and kubectl apply takes it; others may stand beside the issuer."""
    listed = kind | {"metadata": {}, "items": [yaml.safe_load(CONFIG_MAP), yaml.safe_load(GOOD)]}
    assert read_manifest(yaml.safe_dump(listed), "list.yaml").metadata.name == "prod"
    assert read_manifest(f"{CONFIG_MAP}---\n{yaml.safe_dump(listed)}", "all.yaml").metadata.name == "prod"


def test_what_kubectl_get_prints_can_be_planned() -> None:
    """Members that the API server adds are known, and a status counts for nothing."""
    obj = yaml.safe_load(GOOD)
    obj["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [], "generation": 3, "uid": "u"}
    obj["status"] = {"keys": [{"keyID": "x"}]}
    assert read_manifest(yaml.safe_dump(obj), "issuer.yaml").status.keys == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "issuer.yaml holds no OIDCIssuer (it is empty)"),
        ("---\n---\n", "issuer.yaml holds no OIDCIssuer (it is empty)"),
        (CONFIG_MAP, "issuer.yaml holds no OIDCIssuer (but ConfigMap)"),
        ("{}", "issuer.yaml holds no OIDCIssuer (but an object without a kind)"),
        (
            GOOD + "---\n" + GOOD.replace("prod}", "edge}"),
            "issuer.yaml holds 2 OIDCIssuers (prod, edge), and a plan is about one",
        ),
        ("just words", "issuer.yaml is no Kubernetes object"),
        (GOOD + "---\n- a\n", "document 2 of issuer.yaml is no Kubernetes object"),
        ("kind: List\nitems: []", "issuer.yaml holds no OIDCIssuer (it is empty)"),
        ("kind: List\nitems: [{kind: Pod}]", "issuer.yaml holds no OIDCIssuer (but Pod)"),
        ("kind: List", "issuer.yaml: a List without items"),
        ("kind: List\nitems: {kind: OIDCIssuer}", "issuer.yaml: a List without items"),
        ("kind: List\nitems: [1]", "item 1 of issuer.yaml is no Kubernetes object"),
        (
            f"kind: List\nitems:\n- {json.dumps(ONE)}\n- {json.dumps(ONE)}",
            "issuer.yaml holds 2 OIDCIssuers (one, one), and a plan is about one",
        ),
        (
            "---\n".join(f"kind: OIDCIssuer\nmetadata: {{name: n{number}}}\n" for number in range(100)),
            "issuer.yaml holds 100 OIDCIssuers (n0, n1, n2, n3, n4, n5 and 94 more), and a plan is about one",
        ),
        ("a: [", "issuer.yaml is not YAML: line 1, column 5: expected the node content, but found '<stream end>'"),
        (GOOD + "kind: OIDCIssuer\n", 'issuer.yaml is not YAML: line 7, column 1: field "kind" is there twice'),
        (
            "a: !!python/name:os.system x",
            "issuer.yaml is not YAML: line 1, column 4: could not determine a constructor",
        ),
        (b"\xff\xfe\x00", "issuer.yaml is not YAML"),
        ("a: " + "[" * 500, "issuer.yaml is not YAML"),
        ("a: " + "1" * 5000, "issuer.yaml is not YAML: a number in it is too long"),
    ],
    ids=lambda value: None if isinstance(value, bytes) or len(value) > 60 else value,
)
def test_what_is_no_one_issuer_is_named(text: str | bytes, message: str) -> None:
    """None, several, another kind, no YAML: one sentence each, without a value of the file."""
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "spec:\n",
            "spec:\n  issuerUrl: x\n",
            'issuer.yaml: unknown field "spec.issuerUrl" (is spec.issuerURL meant?)',
        ),
        ("spec:\n", "spec:\n  interwal: 1m\n", 'unknown field "spec.interwal" (is spec.interval meant?)'),
        ("spec:\n", "spec:\n  replicas: 3\n", 'unknown field "spec.replicas"'),
        ("region: eu-central-1", "region: eu-central-1, acl: x", 'unknown field "spec.store.s3.acl"'),
        (
            "spec:\n",
            "spec:\n  keySources: [{name: a, apiserver: {}}]\n",
            'unknown field "spec.keySources[0].apiserver"',
        ),
        ("{name: prod}", "{name: prod, label: {}}", 'unknown field "metadata.label" (is metadata.labels meant?)'),
        ("spec:\n", "extra: 1\nspec:\n", 'unknown field "extra"'),
        ("spec:\n", "spec:\n  7: 1\n", 'unknown field "spec.7"'),
    ],
)
def test_unknown_fields_are_refused_as_kubectl_does(before: str, after: str, message: str) -> None:
    """With their path, and with the name that was probably meant."""
    assert message in refusal(GOOD.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("https://oidc.example.com/prod", "http://x.y", "spec.issuerURL: must start with https:// (lower case)"),
        ("region: eu-central-1", "", "spec.store.s3.region: is required"),
        ("spec:\n", "spec:\n  interval: 1d\n", "spec.interval: must be a duration in hours, minutes and seconds"),
        ("spec:\n", "spec:\n  adoption: Steal\n", "spec.adoption: must be one of 'Refuse', 'Merge' or 'Replace'"),
        ("spec:\n", "spec:\n  keySources: []\n", "spec.keySources: must have 1 or more entries"),
        ("apiVersion: oidc-publisher.io/v1alpha1\n", "", "issuer.yaml: apiVersion is required"),
        ("io/v1alpha1", "io/v9", "apiVersion: must be 'oidc-publisher.io/v1alpha1'"),
        ("{name: prod}", "{}", "metadata.name: is required"),
        ("{name: prod}", "{name: Prod/a}", "issuer.yaml: metadata.name: must be lower-case letters, digits, - and ."),
        ("{name: prod}", "[]", "metadata: must be an object"),
    ],
)
def test_a_broken_rule_is_said_as_the_crd_says_it(before: str, after: str, message: str) -> None:
    """The field and its sentence."""
    assert message in refusal(GOOD.replace(before, after))


def test_only_some_of_many_unknown_fields_are_named() -> None:
    """A whole chart's values in the wrong place are one sentence, not a screen."""
    said = refusal(GOOD + "".join(f"extra{number}: 1\n" for number in range(500)))
    assert said.endswith('unknown field "extra5" and more')


def test_a_huge_manifest_is_refused_before_it_is_parsed() -> None:
    """YAML of this size costs minutes and gigabytes; no object of this size is taken by an API server either."""
    began = time.perf_counter()
    with pytest.raises(InvalidObjectError, match=r"^issuer\.yaml is larger than 1 MiB"):
        read_manifest(b"- {a: 1}\n" * 2**20, "issuer.yaml")
    assert time.perf_counter() - began < 1
    comment = b"#" * (MAX_MANIFEST_BYTES - len(GOOD))
    assert read_manifest(GOOD.encode() + comment, "issuer.yaml").metadata.name == "prod"


def test_no_value_is_repeated() -> None:
    """People paste private keys into wrong fields, and refusals end up in logs."""
    secret = "-----BEGIN PRIVATE KEY-----MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0waw"
    for field in ("issuerURL", "interval", "jwksPath"):
        text = (
            GOOD.replace("spec:\n", f"spec:\n  {field}: '{secret}'\n")
            if field != "issuerURL"
            else GOOD.replace("https://oidc.example.com/prod", secret)
        )
        assert "MIGHAgEA" not in refusal(text)
    broken = textwrap.dedent(f"""\
        spec:
          secret: "{secret}
        """)
    assert "MIGHAgEA" not in refusal(broken)


def test_dates_stay_strings() -> None:
    """The manifest may be either: kubectl takes YAML for JSON, which has none: a label may look like a date."""
    issuer = read_manifest(GOOD.replace("{name: prod}", "{name: prod, labels: {since: 2026-01-01}}"), "issuer.yaml")
    assert issuer.metadata.labels == {"since": "2026-01-01"}


def test_what_the_api_server_takes_is_taken() -> None:
    """The objects that the CRD's own tests accept."""
    for name, good in good_objects().items():
        assert read_manifest(yaml.safe_dump(good), name).spec


def test_what_the_api_server_refuses_is_refused() -> None:
    """The objects that the CRD's own tests refuse, but for those that only the API server can judge."""
    refused = {name: bad for name, bad in bad_objects().items() if not bad.accepted_offline}
    assert len(refused) > 60
    for name, bad in refused.items():
        assert refusal(yaml.safe_dump(bad.document), name)

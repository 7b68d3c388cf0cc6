"""`plan` as an admin runs it: against real API servers, a real bucket and a real operator, and it writes nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.controlplane import ServerConfig
from tests.support.faults import delayed
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import BUCKET, PREFIX, PROBE, Object, Stage

NEW = signing_key("P-256", "plan-next")
PLANNER = "system:serviceaccount:default:planner"
DISCOVERY, JWKS = ".well-known/openid-configuration", "openid/v1/jwks"
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    users: ["system:serviceaccount:default:planner"]
  - level: None
"""
#: All that `plan` may do: nothing of it changes an object.
RIGHTS = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: planner}
rules:
- {apiGroups: [oidc-publisher.io], resources: [oidcissuers], verbs: [get]}
- {apiGroups: [oidc-publisher.io], resources: [signingkeyrings], resourceNames: [default], verbs: [get]}
- {apiGroups: [""], resources: [namespaces], resourceNames: [kube-system], verbs: [get]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list]}
- {apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [probe], verbs: [create]}
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two API servers that audit what the planner asks, and S3; no CRD, and no operator yet."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "policy.yaml").write_text(POLICY)
    with AuditedStage(folder) as running:
        running.cluster.create_service_account("default", "planner")
        running.cluster.kubectl("apply", "-f", "-", stdin=RIGHTS)
        bind = "--clusterrole=planner", "--serviceaccount=default:planner"
        running.cluster.kubectl("create", "clusterrolebinding", "planner", *bind)
        yield running


class AuditedStage(Stage):
    """A stage whose API servers write down every request of the planner."""

    def config(self, key: SigningKey | None = None, *listed: SigningKey, issuer: str | None = None) -> ServerConfig:
        """With an audit log that all of them append to."""
        flags = (f"--audit-policy-file={self.folder}/policy.yaml", f"--audit-log-path={self.folder}/audit.log")
        return dataclasses.replace(super().config(key, *listed, issuer=issuer), extra_flags=flags)


def plan(
    stage: Stage, manifest: Object | str, *arguments: str, exit_code: int, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`oidc-publisher plan -f -` with the planner's rights and S3 credentials; it has to end with `exit_code`."""
    program = Path(sys.executable).with_name("oidc-publisher")
    kubeconfig = stage.cluster.kubeconfig_for_service_account("default", "planner", survives_rotation=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(stage.folder),
        "KUBECONFIG": str(kubeconfig),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(stage.s3.credentials if env is None else env),
    }
    text = manifest if isinstance(manifest, str) else yaml.safe_dump(manifest)
    done = subprocess.run(
        [program, "plan", "-f", "-", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=environment,
    )
    assert done.returncode == exit_code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def preview(stage: Stage, manifest: Object | str, *arguments: str, exit_code: int) -> Any:
    """The answer for programs, with tokens minted."""
    probe = f"--probe-service-account={'/'.join(PROBE)}"
    return json.loads(plan(stage, manifest, probe, "-o", "json", *arguments, exit_code=exit_code).stdout)


def reasons(said: Any) -> set[str]:
    return {finding["reason"] for finding in said.get("findings", [])}


def test_before_anything_is_installed(stage: Stage) -> None:
    """No CRD and no object: both documents would be created, the key set first. Nothing is."""
    done = plan(stage, stage.issuer(), exit_code=1)
    assert done.stdout.startswith("prod  would change\nBoth documents would be written; nothing has been.\n")
    assert "! This cluster has no OIDCIssuers: install the CRD" in done.stdout
    assert "! No token was minted (there is no --probe-service-account)" in done.stdout
    assert done.stdout.index(f"1. {JWKS}  created") < done.stdout.index(f"2. {DISCOVERY}  created")
    assert "\x1b" not in done.stdout
    assert done.stderr.startswith("Reading the key sources")
    assert stage.s3.keys(BUCKET) == []


def test_what_is_planned_is_what_the_operator_then_writes(stage: Stage) -> None:
    """Content, headers, owner mark and the order."""
    said = preview(stage, stage.issuer(), exit_code=1)
    assert [(document["path"], document["change"]) for document in said["documents"]] == [
        (JWKS, "created"),
        (DISCOVERY, "created"),
    ]
    (key,) = said["keys"]
    assert (key["keyID"], key["change"], key["state"]) == (stage.key.kid, "enters", "Signing")
    assert key["signedBy"] == stage.cluster.addresses
    stage.apply_crd()
    stage.operator.start()
    stage.apply(stage.issuer())
    stage.wait_ready()
    stage.operator.stop()
    for document in said["documents"]:
        assert planned_by(document["diff"]) == stored(stage, document["path"])


def test_nothing_to_do_is_0_and_says_what_the_operator_reports(stage: Stage) -> None:
    """The same findings as in the status, for the same world."""
    said = preview(stage, stage.issuer(), exit_code=0)
    assert (said["result"], said["sentence"]) == ("NothingToDo", "Both documents are stored as planned.")
    assert [document["change"] for document in said["documents"]] == ["unchanged", "unchanged"]
    assert said["object"] == "oidci/prod as it is in the cluster"
    assert said["public"] == "both documents, with 1 key"
    reported = stage.get()["status"]["findings"]
    assert "TokenOutlivesPolicy" in reasons(stage.get()["status"])  # for which the operator has minted a longer token
    assert {(f["reason"], f.get("subject")) for f in said["findings"]} == {
        (f["reason"], f.get("subject")) for f in reported if f["reason"] != "TokenOutlivesPolicy"
    }


def test_it_writes_nothing_anywhere(stage: Stage) -> None:
    """By the API servers' audit log, the S3 server's log, the edge's count and the versions of what is stored.

    Of each API server one token is minted, for ten minutes: none that outlives the policy.
    """
    audit = stage.folder / "audit.log"
    versions, objects = cluster_versions(stage), stage.s3.client.list_objects_v2(Bucket=BUCKET)["Contents"]
    audit_before = len(audit.read_text().splitlines())
    stage.edge.forget_requests()
    stage.s3.forget_requests()
    preview(stage, stage.issuer(cacheMaxAge="4s"), exit_code=1)
    asked = [json.loads(line) for line in audit.read_text().splitlines()[audit_before:]]
    done = {(entry["verb"], resource(entry)) for entry in asked}
    assert done == {
        ("get", "oidcissuers"),
        ("get", "namespaces"),
        ("list", "endpointslices"),
        ("get", "/openid/v1/jwks"),
        ("create", "serviceaccounts/token"),
        ("create", "tokenreviews"),
        ("get", "/apis/oidc-publisher.io/v1alpha1"),
        ("get", "signingkeyrings"),
    }
    # The cluster has the kind SigningKeyRing and no object of it.
    assert {entry["responseStatus"]["code"] for entry in asked if resource(entry) == "signingkeyrings"} == {404}
    others = (entry for entry in asked if resource(entry) != "signingkeyrings")
    assert all(entry["responseStatus"]["code"] in (200, 201) for entry in others)
    minted = [entry for entry in asked if resource(entry) == "serviceaccounts/token"]
    assert len(minted) == len(stage.cluster.addresses)
    assert stage.edge.count() > 0
    assert stage.edge.writes() == 0
    assert stage.s3.writes() == 0
    assert stage.s3.client.list_objects_v2(Bucket=BUCKET)["Contents"] == objects
    assert cluster_versions(stage) == versions


def test_only_headers_are_said_to_change(stage: Stage) -> None:
    """A shorter cache age: both documents, and not a line of their content."""
    said = preview(stage, stage.issuer(cacheMaxAge="1s"), exit_code=1)
    assert said["object"] == "oidci/prod, changed in spec.cacheMaxAge"
    for document in said["documents"]:
        assert document["reason"] == "its headers are not what was planned; its content stays"
        changed = [line for line in document["diff"][2:] if line[0] in "+-"]
        assert re.fullmatch(r"\+oidc-publisher-shown: [0-9a-f]{16}", changed.pop())
        assert changed == [
            "-Cache-Control: public, max-age=2",
            "+Cache-Control: public, max-age=1",
            "-oidc-publisher-serial: 1",
            "+oidc-publisher-serial: 2",
        ]


def test_drift_is_seen_and_would_be_repaired(stage: Stage) -> None:
    """Somebody put a page in place of the key set, under the same age: a longer one would go into the marks of both."""
    before = stage.s3.get_object(BUCKET, f"{PREFIX}/{JWKS}")
    assert before is not None
    body = before["Body"].read()
    kept = {
        "ContentType": before["ContentType"],
        "CacheControl": before["CacheControl"],
        "Metadata": before["Metadata"],
    }
    stage.s3.put(BUCKET, f"{PREFIX}/{JWKS}", b"<html>moved</html>", CacheControl=before["CacheControl"])
    try:
        done = plan(stage, stage.issuer(), exit_code=1)
        assert f"1. {JWKS}  changed: the keys changed\n" in done.stdout
        assert "    -<html>moved</html>\n" in done.stdout
        assert f"2. {DISCOVERY}  changed: only the serial of its owner mark" in done.stdout
        assert "  DriftRepaired  s3://example-oidc/prod is repaired" in done.stdout
    finally:
        stage.s3.put(BUCKET, f"{PREFIX}/{JWKS}", body, **kept)


def test_a_new_key_is_shown_with_its_wait(stage: Stage) -> None:
    """It enters as a whole, and the diff is the lines of that key."""
    with stage.cluster.restored():
        stage.cluster.restart_all(stage.config(stage.key, NEW))
        said = preview(stage, stage.issuer(), exit_code=1)
    new, first = said["keys"]
    assert (new["keyID"], new["change"], new["state"]) == (NEW.kid, "enters", "Pending")
    # R3: prePublishPeriod 5s, a cache age of 2s, clockSkew 1s.
    assert new["sentence"] == "listed by default; safe to sign with 8s after the public URL shows it"
    assert (first["keyID"], first["change"]) == (stage.key.kid, "stays")
    assert first["sentence"].startswith("listed by default; an API server signs with it; safe to sign with since 20")
    jwks = said["documents"][0]
    assert jwks["reason"] == "the keys changed"
    assert not [line for line in jwks["diff"][2:] if line.startswith("-") and "serial" not in line]


def test_one_api_server_that_is_down_is_a_warning(stage: Stage) -> None:
    """The decision stands, and what could not be read is named."""
    with stage.cluster.restored():
        stage.cluster.kill(1)
        said = preview(stage, stage.issuer(), exit_code=0)
    assert "APIServerUnreachable" in reasons(said)
    assert any(f"API server {stage.cluster.addresses[1]}" in caveat for caveat in said["caveats"])


def test_documents_of_somebody_else_are_2_and_refused(stage: Stage) -> None:
    """Nothing would be written, and yet nothing is as it was asked for: that is neither 0 nor 1."""
    stage.s3.put(BUCKET, f"theirs/{JWKS}", b'{"keys":[]}')
    manifest = stage.issuer("other", store={"s3": stage.s3_spec(prefix="theirs")})
    done = plan(stage, manifest, exit_code=2)
    assert done.stdout.startswith("other  refused\nDocumentsNotOurs: s3://example-oidc/theirs holds documents")
    assert f"  {JWKS}  untouched" in done.stdout
    quiet = plan(stage, manifest, "-q", exit_code=2)
    assert (quiet.stdout, quiet.stderr.startswith("Error: DocumentsNotOurs: s3://example-oidc/theirs")) == ("", True)


def test_another_place_leaves_the_old_one_as_it_is(stage: Stage) -> None:
    """A changed store: said, for nobody deletes anything there."""
    said = preview(stage, stage.issuer(store={"s3": stage.s3_spec(prefix="new")}), exit_code=1)
    assert said["location"] == "s3://example-oidc/new"
    assert "The documents at s3://example-oidc/prod, the place until now, stay there as they are." in said["caveats"]


def test_a_store_that_cannot_be_read_is_2_with_its_reason(stage: Stage) -> None:
    """Without credentials, and with the server away."""
    done = plan(stage, stage.issuer(), exit_code=2, env={})
    assert done.stdout.startswith("prod  cannot tell\nCredentialsMissing: ")
    assert "-> " in done.stdout
    done = plan(stage, stage.issuer(store={"gcs": {"bucket": "example-oidc"}}), exit_code=2, env={})
    assert done.stdout.startswith("prod  cannot tell\nCredentialsMissing: ")
    stage.edge.fail("GET", f"/{BUCKET}/{PREFIX}/", 503)
    try:
        said = preview(stage, stage.issuer(), exit_code=2)
        assert (said["result"], "StoreUnavailable" in reasons(said)) == ("CannotTell", True)
    finally:
        stage.edge.heal()


def test_a_suspended_issuer_has_nothing_to_do(stage: Stage) -> None:
    """And nothing is read for it."""
    stage.edge.forget_requests()
    done = plan(stage, stage.issuer(suspend=True), exit_code=0)
    assert done.stdout.startswith("prod  nothing to do\nIt is suspended")
    assert stage.edge.count() == 0


def test_what_the_api_server_would_refuse_is_2(stage: Stage) -> None:
    """Another issuer URL; a field that does not exist; two issuers in one file."""
    changed = stage.issuer(issuerURL="https://oidc.example.com/other")
    done = plan(stage, changed, exit_code=2)
    assert done.stderr.startswith(
        "Error: The API server would refuse this change of oidci/prod: spec.issuerURL: is immutable: tokens carry it as `iss`"
    )
    assert plan(stage, stage.issuer(keySource=[]), exit_code=2).stderr.startswith(
        'Error: The manifest: unknown field "spec.keySource" (is spec.keySources meant?).'
    )
    twice = "---\n".join(yaml.safe_dump(stage.issuer(name)) for name in ("one", "two"))
    assert "holds 2 OIDCIssuers (one, two)" in plan(stage, twice, exit_code=2).stderr


def test_the_time_is_limited(stage: Stage) -> None:
    """A store that never answers costs what was granted, and not boto3's patience, which is ten seconds."""
    began = time.monotonic()
    plan(stage, stage.issuer(), exit_code=2, env={})
    usual_s = time.monotonic() - began
    stage.edge.misbehave(f"/{BUCKET}/", delayed(20))
    try:
        began = time.monotonic()
        done = plan(stage, stage.issuer(), "--timeout=1s", exit_code=2)
        assert done.stderr.endswith("Error: Not everything was read within 1s. Give it more with --timeout.\n")
        assert time.monotonic() - began < usual_s + 6
    finally:
        stage.edge.heal()


def test_who_may_not_read_is_told_what_is_missing(stage: Stage) -> None:
    """One line with the verb and the resource."""
    stage.cluster.kubectl("create", "serviceaccount", "nobody")
    kubeconfig = stage.cluster.kubeconfig_for_service_account("default", "nobody", survives_rotation=True)
    done = plan(stage, stage.issuer(), f"--kubeconfig={kubeconfig}", exit_code=2)
    assert done.stderr == "Error: You may not read OIDCIssuer prod (verb get on oidcissuers.oidc-publisher.io).\n"


def planned_by(diff: list[str]) -> tuple[dict[str, str], Any]:
    """Headers and JSON of a diff in which everything is new."""
    lines = [line.removeprefix("+") for line in diff[3:]]
    end = lines.index("")
    headers = dict(line.split(": ", 1) for line in lines[:end])
    return headers, json.loads("\n".join(lines[end:]))


def stored(stage: Stage, path: str) -> tuple[dict[str, str], Any]:
    """Headers, owner mark and JSON as the bucket has them; without the nonce, which is made for each write and not planned."""
    found = stage.s3.get_object(BUCKET, f"{PREFIX}/{path}")
    assert found is not None
    headers = {"Content-Type": found["ContentType"], "Cache-Control": found["CacheControl"], **found["Metadata"]}
    assert headers.pop("oidc-publisher-nonce")
    return headers, json.loads(found["Body"].read())


def resource(entry: Object) -> str:
    """RESOURCE or RESOURCE/SUBRESOURCE of an audited request, the path where it has none."""
    found = entry.get("objectRef")
    if found is None:
        return str(entry["requestURI"])
    return "/".join(part for part in (found["resource"], found.get("subresource")) if part)


def cluster_versions(stage: Stage) -> dict[str, str]:
    """The resourceVersion of every object that a plan has to do with."""
    paths = (
        "/apis/oidc-publisher.io/v1alpha1/oidcissuers",
        "/apis/events.k8s.io/v1/namespaces/default/events",
        "/api/v1/namespaces/default/serviceaccounts",
        "/api/v1/namespaces",
    )
    items = (item for path in paths for item in stage.cluster.request("GET", path).json()["items"])
    return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in items}

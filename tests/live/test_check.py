"""`check` as the operator's ServiceAccount runs it: real API servers, a real bucket, the chart's rights and CRD."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.places import until
from tests.support import chart
from tests.support.stage import BUCKET, PROBE, Object, Stage

ACCOUNT = (chart.NAMESPACE, f"{chart.RELEASE}-oidc-publisher")
VALUES = {
    "probe": {"serviceAccount": {"create": False, "namespace": PROBE[0], "name": PROBE[1]}},
    "managedKeys": {"enabled": True},  # the stage serves the kind
    "rbac": {"configMaps": [{"namespace": "default", "name": "signers"}]},
}
DISCOVERY, JWKS = ".well-known/openid-configuration", "openid/v1/jwks"
CRD = "oidcissuers.oidc-publisher.io"


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    """The chart's objects but its Deployment."""
    return [found for found in chart.render(VALUES) if found["kind"] not in {"Deployment", "CustomResourceDefinition"}]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, objects: list[Object]) -> Iterator[Stage]:
    """Two API servers, S3 and the chart's rights; no CRD, no issuer and no operator yet."""
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        running.cluster.create_namespace(chart.NAMESPACE)
        running.cluster.apply(objects)
        yield running


#: How often an API server is taken away until a check has run before the others forget it.
TRIES = 5


def run(
    stage: Stage, *arguments: str, exit_code: int | None, manifest: Object | None = None, admin: bool = False
) -> str:
    """The output of `oidc-publisher check` with the operator's rights and S3 credentials, in JSON; None takes any exit code."""
    program = Path(sys.executable).with_name("oidc-publisher")
    cluster = stage.cluster
    kubeconfig = cluster.admin_kubeconfig() if admin else cluster.kubeconfig_for_service_account(*ACCOUNT)
    done = subprocess.run(
        [program, "check", f"--probe-service-account={'/'.join(PROBE)}", "-o", "json", *arguments],
        input=yaml.safe_dump(manifest) if manifest else None,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(stage.folder),
            "KUBECONFIG": str(kubeconfig),
            "AWS_EC2_METADATA_DISABLED": "true",
            **stage.s3.credentials,
        },
    )
    assert exit_code in {None, done.returncode}, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout or done.stderr


def lines(output: str, *results: str) -> dict[str, Any]:
    """The lines with these results, or all of them, by what was checked."""
    found = [line for section in json.loads(output)["sections"] for line in section["lines"]]
    return {line["check"]: line for line in found if not results or line["result"] in results}


def test_before_the_installation(stage: Stage) -> None:
    """--pre: no CRD, no objects; a manifest's store and URL, every API server, and who may install."""
    given = "--pre", "-f", "-"
    said = lines(run(stage, *given, manifest=stage.issuer(), exit_code=0, admin=True))
    assert said[f"CustomResourceDefinition {CRD}"]["found"].startswith("not there yet")
    assert set(stage.cluster.addresses) <= set(said)
    assert said["create clusterroles.rbac.authorization.k8s.io"]["result"] == "Yes"
    assert said[f"write {JWKS}"]["result"] == said[f"write {DISCOVERY}"]["result"] == "Yes"
    assert said["conditional writes"]["result"] == "Warning"  # nothing is there to compare with
    assert said[stage.issuer_url]["found"].startswith("reached; nothing is published there yet")
    assert stage.s3.keys(BUCKET) == []
    may_not = lines(run(stage, *given, manifest=stage.issuer(), exit_code=1), "No")
    assert "create clusterroles.rbac.authorization.k8s.io" in may_not


def test_without_the_crd_an_installation_is_broken(stage: Stage) -> None:
    """The line says how it is installed."""
    said = lines(run(stage, "-f", "-", manifest=stage.issuer(), exit_code=1), "No", "NoAnswer")
    assert list(said) == [f"CustomResourceDefinition {CRD}"]
    assert lines(run(stage, exit_code=1), "No", "NoAnswer") == said
    assert "crds.enabled" in said[f"CustomResourceDefinition {CRD}"]["advice"]


@pytest.fixture(scope="module")
def installed(stage: Stage) -> Stage:
    """The CRD, one issuer of the API servers and a ConfigMap, and its documents."""
    stage.apply_crd()
    pem = stage.key.public_pem.decode()
    metadata = {"namespace": "default", "name": "signers"}
    stage.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"1.pub": pem}})
    extra = {**metadata, "entryPattern": r"(?P<version>\d+)\.pub"}
    sources = [{"name": "default", "apiServer": {}}, {"name": "extra", "configMap": extra}]
    stage.operator.start()
    stage.apply(stage.issuer(keySources=sources, deletionPolicy="Delete"))
    stage.wait_ready()
    stage.operator.stop()
    return stage


def test_everything_works_and_nothing_is_changed(installed: Stage) -> None:
    """All good is 0 without a warning, and the stored objects keep their versions."""
    before = installed.s3.client.list_objects_v2(Bucket=BUCKET)["Contents"]
    output = run(installed, exit_code=0)
    assert json.loads(output)["result"] == "Yes", lines(output, "No", "Warning", "NoAnswer")
    said = lines(output)
    assert said["conditional writes"]["found"] == "honoured"
    assert said["key source extra"]["found"] == "1 key"
    assert said["identity at s3://example-oidc/prod"]["found"] == f"access key {installed.s3.access_key} (env)"
    assert installed.s3.client.list_objects_v2(Bucket=BUCKET)["Contents"] == before
    assert json.loads(run(installed, "oidci/prod", exit_code=0)) == json.loads(output)
    assert run(installed, "--quiet", exit_code=0) == ""


def test_a_person_is_told_that_the_rights_are_not_the_operators(installed: Stage) -> None:
    """An admin may do everything, which says nothing about the operator."""
    (warning,) = lines(run(installed, exit_code=0, admin=True), "Warning").values()
    assert "not the operator's" in warning["found"]
    assert "kubectl exec" in warning["advice"]


@contextmanager
def without(stage: Stage, *roles: Object) -> Iterator[None]:
    """The roles without their first rule."""
    stage.cluster.apply([{**role, "rules": role["rules"][1:]} for role in roles])
    try:
        yield
    finally:
        stage.cluster.apply(list(roles))


def refused(stage: Stage, role: Object) -> None:
    """Wait until the API server of the kubeconfig has seen that the first rule of a role is gone."""
    rule = role["rules"][0]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{':'.join(ACCOUNT)}",
            "resourceAttributes": {
                "verb": rule["verbs"][-1],
                "group": rule["apiGroups"][0],
                "resource": rule["resources"][0].partition("/")[0],
                "subresource": rule["resources"][0].partition("/")[2],
                "namespace": role["metadata"].get("namespace", ""),
                "name": rule.get("resourceNames", [""])[0],
            },
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    until(lambda: not stage.cluster.json("POST", path, review, index=0)["status"]["allowed"], f"{role} is seen")


def test_a_right_that_is_taken_away_is_a_line(installed: Stage, objects: list[Object]) -> None:
    """It names verb, resource and the chart's value."""
    role = next(found for found in objects if found["metadata"]["name"].endswith("configmaps-signers"))
    with without(installed, role):
        refused(installed, role)
        broken = lines(run(installed, exit_code=1), "No", "Warning", "NoAnswer")
    assert set(broken) == {f"{verb} configmaps signers in default" for verb in ("get", "watch")} | {"key source extra"}
    assert (
        "{namespace: default, name: signers} in rbac.configMaps"
        in broken["get configmaps signers in default"]["advice"]
    )


def test_every_rule_of_the_chart_that_is_taken_away_is_a_line(installed: Stage, objects: list[Object]) -> None:
    """The first rule of each role; what the API server gives to everybody is not the chart's to take away."""
    roles = [found for found in objects if found["kind"] in {"Role", "ClusterRole"}]
    granted = {
        (found["roleRef"]["kind"], found["roleRef"]["name"])
        for found in objects
        if any(subject["name"] == ACCOUNT[1] for subject in found.get("subjects", ()))
    }
    ours = [role for role in roles if (role["kind"], role["metadata"]["name"]) in granted]
    assert len(ours) > 2, "the operator has several roles"
    with without(installed, *ours):
        for role in ours:
            refused(installed, role)
        # With no right to list the objects none of them is known; so one is named.
        broken = lines(run(installed, "-f", "-", manifest=installed.get(), exit_code=1), "No", "Warning")
    for role in ours:
        for verb in role["rules"][0]["verbs"]:
            resource = role["rules"][0]["resources"][0]
            (line,) = (line for check, line in broken.items() if check.startswith(f"{verb} {resource}"))
            assert "rbac." in line["advice"] or "managedKeys." in line["advice"]


def test_a_store_that_refuses_writes_is_no(installed: Stage) -> None:
    """The line names the permission."""
    installed.edge.fail("PUT", "", 403, code="AccessDenied")
    try:
        said = lines(run(installed, exit_code=1), "No")
    finally:
        installed.edge.heal()
    assert set(said) == {f"write {JWKS}", f"write {DISCOVERY}"}
    assert "s3:PutObject" in said[f"write {JWKS}"]["found"]


def test_a_store_that_is_away_is_no_answer(installed: Stage) -> None:
    """Nobody can tell what the operator may do there; the documents are served from elsewhere, and are."""
    spec = installed.s3_spec(endpointURL="https://localhost:1")
    said = lines(run(installed, "-f", "-", manifest=installed.issuer(store={"s3": spec}), exit_code=2), "NoAnswer")
    assert set(said) == {f"read {JWKS}", f"read {DISCOVERY}"}


def test_a_public_url_that_cannot_be_reached_is_no(installed: Stage) -> None:
    """A name without an address, as a firewall or a missing record would have it."""
    manifest = installed.issuer("other", issuerURL="https://nowhere.invalid/prod")
    said = lines(run(installed, "-f", "-", manifest=manifest, exit_code=1), "No")
    assert list(said) == ["https://nowhere.invalid/prod"]


def test_an_api_server_that_is_away_is_no_and_none_at_all_is_no_answer(installed: Stage) -> None:
    """One of two is a line; without the one that the kubeconfig names, nobody answers."""
    second = installed.cluster.addresses[1]
    for _ in range(TRIES):
        installed.cluster.kill(1)
        said = run(installed, exit_code=None)
        if second.rpartition(":")[0] in installed.cluster.endpoint_addresses():
            break
        # Its lease of 15 s ended while the check ran, so that nothing named it any more.
        installed.cluster.start_server(1)
    assert second in lines(said, "No")
    assert json.loads(said)["result"] == "No"
    installed.cluster.kill(0)
    assert "Error: " in run(installed, exit_code=2, admin=True)

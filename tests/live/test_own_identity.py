"""An operator whose AWS role rests on the issuer that it publishes: the first publication, and the way out of the circle.

docs/how-to/break-glass.md is tried here, step by step, with the environment that the chart gives to the pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.places import JWKS, published, until
from tests.support import chart
from tests.support.operatorprocess import OperatorProcess
from tests.support.stage import BUCKET, PROBE, Stage, condition
from tests.support.stsstandin import STSStandIn

ROLE = {"roleARN": "arn:aws:iam::123456789012:role/oidc-publisher", "region": "eu-central-1"}
TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """One API server, S3 and an empty bucket."""
    with Stage(tmp_path, servers=1) as running:
        running.apply_crd()
        yield running


@pytest.fixture
def sts(stage: Stage) -> Iterator[STSStandIn]:
    """STS, which trusts the issuer of the stage."""
    s3 = stage.s3
    with STSStandIn(stage.issuer_url, stage.pki.client_context(), s3.access_key, s3.secret_key) as running:
        yield running


def chart_environment(stage: Stage, sts: STSStandIn) -> dict[str, str]:
    """What the chart sets with cloudIdentity.aws, and a token such as the kubelet would mount."""
    (deployment,) = chart.of_kind(chart.render({"cloudIdentity": {"aws": ROLE}}), "Deployment")
    env = {one["name"]: one["value"] for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    stage.cluster.create_service_account("oidc-publisher", "prod-oidc-publisher")
    token = stage.folder / "token"
    token.write_text(stage.cluster.mint_token(0, "oidc-publisher", "prod-oidc-publisher", "sts.amazonaws.com"))
    return {**env, TOKEN_FILE: str(token), "AWS_ENDPOINT_URL_STS": sts.url}


def restart(stage: Stage, env: dict[str, str], name: str) -> None:
    """A new pod, as `kubectl rollout restart` makes one."""
    stage.operator.kill()
    kubeconfig = stage.cluster.admin_kubeconfig()
    probe = f"--probe-service-account={'/'.join(PROBE)}"
    stage.operator = OperatorProcess(stage.folder, kubeconfig, probe, env=env, name=name)
    stage.operator.start()


def test_the_circle_is_begun_and_broken_open_with_other_credentials(stage: Stage, sts: STSStandIn) -> None:
    """Credentials in the environment win over the role; without them the role is good as long as the documents are."""
    of_its_own = chart_environment(stage, sts)
    keys = {name: stage.s3.credentials[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    stage.apply(stage.issuer())
    restart(stage, of_its_own, "first")
    found = stage.wait_for_reason("CredentialsMissing", timeout_s=20)
    assert "InvalidIdentityToken" in str(found["status"]["findings"])
    assert stage.s3.keys(BUCKET) == []

    restart(stage, of_its_own | keys, "bootstrap")
    stage.wait_ready()
    assert sts.granted == 0

    restart(stage, of_its_own, "by-itself")
    body = stage.s3.get(BUCKET, JWKS)
    assert body is not None
    stage.s3.put(BUCKET, JWKS, body, ContentType="text/plain")
    until(lambda: sts.granted > 0, "STS believes the operator's own token")
    until(lambda: stage.s3.client.head_object(Bucket=BUCKET, Key=JWKS)["ContentType"] == "application/json", "repaired")

    stage.operator.kill()  # it would repair it: what it was granted is good for a while
    stage.s3.put(BUCKET, JWKS, b'{"keys": []}', ContentType="application/json")
    restart(stage, of_its_own, "locked-out")
    stage.wait_for_reason("CredentialsMissing", timeout_s=20)
    assert stage.s3.get(BUCKET, JWKS) == b'{"keys": []}'
    assert condition(stage.get()["status"], "Ready") != "True"

    restart(stage, of_its_own | keys, "break-glass")
    until(lambda: stage.s3.get(BUCKET, JWKS) != b'{"keys": []}', "the key set is repaired")
    stage.wait_ready()
    assert published(stage) == {stage.key.kid}
    granted = sts.granted
    restart(stage, of_its_own, "by-itself-again")
    until(lambda: sts.granted > granted, "the role is good again")
    stage.wait_ready()

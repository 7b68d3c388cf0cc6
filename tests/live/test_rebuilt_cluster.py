"""A cluster is built anew in the place of the old one: another kube-system UID, another key, the same bucket and URL."""

from __future__ import annotations

import time
from pathlib import Path

import jwt

from tests.live.places import message, owners, patch, published, until
from tests.support.controlplane import ControlPlane
from tests.support.signingkeys import signing_key
from tests.support.stage import PROBE, STAGE_PORT, Stage, condition, reasons

LIFETIME_S = 20


def test_tokens_of_the_old_cluster_outlive_it_until_its_keys_leave(tmp_path: Path) -> None:
    """Merge keeps the old keys for one token lifetime and no longer; the new key is called early until it is safe."""
    rotation = {"prePublishPeriod": "5s", "maxTokenLifetime": f"{LIFETIME_S}s", "clockSkew": "1s"}
    with Stage(tmp_path / "stage", servers=1) as stage:
        stage.apply_crd()
        stage.operator.start()
        stage.apply(stage.issuer(rotation=rotation))
        stage.wait_ready()
        old_key, old_uid = stage.key, uid(stage)
        old_token = stage.cluster.mint_token(0, *PROBE, "sts.amazonaws.com", 600)
        rebuild(stage, tmp_path)
        assert uid(stage) != old_uid

        stage.apply(stage.issuer(rotation=rotation))
        refused = stage.wait_for_reason("DocumentsNotOurs")
        assert f"{old_uid}/prod" in message(refused, "Published")
        assert published(stage) == {old_key.kid}
        patch(stage, adoption="Merge")
        began = time.monotonic()
        status = stage.wait_ready()["status"]
        assert published(stage) == {old_key.kid, stage.key.kid}
        assert owners(stage) == {"prod"}

        # Both clusters' tokens verify with what the public URL serves.
        new_token = stage.cluster.mint_token(0, *PROBE, "sts.amazonaws.com", 600)
        for token in (old_token, new_token):
            verify(stage, token)
        assert "SignedBeforeSafe" in reasons(status)
        assert condition(status, "SafeToSign") == "False"
        safe = stage.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign")
        assert "SignedBeforeSafe" not in reasons(safe["status"])

        until(lambda: published(stage) == {stage.key.kid}, "the old key has left", timeout_s=LIFETIME_S + 20)
        assert time.monotonic() - began > LIFETIME_S, "not before its tokens are dead"
        verify(stage, new_token)
        stage.wait_ready()


def rebuild(stage: Stage, folder: Path) -> None:
    """Another control plane with an empty etcd and another key at the addresses of the former one, and its operator."""
    stage.operator.kill()
    stage.cluster.stop()
    stage.key = signing_key("RSA-2048", "rebuilt")
    stage.cluster = ControlPlane(folder / "rebuilt", stage.pki, [stage.config()], port=STAGE_PORT)
    stage.cluster.start()
    stage.cluster.create_service_account(*PROBE)
    stage.operator = stage.make_operator(name="operator-of-rebuilt")
    stage.apply_crd()
    stage.operator.start()


def uid(stage: Stage) -> str:
    """What stands for the cluster in owner marks."""
    return str(stage.cluster.get("v1", "Namespace", "kube-system")["metadata"]["uid"])


def verify(stage: Stage, token: str) -> None:
    """Verify as a relying party that has cached nothing."""
    client = jwt.PyJWKClient(f"{stage.issuer_url}/openid/v1/jwks", ssl_context=stage.pki.client_context())
    key = client.get_signing_key_from_jwt(token).key
    jwt.decode(token, key, algorithms=["RS256"], audience="sts.amazonaws.com", issuer=stage.issuer_url)

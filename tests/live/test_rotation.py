"""A rotation from end to end on real API servers, and what survives of it when the operator or its status is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.places import JWKS, published
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two API servers, S3 and the operator, with one Ready issuer."""
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        running.apply_crd()
        running.operator.start()
        running.apply(running.issuer())
        running.wait_ready()
        yield running


def test_a_rotation_ends_with_the_new_key_alone(stage: Stage) -> None:
    """Add a key, wait until it is safe, sign with it, retire the old one: the set grows first and shrinks last."""
    new = signing_key("P-256", "next")
    stage.cluster.restart_all(stage.config(stage.key, new))
    stage.wait(lambda s: _key(s, new.kid).get("safeSinceTime"), what="the new key is safe", timeout_s=30)
    assert published(stage) == {stage.key.kid, new.kid}
    stage.cluster.restart_all(stage.config(new, stage.key))
    stage.wait(lambda s: s.get("signingKeyIDs") == [new.kid], what="the new key signs", timeout_s=15)
    assert published(stage) == {stage.key.kid, new.kid}
    stage.cluster.restart_all(stage.config(new))
    stage.wait(lambda s: _key(s, stage.key.kid).get("retireTime"), what="the old key retires", timeout_s=15)
    assert published(stage) == {stage.key.kid, new.kid}, "tokens of the old key may still live"
    stage.wait(lambda s: len(s["keys"]) == 1, what="the old key is gone", timeout_s=30)
    assert published(stage) == {new.kid}
    stage.key = new


def test_a_restarted_operator_goes_on_where_it_was(stage: Stage) -> None:
    """SIGKILL and a new process: no write is needed, and the ledger's times stay."""
    keys = stage.get()["status"]["keys"]
    stage.operator.kill()
    stage.edge.forget_requests()
    stage.operator.start()
    time.sleep(3)
    assert stage.edge.writes() == 0
    assert stage.get()["status"]["keys"][0]["servedSinceTime"] == keys[0]["servedSinceTime"]


def test_a_lost_status_is_rebuilt_from_the_store(stage: Stage) -> None:
    """Somebody empties the status: the published set stays as it is."""
    body = stage.s3.get(BUCKET, JWKS)
    path = "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod/status"
    stage.operator.stop()
    stage.cluster.json("PATCH", path, {"status": None}, content_type="application/merge-patch+json")
    stage.operator.start()
    stage.wait_ready()
    assert stage.s3.get(BUCKET, JWKS) == body


def _key(status: dict[str, Any], kid: str) -> dict[str, Any]:
    return next((k for k in status.get("keys", []) if k["keyID"] == kid), {})

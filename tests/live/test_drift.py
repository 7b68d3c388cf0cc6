"""Drift: what somebody else does to the stored documents is repaired at the next look, counted, and told."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.places import DISCOVERY, JWKS, OWNER, emptied, events, patch, published, until
from tests.support.stage import BUCKET, Stage, condition

EDITS = 50


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server, S3, the operator, and one issuer at rest."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as stage, emptied(stage):
        stage.apply_crd()
        stage.operator.start()
        stage.apply(stage.issuer())
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    """The stage with everything in place and safe, and no event so far."""
    running.wait_ready()
    running.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign", timeout_s=30)
    running.cluster.request("DELETE", "/apis/events.k8s.io/v1/namespaces/default/events")
    return running


@pytest.mark.parametrize("key", [JWKS, DISCOVERY], ids=["key-set", "discovery"])
def test_a_deleted_document_is_back_at_the_next_look(stage: Stage, key: str) -> None:
    """Byte for byte, with headers and mark, and told once."""
    before = stored(stage, key)
    stage.s3.delete(BUCKET, key)
    until(lambda: stage.s3.get(BUCKET, key) is not None, "the document is back", timeout_s=6)
    assert without_the_writes_mark(stored(stage, key)) == without_the_writes_mark(before)
    assert "there is none" in drift(stage)


@pytest.mark.parametrize("key", [JWKS, DISCOVERY], ids=["key-set", "discovery"])
def test_an_edited_document_is_mended(stage: Stage, key: str) -> None:
    """Somebody's own body under our mark."""
    before = stored(stage, key)
    rewrite(stage, key, body=b'{"keys":[]}')
    until(
        lambda: without_the_writes_mark(stored(stage, key)) == without_the_writes_mark(before),
        "the document is mended",
        timeout_s=6,
    )
    assert "changed" in drift(stage) or "content" in drift(stage)


@pytest.mark.parametrize(
    "headers",
    [{"ContentType": "text/html"}, {"CacheControl": "private, max-age=1"}, {"ContentEncoding": "gzip"}],
    ids=str,
)
def test_changed_headers_are_mended(stage: Stage, headers: dict[str, Any]) -> None:
    """The same bytes with a header that readers would act upon."""
    before = stored(stage, JWKS)
    rewrite(stage, JWKS, **headers)
    until(
        lambda: without_the_writes_mark(stored(stage, JWKS)) == without_the_writes_mark(before),
        "the headers are mended",
        timeout_s=6,
    )
    assert "headers" in drift(stage)


def test_a_removed_owner_mark_is_drift_and_comes_back(stage: Stage) -> None:
    """After our first write an object without a mark is ours all the same (R9)."""
    rewrite(stage, JWKS, Metadata={})
    until(lambda: OWNER in stored(stage, JWKS)["Metadata"], "the mark is back", timeout_s=6)
    assert "owner mark" in drift(stage)
    stage.wait_ready()


def test_a_key_that_nobody_of_us_knows_is_removed_and_named(stage: Stage) -> None:
    """Somebody adds a key under our very mark and serial: it is gone at the next look, and the event names it."""
    body = json.loads(stage.s3.get(BUCKET, JWKS) or b"{}")
    evil = {**body["keys"][0], "kid": "evil"}
    rewrite(stage, JWKS, body=json.dumps({"keys": [evil, *body["keys"]]}).encode())
    until(lambda: published(stage) == {stage.key.kid}, "the key is removed", timeout_s=6)
    assert "key evil " in drift(stage)
    assert "evil" not in {key["keyID"] for key in stage.get()["status"]["keys"]}


def test_an_older_serial_teaches_us_nothing(stage: Stage) -> None:
    """A former version of the object is put back, with a key that has left since: it does not come back (R9)."""
    metadata = stored(stage, JWKS)["Metadata"]
    body = json.loads(stage.s3.get(BUCKET, JWKS) or b"{}")
    former = {**body["keys"][0], "kid": "former"}
    older = {**metadata, "oidc-publisher-serial": str(int(metadata["oidc-publisher-serial"]) - 1)}
    rewrite(stage, JWKS, body=json.dumps({"keys": [former, *body["keys"]]}).encode(), Metadata=older)
    until(lambda: published(stage) == {stage.key.kid}, "the key is removed", timeout_s=6)
    assert "key former " in drift(stage)


def test_foreign_metadata_beside_our_mark_is_left_alone(stage: Stage) -> None:
    """A tool that labels objects does not start a fight."""
    rewrite(stage, JWKS, Metadata={**stored(stage, JWKS)["Metadata"], "team": "platform"})
    stage.edge.forget_requests()
    time.sleep(6)
    assert stage.edge.writes() == 0
    assert stored(stage, JWKS)["Metadata"]["team"] == "platform"
    assert events(stage, "DriftRepaired") == []


def test_a_storm_of_edits_costs_one_repair_per_look(stage: Stage) -> None:
    """Fifty edits between two looks: none is answered, and the look that comes writes once."""
    patch(stage, interval="1h")
    stage.wait_ready()
    try:
        until(lambda: is_at_rest(stage), "no look is on its way")
        for number in range(EDITS):
            rewrite(stage, JWKS, body=b'{"keys":[%d]}' % number)
        time.sleep(2)
        assert stage.edge.writes() == 0
        stage.cluster.kubectl("annotate", "oidci/prod", "oidc-publisher.io/reconcile-requested-at=storm", "--overwrite")
        until(lambda: _keys_are_back(stage), "the document is mended")
        assert len(stored_events(stage)) == 1
        written = [stage.edge.writes(f"/{key}$") for key in (JWKS, DISCOVERY)]
        assert written == [1, 1], "each once: both bear the raised serial"
    finally:
        patch(stage, interval="2s")


def test_a_storm_that_goes_on_is_answered_once_for_each_look(stage: Stage) -> None:
    """Edits for several looks on end: at most one round of writes for each, and the last word is ours."""
    stage.edge.forget_requests()
    began, edits = time.monotonic(), 0

    def most_writes() -> int:
        """Five attempts at most, where each is overtaken, for each look: one in 2 s, and the one that has the last word."""
        return 5 * (math.ceil((time.monotonic() - began) / 2) + 2)

    # A busy machine makes fewer edits: the storm lasts until they are more than the writes that may answer them.
    while time.monotonic() - began < 6 or edits <= most_writes():
        rewrite(stage, JWKS, body=b'{"keys":[%d]}' % edits)
        edits += 1
        time.sleep(0.02)
    until(lambda: _keys_are_back(stage), "the document is mended")
    assert stage.edge.writes(f"/{JWKS}$") <= most_writes()
    stage.wait_ready(timeout_s=30)


def is_at_rest(stage: Stage, seconds: float = 3.0) -> bool:
    """Whether the store is asked nothing for so long.

    A pass that was due anyway may be the first to see a changed spec; the event of the change then starts one more.
    """
    stage.edge.forget_requests()
    time.sleep(seconds)
    return stage.edge.count() == 0


def _keys_are_back(stage: Stage) -> bool:
    return b'"kid"' in (stage.s3.get(BUCKET, JWKS) or b"")


def stored(stage: Stage, key: str) -> dict[str, Any]:
    """An object's body and all that we decide about beside it."""
    found = stage.s3.get_object(BUCKET, key)
    if found is None:
        return {"Metadata": {}}
    names = ("ContentType", "CacheControl", "ContentEncoding", "Metadata")
    return {"Body": found["Body"].read(), **{name: found.get(name) for name in names}}


def without_the_writes_mark(document: dict[str, Any]) -> dict[str, Any]:
    """The same without what each write changes: its number, its nonce, and whether the public URL was known to lead there."""
    of_the_write = ("oidc-publisher-serial", "oidc-publisher-nonce", "oidc-publisher-shown")
    metadata = {name: value for name, value in document["Metadata"].items() if name not in of_the_write}
    return {**document, "Metadata": metadata}


def rewrite(stage: Stage, key: str, body: bytes | None = None, **changes: Any) -> None:
    """Write an object anew as somebody else would who keeps everything else of it."""
    now = stored(stage, key)
    kept = {name: now[name] for name in ("ContentType", "CacheControl", "Metadata")}
    stage.s3.put(BUCKET, key, now["Body"] if body is None else body, **(kept | changes))


def stored_events(stage: Stage) -> list[dict[str, Any]]:
    """DriftRepaired, once it was told."""
    until(lambda: events(stage, "DriftRepaired"), "DriftRepaired", timeout_s=5)
    return events(stage, "DriftRepaired")


def drift(stage: Stage) -> str:
    """What the one event says."""
    (told,) = stored_events(stage)
    return str(told["note"])

"""spec.store is changed: the new place is written and proven before anything is said of the old one, which stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from tests.live.places import DISCOVERY, JWKS, emptied, event, events, key_of, message, patch, published, until
from tests.support import faults
from tests.support.s3server import S3Server
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, PREFIX, Stage, condition, reasons

NEW = "moved"
NEW_JWKS = JWKS.replace(PREFIX, NEW, 1)


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    """The stage with an issuer in place and its key safe."""
    with emptied(running) as stage:
        stage.apply(stage.issuer())
        stage.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign", timeout_s=30)
        stage.wait_ready()
        yield stage


def test_a_new_place_is_written_and_proven_before_the_old_one_is_spoken_of(stage: Stage) -> None:
    """All keys go with it, none of them loses its time, the old documents stay, and one event names them."""
    before = stage.get()["status"]
    old = {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)}
    serve_from(stage, PREFIX, fault=faults.status(500))  # the public face is moved too, and is not ready yet
    patch(stage, store={"s3": {"prefix": NEW}})
    moved = stage.wait(lambda s: published_at(s) == f"s3://{BUCKET}/{NEW}", what="the new location")["status"]
    assert moved["publication"]["formerLocation"] == f"s3://{BUCKET}/{PREFIX}"
    assert condition(moved, "Served") != "True"
    assert "movedTime" not in moved["publication"]
    assert events(stage, "StoreChanged") == []

    stage.edge.heal()
    serve_from(stage, NEW)
    status = stage.wait_ready()["status"]
    assert stage.s3.get(BUCKET, NEW_JWKS) == old[JWKS]
    assert {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)} == old
    assert f"s3://{BUCKET}/{PREFIX}" in event(stage, "StoreChanged")["note"]
    assert "movedTime" in stage.get()["status"]["publication"]
    times = ("publishedTime", "servedSinceTime", "safeSinceTime", "firstSignedTime")
    now, then = key_of(status, stage.key.kid), key_of(before, stage.key.kid)
    assert {name: now[name] for name in times} == {name: then[name] for name in times}
    stage.operator.restart()
    stage.wait_ready()
    assert len(events(stage, "StoreChanged")) == 1


def test_a_foreign_place_is_refused_and_the_old_documents_stay_served(stage: Stage) -> None:
    """Adoption speaks for each place anew; as long as the new place is another's, no key is safe."""
    foreign = b'{"keys":[]}'
    stage.s3.put(BUCKET, NEW_JWKS, foreign, ContentType="application/json")
    patch(stage, store={"s3": {"prefix": NEW}})
    found = stage.wait_for_reason("DocumentsNotOurs")
    status = found["status"]
    assert f"s3://{BUCKET}/{NEW}" in message(found, "Published")
    assert published_at(status) == f"s3://{BUCKET}/{PREFIX}"
    assert condition(status, "Served") == "True"
    assert "safeSinceTime" not in key_of(status, stage.key.kid), "no key is safe at a place that is another's (R2)"
    assert stage.s3.get(BUCKET, NEW_JWKS) == foreign
    assert published(stage) == {stage.key.kid}
    assert events(stage, "StoreChanged") == []
    patch(stage, adoption="Replace")
    stage.wait(lambda s: published_at(s) == f"s3://{BUCKET}/{NEW}", what="the new location")
    assert published(stage, NEW_JWKS) == {stage.key.kid}


def test_a_new_key_is_not_founding_at_a_new_place(stage: Stage) -> None:
    """Nothing is stored there and the URL answers 404, and yet it is not its first document: a new key waits in full."""
    second = signing_key("RSA-2048", "second")
    stage.operator.kill()
    with stage.cluster.restored():
        stage.cluster.restart_all(stage.config(stage.key, second))
        stage.edge.misbehave(f"^/{BUCKET}/{PREFIX}/", faults.unsigned(faults.status(404)))
        patch(stage, store={"s3": {"prefix": NEW}}, rotation={"prePublishPeriod": "1h"})
        stage.operator.start()
        stage.wait(lambda s: published_at(s) == f"s3://{BUCKET}/{NEW}", what="the new location")
        assert published(stage, NEW_JWKS) == {stage.key.kid, second.kid}
        stage.edge.heal()
        serve_from(stage, NEW)
        status = stage.wait(lambda s: "servedSinceTime" in key_of(s, second.kid), what="the new key served")["status"]
        assert "founding" not in key_of(status, second.kid)
        assert "safeSinceTime" not in key_of(status, second.kid)
        assert condition(status, "SafeToSign") == "False"


def test_moving_back_is_a_move_like_any_other(stage: Stage) -> None:
    """Our own documents of a former time are ours: they are brought up to date, not asked about."""
    patch(stage, store={"s3": {"prefix": NEW}})
    stage.wait(lambda s: published_at(s) == f"s3://{BUCKET}/{NEW}", what="the new location")
    patch(stage, store={"s3": {"prefix": PREFIX}})
    stage.wait(lambda s: published_at(s) == f"s3://{BUCKET}/{PREFIX}", what="the old location")
    status = stage.wait_ready()["status"]
    assert status["publication"]["formerLocation"] == f"s3://{BUCKET}/{NEW}"
    assert "DocumentsNotOurs" not in reasons(status)
    until(lambda: len(events(stage, "StoreChanged")) == 2, "both moves were told")


@pytest.fixture
def second(stage: Stage) -> Iterator[S3Server]:
    """Another S3 server with the same bucket, and the same credentials for it."""
    server = S3Server(stage.folder / "second", stage.pki)
    server.access_key, server.secret_key = stage.s3.access_key, stage.s3.secret_key
    server.process.env |= {"ROOT_ACCESS_KEY": server.access_key, "ROOT_SECRET_KEY": server.secret_key}
    server.client = server.make_client()
    with server:
        server.create_bucket(BUCKET)
        yield server


def test_the_same_bucket_and_prefix_on_another_server_are_another_place(stage: Stage, second: S3Server) -> None:
    """Documents without a mark are no drift there: adoption speaks; then it is a move, and the old server stays as it is."""
    foreign = b'{"keys":[]}'
    second.put(BUCKET, JWKS, foreign, ContentType="application/json")
    old = {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)}
    patch(stage, store={"s3": {"endpointURL": second.endpoint_url}})
    found = stage.wait_for_reason("DocumentsNotOurs")
    assert found["status"]["publication"]["endpointURL"] == stage.edge.url
    assert condition(found["status"], "Served") == "True"
    assert second.get(BUCKET, JWKS) == foreign
    patch(stage, adoption="Replace")
    moved = stage.wait(lambda s: served_on(s) == second.endpoint_url, what="the other server")["status"]
    assert published_at(moved) == moved["publication"]["formerLocation"] == f"s3://{BUCKET}/{PREFIX}"
    assert moved["publication"]["formerEndpointURL"] == stage.edge.url
    assert {key: second.get(BUCKET, key) for key in (DISCOVERY, JWKS)} == old
    assert {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)} == old
    stage.wait_ready()
    assert f"on {stage.edge.url} (if that is another server)" in event(stage, "StoreChanged")["note"]


@pytest.mark.parametrize("url", ["https://169.254.169.254", "http://localhost:9000"])
def test_a_server_that_may_not_be_used_is_named_and_nothing_moves(stage: Stage, url: str) -> None:
    """Keys are read and the public URL is proven all the same, the old place stays ours, and going back mends it."""
    old = {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)}
    patch(stage, store={"s3": {"endpointURL": url}})
    found = stage.wait_for_reason("EndpointNotAllowed")
    status = found["status"]
    assert {kind: condition(status, kind) for kind in ("KeysRead", "Published", "Served", "Ready", "Stalled")} == {
        "KeysRead": "True",
        "Published": "False",
        "Served": "True",
        "Ready": "False",
        "Stalled": "True",
    }
    assert f"endpointURL {url} is " in message(found, "Published")
    assert served_on(status) == stage.edge.url
    assert {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)} == old
    patch(stage, store={"s3": {"endpointURL": stage.edge.url}})
    stage.wait_ready()
    assert events(stage, "StoreChanged") == []


def test_another_url_of_the_same_server_finds_our_own_documents(stage: Stage) -> None:
    """Nobody is asked about them, nothing is written, and nothing is claimed of another server."""
    stage.s3.forget_requests()
    patch(stage, store={"s3": {"endpointURL": stage.s3.endpoint_url}})
    stage.wait(lambda s: served_on(s) == stage.s3.endpoint_url, what="the other URL")
    status = stage.wait_ready()["status"]
    assert not {"DocumentsNotOurs", "OwnershipLost"} & reasons(status)
    assert stage.s3.writes(BUCKET) == 0
    assert "(if that is another server)" in event(stage, "StoreChanged")["note"]


def test_a_status_that_names_no_server_makes_no_place_foreign(stage: Stage) -> None:
    """A former version wrote it: the server is noted in the next pass, drift is drift, and nothing has moved."""
    stage.operator.kill()
    publication: dict[str, Any] = {"status": {"publication": {"endpointURL": None}}}
    stage.cluster.patch("oidc-publisher.io/v1alpha1", "OIDCIssuer", "prod", publication, subresource="status")
    stage.s3.put(BUCKET, JWKS, b'{"keys":[]}', ContentType="application/json")
    stage.operator.start()
    status = stage.wait(lambda s: served_on(s) == stage.edge.url, what="the server noted")["status"]
    assert "formerLocation" not in status["publication"]
    event(stage, "DriftRepaired")
    assert published(stage) == {stage.key.kid}
    assert events(stage, "StoreChanged") == []


def served_on(status: dict[str, Any]) -> str:
    """status.publication.endpointURL."""
    return str(status.get("publication", {}).get("endpointURL", ""))


def published_at(status: dict[str, Any]) -> str:
    """status.publication.location."""
    return str(status.get("publication", {}).get("location", ""))


def serve_from(stage: Stage, prefix: str, fault: faults.Fault | None = None) -> None:
    """Let the public URL show what is stored below another prefix, as an edited origin does; or a fault."""

    async def elsewhere(exchange: faults.Exchange) -> web.StreamResponse:
        path = exchange.request.raw_path.replace(f"/{BUCKET}/{PREFIX}/", f"/{BUCKET}/{prefix}/", 1)
        return faults.respond(exchange.request, await stage.edge._ask("GET", path, CIMultiDict(), b""))

    stage.edge.misbehave(f"^/{BUCKET}/{PREFIX}/", faults.unsigned(fault or elsewhere))

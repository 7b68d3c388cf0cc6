"""The main job with store.gcs: an issuer on a server that speaks Cloud Storage's API, proven through its public URL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.live.places import DISCOVERY, JWKS, message, until
from tests.support import faults
from tests.support.edge import Edge
from tests.support.gcsserver import GCSServer
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, PREFIX, Object, Stage, condition, reasons

#: What periods of seconds always bring.
QUIET = {"PrePublishShort", "TokenOutlivesPolicy"}


class GCSStage(Stage):
    """A stage whose store and public face are a server of Cloud Storage's API behind an edge."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gcs = GCSServer(folder / "gcs", self.pki)
        self.gcs_edge = Edge(self.gcs.endpoint_url, self.pki)

    def __enter__(self) -> Self:
        """Start everything but the operator."""
        self.gcs.start()
        self.gcs_edge.start()
        self.gcs.create_bucket(BUCKET)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        super().__exit__(kind, value, trace)
        self.gcs_edge.stop()
        self.gcs.stop()

    @property
    def issuer_url(self) -> str:
        """The public URL of the issuer."""
        return self.gcs_edge.public_url(BUCKET, PREFIX)

    @property
    def operator_environment(self) -> dict[str, str]:
        """Where Google's libraries find the server, and whom they trust: no credentials in the object."""
        return self.gcs.environment | {"STORAGE_EMULATOR_HOST": self.gcs_edge.url}

    def issuer(self, name: str = "prod", **spec: Any) -> Object:
        """The manifest of an issuer in the bucket."""
        return super().issuer(name, **({"store": {"gcs": {"bucket": BUCKET, "prefix": PREFIX}}} | spec))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GCSStage]:
    """Two API servers, the store and the operator, with one issuer."""
    with GCSStage(tmp_path_factory.mktemp("gcs-stage")) as stage:
        stage.apply_crd()
        stage.operator.start()
        stage.apply(stage.issuer())
        yield stage


@pytest.fixture
def stage(running: GCSStage) -> Iterator[GCSStage]:
    """The stage with a Ready issuer; afterwards everything is as before and Ready again, or the test has failed."""
    running.wait_ready()
    yield running
    running.gcs_edge.heal()
    running.wait_ready(timeout_s=30)
    running.wait(lambda s: reasons(s) <= QUIET, what="no finding but those of the test's short periods", timeout_s=30)


def published(stage: GCSStage) -> set[str]:
    body = stage.gcs.get(BUCKET, JWKS)
    assert body is not None, "the key set is gone"
    return {key["kid"] for key in json.loads(body)["keys"]}


def headers(stage: GCSStage, key: str) -> tuple[str | None, str | None, str | None, bool]:
    found = stage.gcs.get_object(BUCKET, key)
    assert found is not None
    marked = "oidc-publisher-owner" in (found.metadata or {})
    return found.content_type, found.cache_control, found.content_encoding, marked


GOOD = ("application/json", "public, max-age=2", None, True)


def test_an_issuer_becomes_ready(stage: GCSStage) -> None:
    """Everything is proven, through both API servers and the bucket's public URL."""
    assert {kind: status for kind, (status, _) in stage.conditions().items()} == dict.fromkeys(
        ("Ready", "KeysRead", "Published", "Served", "TokenAccepted", "SafeToSign"), "True"
    )
    status = stage.get()["status"]
    assert stage.conditions()["Ready"] == ("True", "Proven")
    assert status["publication"]["location"] == f"gs://{BUCKET}/{PREFIX}"
    assert stage.gcs.keys(BUCKET) == [DISCOVERY, JWKS]
    assert published(stage) == {stage.key.kid}
    assert headers(stage, JWKS) == headers(stage, DISCOVERY) == GOOD


def test_a_resting_issuer_costs_no_write_and_no_bytes(stage: GCSStage) -> None:
    """Several intervals: two looks each, without a body; nothing is written, nothing asked about the bucket."""
    stage.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign")
    stage.gcs.forget_requests()
    time.sleep(7)
    asked = stage.gcs.requests(BUCKET)
    assert set(asked) == {"get"}
    assert 4 <= asked["get"] <= 10


def test_a_second_key_is_published(stage: GCSStage) -> None:
    """An API server begins to list another key: it is on the wire at the next look."""
    second = signing_key("RSA-2048", "second")
    with stage.cluster.restored():
        stage.cluster.restart_all(stage.config(stage.key, second))
        until(lambda: published(stage) == {stage.key.kid, second.kid}, "both keys are published", timeout_s=20)
        stage.wait_ready()
        assert headers(stage, JWKS) == GOOD
    until(lambda: published(stage) == {stage.key.kid}, "the key that is listed no more has left", timeout_s=40)


def test_drift_is_repaired(stage: GCSStage) -> None:
    """A deleted document, other bytes, and the same bytes under other metadata."""
    body = stage.gcs.get(BUCKET, JWKS)
    assert body is not None
    stage.gcs.delete(BUCKET, JWKS)
    until(lambda: stage.gcs.get(BUCKET, JWKS) == body, "the deleted document is back")
    stage.gcs.put(BUCKET, JWKS, b'{"keys":[]}', content_type="application/json", **ours(stage))
    until(lambda: stage.gcs.get(BUCKET, JWKS) == body, "the bytes are repaired")
    stage.gcs.edit(BUCKET, JWKS, content_type="text/html", cache_control="no-store")
    until(lambda: headers(stage, JWKS) == GOOD, "the headers are repaired")
    stage.gcs.put(BUCKET, JWKS, body, content_type="application/json", content_encoding="gzip", **ours(stage))
    until(lambda: headers(stage, JWKS) == GOOD, "the Content-Encoding is repaired")
    assert stage.gcs.get(BUCKET, JWKS) == body


def ours(stage: GCSStage) -> dict[str, Any]:
    """What the operator would miss in an object that somebody else wrote, whatever else is wrong with it."""
    found = stage.gcs.get_object(BUCKET, JWKS)
    return {name: getattr(found, name) for name in ("cache_control", "metadata")}


def test_an_unreachable_store_keeps_what_is_published(stage: GCSStage) -> None:
    """Cloud Storage answers 503: Published is Unknown, not False, and all heals by itself."""
    stage.gcs_edge.misbehave("/storage/v1/b/", faults.status(503), methods=("GET", "POST", "DELETE"))
    found = stage.wait_for_reason("StoreUnavailable", timeout_s=15)
    assert condition(found["status"], "Published") == "Unknown"
    assert published(stage) == {stage.key.kid}


@pytest.mark.parametrize(
    ("status", "page", "reason", "named"),
    [
        pytest.param(
            403,
            "<Code>AccessDenied</Code><Message>Access denied.</Message>"
            "<Details>Anonymous caller does not have storage.objects.get access to the object.</Details>",
            "AccessBlocked",
            ("403 (AccessDenied)", "allUsers", "public access prevention"),
            id="no-grant-or-prevention",
        ),
        pytest.param(
            400,
            "<Code>UserProjectMissing</Code><Message>User project is missing.</Message>",
            "UnexpectedStatus",
            ("400 (UserProjectMissing)", "--no-requester-pays"),
            id="requester-pays",
        ),
    ],
)
def test_a_bucket_that_is_not_public_is_named(
    stage: GCSStage, status: int, page: str, reason: str, named: tuple[str, ...]
) -> None:
    """What Cloud Storage says to strangers is said in the condition; what it does not tell apart is not guessed."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error>{page}</Error>".encode()
    stage.gcs_edge.misbehave(f"^/{BUCKET}/", faults.status(status, body, "application/xml; charset=UTF-8"))
    found = stage.wait_for_reason(reason, timeout_s=8)
    assert condition(found["status"], "Ready") == "False"
    for words in named:
        assert words in message(found, "Served")

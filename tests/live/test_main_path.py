"""The main job on real parts: a cluster's keys on a public URL, proven; every fault named, nothing lost, all healed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import jwt
import pytest

from oidc_publisher.rotation import coarse_phase
from oidc_publisher.rotation.clock import coarse_end
from tests.live.places import DISCOVERY, JWKS, events, message, published, until
from tests.support import faults
from tests.support.loopback import localhost_addresses
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, PREFIX, Stage, condition, reasons


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two API servers, S3 and the operator, with one issuer."""
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.apply_crd()
        stage.operator.start()
        stage.apply(stage.issuer())
        yield stage


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    """The stage with a Ready issuer; afterwards everything is as before and Ready again, or the test has failed."""
    running.wait_ready()
    yield running
    running.edge.heal()
    running.wait_ready(timeout_s=30)
    running.wait(lambda s: reasons(s) <= QUIET, what="no finding but those of the test's short periods", timeout_s=30)


#: What periods of seconds always bring.
QUIET = {"PrePublishShort", "TokenOutlivesPolicy"}


def test_an_issuer_becomes_ready_and_names_the_signing_key(stage: Stage) -> None:
    """Everything is proven for this generation, through both API servers."""
    status = stage.get()["status"]
    assert {kind: status for kind, (status, _) in stage.conditions().items()} == dict.fromkeys(
        ("Ready", "KeysRead", "Published", "Served", "TokenAccepted", "SafeToSign"), "True"
    )
    assert stage.conditions()["Ready"] == ("True", "Proven")
    assert status["signingKeyIDs"] == [stage.key.kid]
    assert status["issuerURL"] == stage.issuer_url
    assert status["jwksURI"] == f"{stage.issuer_url}/openid/v1/jwks"
    assert status["publication"]["location"] == f"s3://{BUCKET}/{PREFIX}"
    assert all(c["observedGeneration"] == 1 for c in status["conditions"])


def test_kubectl_waits_and_shows_a_row(stage: Stage) -> None:
    """What an admin sees and scripts."""
    stage.cluster.kubectl("wait", "--for=condition=Ready", "oidci/prod", "--timeout=5s")
    safe = f'jsonpath={{.status.keys[?(@.keyID=="{stage.key.kid}")].safeSinceTime}}'
    stage.cluster.kubectl("wait", f"--for={safe}", "oidci/prod", "--timeout=5s")
    unseen = safe.replace(stage.key.kid, "a-key-that-no-pass-has-seen")
    with pytest.raises(AssertionError, match="timed out"):
        stage.cluster.kubectl("wait", f"--for={unseen}", "oidci/prod", "--timeout=1s")
    header, row = stage.cluster.kubectl("get", "oidcissuers").splitlines()
    assert re.split(r"\s{2,}", header.strip()) == ["NAME", "READY", "REASON", "ISSUER", "KEYS", "PROVEN", "AGE"]
    assert re.fullmatch(rf"prod +True +Proven +{re.escape(stage.issuer_url)} +1 +\d\S* +\S+", row)


def test_events_tell_what_happened(stage: Stage) -> None:
    """`kubectl describe` shows that a key became safe and that the issuer was proven."""
    described = stage.cluster.kubectl("describe", "oidcissuer", "prod")
    events = described[described.index("Events:") :]
    assert re.search(r"Normal +KeySafe ", events)
    assert re.search(r"Normal +Proven ", events)


def test_what_flaps_is_one_line_for_each_thing_that_happens(stage: Stage) -> None:
    """The API server's own series, as `kubectl describe` counts them."""
    for _ in range(3):
        for suspend in (True, False):
            stage.cluster.kubectl(
                "patch", "oidci", "prod", "--type=merge", "-p", json.dumps({"spec": {"suspend": suspend}})
            )
            stage.wait(
                lambda s, ready="Unknown" if suspend else "True": condition(s, "Ready") == ready,  # type: ignore[misc]
                what="the next pass",
            )

    def suspended() -> str:
        described = stage.cluster.kubectl("describe", "oidcissuer", "prod")
        return "\n".join(line for line in described.splitlines() if re.search(r"Warning +Suspended ", line))

    until(lambda: re.search(r"\(x3 over \w+\)", suspended()), "the last of six events in a row is recorded")
    assert len(suspended().splitlines()) == len(events(stage, "Suspended")) == 1, "one object is all that is kept"


def test_an_independent_verifier_accepts_a_token(stage: Stage) -> None:
    """PyJWT finds the key by the discovery document alone, and verifies a token of each API server."""
    discovery = json.loads(stage.edge.fetch(f"/{BUCKET}/{DISCOVERY}").body)
    assert discovery["issuer"] == stage.issuer_url
    client = jwt.PyJWKClient(discovery["jwks_uri"], ssl_context=stage.pki.client_context())
    for index in range(2):
        token = stage.cluster.mint_token(index, "default", "probe", "sts.amazonaws.com", 600)
        claims = jwt.decode(
            token,
            client.get_signing_key_from_jwt(token).key,
            algorithms=discovery["id_token_signing_alg_values_supported"],
            audience="sts.amazonaws.com",
            issuer=stage.issuer_url,
        )
        assert claims["sub"] == "system:serviceaccount:default:probe"


def test_the_public_documents_carry_the_headers_that_relying_parties_need(stage: Stage) -> None:
    """Content-Type and Cache-Control on both, no Content-Encoding."""
    for path in (DISCOVERY, JWKS):
        answer = stage.edge.fetch(f"/{BUCKET}/{path}")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "public, max-age=2"
        assert "Content-Encoding" not in answer.headers


def test_a_resting_issuer_costs_no_write_and_no_patch(stage: Stage) -> None:
    """Several intervals: zero writes to the store, and the object is not touched."""
    stage.wait(lambda s: condition(s, "SafeToSign") == "True", what="SafeToSign")
    _rest_of_coarse_period(stage, seconds=9)
    before = stage.get()
    stage.edge.forget_requests()
    time.sleep(7)
    assert stage.edge.writes() == 0
    assert stage.edge.count("GET") > 0, "it does look"
    after = stage.get()
    assert after["status"] == before["status"], "what was patched"
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_the_object_is_untouched_beside_its_status(stage: Stage) -> None:
    """No annotation of kopf, no finalizer, nothing but kubectl's own managed fields and the status."""
    metadata = stage.get()["metadata"]
    assert set(metadata.get("annotations", {})) <= {"kubectl.kubernetes.io/last-applied-configuration"}
    assert "finalizers" not in metadata
    others = [m for m in metadata["managedFields"] if not m["manager"].startswith("kubectl")]
    assert {m.get("subresource") for m in others} == {"status"}


def test_a_deleted_document_is_repaired(stage: Stage) -> None:
    """Somebody deletes the key set: it is back at the next look."""
    stage.s3.delete(BUCKET, JWKS)
    until(lambda: stage.s3.get(BUCKET, JWKS) is not None, "the key set is back", timeout_s=10)
    assert published(stage) == {stage.key.kid}


def test_an_edited_document_and_changed_headers_are_repaired(stage: Stage) -> None:
    """Another body, and the same body with other headers and no owner mark: both are drift."""
    good = stage.s3.get_object(BUCKET, JWKS)
    assert good is not None
    body = stage.s3.get(BUCKET, JWKS)
    assert body is not None
    stage.s3.put(BUCKET, JWKS, b'{"keys":[]}', ContentType="application/json")
    until(lambda: stage.s3.get(BUCKET, JWKS) == body, "the body is repaired", timeout_s=10)
    stage.s3.put(BUCKET, JWKS, body, ContentType="text/html")
    until(
        lambda: _headers(stage) == ("application/json", "public, max-age=2", True),
        "the headers are repaired",
        timeout_s=10,
    )


def test_blocked_public_access_is_named_and_heals(stage: Stage) -> None:
    """The bucket refuses anonymous readers: AccessBlocked, within two intervals."""
    stage.s3.block_anonymous_read(BUCKET)
    found = stage.wait_for_reason("AccessBlocked", timeout_s=5)
    assert condition(found["status"], "Ready") == "False"
    assert "Allow public read" in message(found, "Served")
    stage.s3.allow_anonymous_read(BUCKET)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(faults.status(404), "DocumentNotFound", id="not-found"),
        pytest.param(faults.status(500), "UnexpectedStatus", id="server-error"),
        pytest.param(faults.redirect("https://elsewhere.example.com/"), "Redirected", id="redirect"),
        pytest.param(faults.html_error_page(), "DocumentInvalid", id="html-page"),
        pytest.param(faults.header("Cache-Control", None), "CacheControlWrong", id="no-cache-control"),
        pytest.param(faults.reset(), "ConnectionFailed", id="reset"),
        pytest.param(faults.wrong_issuer("https://evil.example.com"), "IssuerMismatch", id="wrong-issuer"),
    ],
)
def test_a_broken_public_face_is_named(stage: Stage, fault: faults.Fault, reason: str) -> None:
    """What relying parties see is what is reported; the stored documents are not touched for it."""
    body = stage.s3.get(BUCKET, DISCOVERY)
    stage.edge.misbehave(f"/{DISCOVERY}$", faults.unsigned(fault))
    stage.wait_for_reason(reason, timeout_s=8)
    assert stage.s3.get(BUCKET, DISCOVERY) == body


def test_an_unreachable_store_keeps_what_is_published(stage: Stage) -> None:
    """The S3 server is away: Published is Unknown, not False; Ready holds for three intervals; all heals by itself."""
    body = stage.s3.get(BUCKET, JWKS)
    stage.s3.stop()
    try:
        found = stage.wait_for_reason("StoreUnavailable", timeout_s=15)
        assert condition(found["status"], "Published") == "Unknown"
    finally:
        stage.s3.start()
    assert stage.s3.get(BUCKET, JWKS) == body


def test_one_of_two_api_servers_down_is_named_and_loses_nothing(stage: Stage) -> None:
    """KeysRead is Unknown and names the endpoint; the set stays."""
    stage.cluster.kill(1)
    address = stage.cluster.addresses[1]
    try:
        found = stage.wait_for_reason("APIServerUnreachable", timeout_s=10)
        assert condition(found["status"], "KeysRead") == "Unknown"
        assert address in message(found, "KeysRead")
        assert published(stage) == {stage.key.kid}
    finally:
        stage.cluster.start_server(1)


def test_a_wrong_issuer_in_the_cluster_is_named(stage: Stage) -> None:
    """`iss` differs from spec.issuerURL: no relying party would accept a token."""
    with stage.cluster.restored():
        stage.cluster.restart_all(stage.config(issuer="https://other.example.com"))
        found = stage.wait_for_reason("WrongIssuerInToken", timeout_s=15)
        assert condition(found["status"], "Ready") == "False"
        assert condition(found["status"], "Stalled") == "True"
        assert "--service-account-issuer" in message(found, "TokenAccepted")
        assert published(stage) == {stage.key.kid}


def test_a_signing_key_that_is_not_in_the_key_file_is_named(stage: Stage) -> None:
    """The API server signs with a key that it does not list: nobody can verify, not even itself."""
    stranger = signing_key("RSA-2048", "stranger")
    config = stage.config(stranger)
    with stage.cluster.restored():
        stage.cluster.restart(0, type(config)(stranger, (stage.key.public_pem,), config.issuers))
        wanted = {"SigningKeyUnknown", "SigningKeyNotServed", "TokenRejectedByAPIServer"}
        found = stage.wait(lambda s: wanted <= reasons(s), what=str(wanted), timeout_s=15)
        assert condition(found["status"], "Ready") == "False"
        assert published(stage) == {stage.key.kid}


def test_suspend_makes_no_claim_and_touches_nothing(stage: Stage) -> None:
    """Ready is Unknown/Suspended, and a deleted document stays deleted until the issuer is resumed."""
    stage.apply(stage.issuer(suspend=True))
    try:
        stage.wait(lambda s: condition(s, "Ready") == "Unknown", what="Ready Unknown")
        assert stage.conditions()["Ready"][1] == "Suspended"
        stage.edge.forget_requests()
        time.sleep(3)
        assert stage.edge.count("GET", "PUT") == 0
    finally:
        stage.apply(stage.issuer())


@pytest.mark.parametrize("party", ["GCP", "Azure"])
def test_a_cloud_that_cannot_come_keeps_the_issuer_from_being_ready(stage: Stage, party: str) -> None:
    """The operator may read a loopback address under a CA of our own; nobody says Ready for a cloud that may not."""
    probe = stage.issuer()["spec"]["probe"]
    stage.apply(stage.issuer(probe={**probe, "relyingParties": ["Kubernetes", party]}))
    try:
        found = stage.wait_for_reason("RelyingPartyRuleBroken", timeout_s=15)
        assert condition(found["status"], "Ready") == "False"
        broken = [f for f in found["status"]["findings"] if f["reason"] == "RelyingPartyRuleBroken"]
        assert {f["subject"] for f in broken} == {party}
        said = " ".join(f["message"] for f in broken)
        assert any(f"private address {address}" in said for address in localhost_addresses())
        assert "probe.certificateAuthority" in said
    finally:
        stage.apply(stage.issuer())


def test_a_requested_reconcile_is_answered(stage: Stage) -> None:
    """The annotation's value comes back in status.lastHandledReconcileAt."""
    stage.apply(stage.issuer(interval="1h"))
    stage.wait_ready()
    stage.cluster.kubectl("annotate", "oidci/prod", "oidc-publisher.io/reconcile-requested-at=now-1", "--overwrite")
    try:
        stage.wait(lambda s: s.get("lastHandledReconcileAt") == "now-1", what="the answer", timeout_s=5)
    finally:
        stage.cluster.kubectl("annotate", "oidci/prod", "oidc-publisher.io/reconcile-requested-at-")
        stage.apply(stage.issuer())


def test_foreign_documents_are_not_overwritten(stage: Stage) -> None:
    """Another issuer's place: DocumentsNotOurs, and not a byte is changed."""
    body = b'{"keys":[]}'
    stage.s3.put(BUCKET, "foreign/openid/v1/jwks", body, ContentType="application/json")
    issuer = stage.issuer("foreign", store={"s3": stage.s3_spec(prefix="foreign")})
    issuer["spec"]["issuerURL"] = stage.edge.public_url(BUCKET, "foreign")
    stage.apply(issuer)
    try:
        found = stage.wait_for_reason("DocumentsNotOurs", name="foreign")
        assert "spec.adoption" in message(found, "Published")
        assert stage.s3.get(BUCKET, "foreign/openid/v1/jwks") == body
    finally:
        stage.cluster.kubectl("delete", "oidci/foreign", "--wait=true")


def _headers(stage: Stage) -> tuple[str, str, bool]:
    found = stage.s3.get_object(BUCKET, JWKS)
    assert found is not None
    return found.get("ContentType", ""), found.get("CacheControl", ""), "oidc-publisher-owner" in found["Metadata"]


def _rest_of_coarse_period(stage: Stage, seconds: float) -> None:
    """Wait out the end of the issuer's five minutes in which coarse times are written once, where it lies within `seconds`."""
    now = datetime.now(UTC)
    left = (coarse_end(now, coarse_phase(stage.get()["metadata"]["uid"])) - now).total_seconds()
    if left < seconds:
        time.sleep(left + 3)

"""What S3, STS and the network say, and what an admin reads instead."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from oidc_publisher.telemetry.cloudrequests import noting
from tests.support.builders import DOCUMENT
from tests.support.scripted import Answer, ObjectServer, Request, ScriptedServer, s3_error

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"
NAME = f"s3://bucket/prod/{JWKS}"
DENIED = "User: arn:aws:sts::1:assumed-role/r/botocore-session-17 is not authorized to perform: {} on resource: x"

READS = {
    "permanent-redirect": (
        s3_error(301, "PermanentRedirect", x_amz_bucket_region="us-west-2"),
        Reason.WrongRegion,
        "The bucket bucket lies in us-west-2, not in eu-central-1",
    ),
    "redirect-without-region": (
        s3_error(301, "PermanentRedirect"),
        Reason.WrongRegion,
        "The bucket bucket lies in another region, not in eu-central-1",
    ),
    "signed-for-another-region": (
        s3_error(400, "AuthorizationHeaderMalformed", Region="us-west-2"),
        Reason.WrongRegion,
        "The bucket bucket lies in us-west-2, not in eu-central-1",
    ),
    "opt-in-region": (
        s3_error(400, "IllegalLocationConstraintException", x_amz_bucket_region="me-south-1"),
        Reason.WrongRegion,
        "The bucket bucket lies in me-south-1, not in eu-central-1",
    ),
    "no-bucket": (s3_error(404, "NoSuchBucket"), Reason.BucketNotFound, "The bucket bucket does not exist"),
    "clock": (
        s3_error(403, "RequestTimeTooSkewed"),
        Reason.ClockSkewed,
        f"{NAME}: the operator's clock is off (RequestTimeTooSkewed)",
    ),
    "kms-permission": (
        s3_error(403, "AccessDenied", DENIED.format("kms:Decrypt")),
        Reason.KMSDenied,
        f"{NAME}: kms:Decrypt is denied",
    ),
    "kms-disabled": (
        s3_error(400, "KMS.DisabledException"),
        Reason.KMSDenied,
        f"{NAME}: its KMS key cannot be used (KMS.DisabledException)",
    ),
    "denied": (s3_error(403, "AccessDenied"), Reason.AccessDenied, f"s3:GetObject on {NAME} is denied"),
    "absent-but-not-allowed-to-know": (
        s3_error(403, "AccessDenied", DENIED.format("s3:ListBucket")),
        Reason.AccessDenied,
        f"s3:ListBucket on {NAME} is denied",
    ),
    "expired": (
        s3_error(400, "ExpiredToken"),
        Reason.AccessDenied,
        f"http://127.0.0.1 refuses the operator's credentials for {NAME} (ExpiredToken)",
    ),
    "unknown-key": (
        s3_error(403, "InvalidAccessKeyId"),
        Reason.AccessDenied,
        f"http://127.0.0.1 refuses the operator's credentials for {NAME} (InvalidAccessKeyId)",
    ),
    "slow-down": (
        s3_error(503, "SlowDown"),
        Reason.StoreUnavailable,
        f"s3:GetObject on {NAME}: http://127.0.0.1 answers SlowDown (503)",
    ),
    "internal": (
        s3_error(500, "InternalError"),
        Reason.StoreUnavailable,
        f"s3:GetObject on {NAME}: http://127.0.0.1 answers InternalError (500)",
    ),
    "not-s3": (
        Answer(404, {"Content-Type": "text/html"}, b"<html><body>not here</body></html>"),
        Reason.StoreUnavailable,
        f"s3:GetObject on {NAME}: http://127.0.0.1 answers an error (404)",
    ),
    "no-etag": (
        Answer(200, {"Content-Type": "text/html"}, b"please log in"),
        Reason.StoreUnavailable,
        f"{NAME}: the server answers without an ETag, as S3 does not",
    ),
}


@pytest.mark.parametrize(("answer", "reason", "message"), READS.values(), ids=READS.keys())
async def test_a_read_that_fails_says_why(
    serve: Serve, store_of: StoreOf, answer: Answer, reason: Reason, message: str
) -> None:
    """One reason each, and a message that is the same each time."""
    server = serve(lambda _: answer)
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            await store_of(server).read(JWKS)
        assert (caught.value.reason, str(caught.value).replace(server.url, "http://127.0.0.1")) == (reason, message)
        assert caught.value.subject == NAME


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (s3_error(503, "SlowDown"), True),
        (s3_error(429, "TooManyRequests"), True),
        (s3_error(400, "ExpiredToken"), True),
        (s3_error(403, "RequestTimeTooSkewed"), True),
        (s3_error(400, "InvalidRequest"), False),
        (s3_error(403, "AccessDenied"), False),
        (s3_error(404, "NoSuchBucket"), False),
    ],
)
async def test_only_what_may_pass_is_retryable(
    serve: Serve, store_of: StoreOf, answer: Answer, *, retryable: bool
) -> None:
    """What needs a person is not."""
    with pytest.raises(StoreError) as caught:
        await store_of(serve(lambda _: answer)).read(JWKS)
    assert caught.value.retryable is retryable


async def test_a_wrong_region_costs_one_call(serve: Serve, store_of: StoreOf) -> None:
    """Botocore would follow the redirect in silence, at twice the calls for ever."""
    server = serve(lambda _: s3_error(301, "PermanentRedirect", x_amz_bucket_region="us-west-2"))
    with pytest.raises(StoreError) as caught:
        await store_of(server).read(JWKS)
    assert server.methods() == ["GET"]
    assert caught.value.hint == "Set spec.store.s3.region to us-west-2."


async def test_throttling_is_tried_twice(serve: Serve, store_of: StoreOf) -> None:
    """No more: the next reconcile comes anyway."""
    server = serve(lambda _: s3_error(503, "SlowDown"))
    with pytest.raises(StoreError):
        await store_of(server).read(JWKS)
    assert server.methods() == ["GET", "GET"]


async def test_the_second_try_comes_after_a_random_pause(
    store_of: StoreOf, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a second, and never the same for two: a thousand issuers do not come back together."""
    del credentials
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", pauses.append)
    with ScriptedServer(lambda _: s3_error(503, "SlowDown")) as server:
        for _ in range(8):
            with pytest.raises(StoreError):
                await store_of(server).read(JWKS)
    assert len(set(pauses)) == 8
    assert all(0.0 <= pause <= 1.0 for pause in pauses)


async def test_request_ids_go_to_the_log(serve: Serve, store_of: StoreOf, caplog: pytest.LogCaptureFixture) -> None:
    """Support asks for them; a condition that held them would change each time."""
    with caplog.at_level(logging.INFO, "oidc_publisher.stores"), pytest.raises(StoreError) as caught:
        await store_of(serve(lambda _: s3_error(403, "AccessDenied", "a session name"))).read(JWKS)
    assert "request id R1" in caplog.text
    assert "a session name" in caplog.text
    assert "R1" not in str(caught.value)


async def test_request_ids_are_noted_for_the_line_of_the_pass(serve: Serve, store_of: StoreOf) -> None:
    """Of a refusal and of a write that was done, from the threads of the store; a read that succeeds needs none."""
    ids = {"x-amz-request-id": "R2", "x-amz-id-2": "H2"}

    def answer(request: Request) -> Answer:
        return Answer(200, {"ETag": '"1"', **ids}) if request.method == "PUT" else s3_error(403, "AccessDenied")

    store = store_of(serve(answer))
    with noting() as requests:
        await store.write(JWKS, DOCUMENT, expected=None)
        with pytest.raises(StoreError):
            await store.read(JWKS)
    assert requests[0] == "PutObject 200 x-amz-request-id=R2 x-amz-id-2=H2"
    assert requests[1].startswith("GetObject 403 x-amz-request-id=R1")
    assert len(requests) == 2


async def test_an_expected_owner_is_sent_with_every_call(serve: Serve, store_of: StoreOf) -> None:
    """A bucket that was deleted can be made again by anybody."""
    server = serve(lambda r: Answer(200, {"ETag": '"1"'}) if r.method == "PUT" else s3_error(404, "NoSuchKey"))
    store = store_of(server, owner="123456789012")
    await store.read(JWKS)
    await store.write(JWKS, DOCUMENT, expected=None)
    assert {r.headers.get("x-amz-expected-bucket-owner") for r in server.requests} == {"123456789012"}


async def test_another_owner_is_told_from_a_missing_right(serve: Serve, store_of: StoreOf) -> None:
    """Both are 403; the bucket that lets us read when nobody asks whose it is belongs to another."""
    anothers = serve(
        lambda r: (
            s3_error(403, "AccessDenied") if "x-amz-expected-bucket-owner" in r.headers else s3_error(404, "NoSuchKey")
        )
    )
    with pytest.raises(StoreError) as caught:
        await store_of(anothers, owner="123456789012").read(JWKS)
    assert caught.value.reason is Reason.BucketOwnedByAnother
    with pytest.raises(StoreError) as caught:
        await store_of(serve(lambda _: s3_error(403, "AccessDenied")), owner="123456789012").read(JWKS)
    assert caught.value.reason is Reason.AccessDenied
    assert "expectedBucketOwner" in caught.value.hint


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
async def test_a_conflict_is_a_lost_race(serve: Serve, store_of: StoreOf, code: str) -> None:
    """S3 answers 409 when two writers meet in the middle."""
    server = serve(lambda r: s3_error(409, code) if r.method == "PUT" else s3_error(404, "NoSuchKey"))
    with pytest.raises(PreconditionError, match="changed by somebody else"):
        await store_of(server).write(JWKS, DOCUMENT, expected=None)
    assert server.methods() == ["PUT", "GET"]


async def test_a_denied_write_names_its_permission(serve: Serve, store_of: StoreOf) -> None:
    """And is not read again: nothing was lost."""
    server = serve(lambda _: s3_error(403, "AccessDenied"))
    with pytest.raises(StoreError, match=f"s3:PutObject on {NAME} is denied") as caught:
        await store_of(server).write(JWKS, DOCUMENT, expected=None)
    assert caught.value.hint.startswith("Allow the operator s3:PutObject. ")
    assert server.methods() == ["PUT"]


async def test_a_missing_identity_token_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """IRSA without its volume: the file is what an admin must look for."""
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/publisher")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    store = S3Store(S3Place("bucket", "prod"), S3Endpoint("eu-central-1", "http://127.0.0.1:9"), S3Clients())
    with pytest.raises(StoreError, match="token: No such file") as caught:
        await store.read(JWKS)
    assert caught.value.reason is Reason.CredentialsMissing


@pytest.mark.parametrize(
    ("status", "code", "reason", "words"),
    [
        (403, "AccessDenied", Reason.CredentialsMissing, "STS gives the operator no credentials: AccessDenied"),
        (400, "InvalidIdentityToken", Reason.CredentialsMissing, "InvalidIdentityToken to AssumeRoleWithWebIdentity"),
        (400, "IDPCommunicationError", Reason.StoreUnavailable, "STS answers IDPCommunicationError"),
    ],
)
async def test_sts_is_told_from_the_store(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, code: str, reason: Reason, words: str
) -> None:
    """An operator may not get its rights by the issuer that it publishes: nothing could ever begin."""
    text = f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    sts = serve(lambda _: Answer(status, {"Content-Type": "text/xml"}, text.encode()))
    (tmp_path / "token").write_text("token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/publisher")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
    store = S3Store(S3Place("bucket", "prod"), S3Endpoint("eu-central-1", "http://127.0.0.1:9"), S3Clients())
    with pytest.raises(StoreError, match=words) as caught:
        await store.read(JWKS)
    assert caught.value.reason is reason


@pytest.mark.slow  # leases that end
async def test_credentials_that_expired_are_replaced_in_mid_life(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The store says ExpiredToken, the file has new ones: the next call of the same store is signed with them."""
    monkeypatch.setattr("oidc_publisher.stores.s3.clients._MIN_CREDENTIAL_AGE_S", 0.0)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    objects, good = ObjectServer("If-Match", "If-None-Match"), {"ASIAFIRST"}

    def script(request: Request) -> Answer:
        known = any(f"Credential={key}/" in request.headers["Authorization"] for key in good)
        return objects(request) if known else s3_error(400, "ExpiredToken")

    def grant(key: str) -> None:
        text = f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n"
        (tmp_path / "credentials").write_text(text)

    grant("ASIAFIRST")
    store = S3Store(S3Place("bucket", "prod"), S3Endpoint("eu-central-1", serve(script).url, "Path"), S3Clients())
    written = await store.write(JWKS, DOCUMENT, expected=None)
    good = {"ASIASECOND"}
    for _ in range(2):
        with pytest.raises(StoreError, match=r"refuses the operator's credentials .* \(ExpiredToken\)") as caught:
            await store.read(JWKS)
        assert (caught.value.reason, caught.value.retryable) == (Reason.AccessDenied, True)
    grant("ASIASECOND")
    found = await store.read(JWKS)
    assert found is not None
    assert (found.document, found.version) == (DOCUMENT, written.version)
    good = {"ASIATHIRD"}
    grant("ASIATHIRD")
    await store.write(JWKS, dataclasses.replace(DOCUMENT, body=b"2"), expected=written.version)


@pytest.mark.slow  # leases that end
async def test_credentials_are_not_looked_for_at_every_refusal(
    serve: Serve, store_of: StoreOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search may cost seconds: those that were found within 30 s are the ones that are refused."""
    server = serve(lambda _: s3_error(400, "ExpiredToken"))
    store = store_of(server)
    for calls in (1, 2):
        with pytest.raises(StoreError):
            await store.read(JWKS)
        assert len(server.requests) == calls
    monkeypatch.setattr("oidc_publisher.stores.s3.clients._MIN_CREDENTIAL_AGE_S", 0.0)
    with pytest.raises(StoreError):
        await store.read(JWKS)
    assert len(server.requests) == 4


async def test_a_foreign_profile_is_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore names what it could not find."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    store = S3Store(S3Place("bucket"), S3Endpoint("eu-central-1"), S3Clients())
    with pytest.raises(StoreError, match=r"profile \(nobody\) could not be found") as caught:
        await store.read(JWKS)
    assert caught.value.reason is Reason.CredentialsMissing

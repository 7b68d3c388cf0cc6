"""What Cloud Storage, Google's token service and the network say, and what an admin reads instead."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.gcs.clients import GCSClients
from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore
from oidc_publisher.telemetry.cloudrequests import noting
from tests.support.builders import DOCUMENT
from tests.support.gcsscript import ObjectServer, gcs_error
from tests.support.scripted import Answer, Request, Script, ScriptedServer

JWKS = "openid/v1/jwks"
NAME = f"gs://bucket/prod/{JWKS}"
DENIED = (
    "operator@example.iam.gserviceaccount.com does not have {} access to the Google Cloud Storage object. "
    "Permission '{}' denied on resource (or it may not exist)."
)
POLICY = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: 0123456789abcdef"
KMS = "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized."
PAYS = "Bucket is a requester pays bucket but no user project provided."

Serve = Callable[[Script], ScriptedServer]


def denied(permission: str) -> Answer:
    return gcs_error(403, "forbidden", DENIED.format(permission, permission))


#: answer, reason, message, retryable, words of the hint
READS: dict[str, tuple[Answer, Reason, str, bool, str]] = {
    "no-bucket": (
        gcs_error(404, "notFound", "The specified bucket does not exist."),
        Reason.BucketNotFound,
        "The bucket bucket does not exist",
        False,
        "",
    ),
    "bad-bucket-name": (
        gcs_error(400, "invalid", "Invalid bucket name: 'bucket'"),
        Reason.BucketNotFound,
        "The bucket bucket does not exist",
        False,
        "",
    ),
    "quota": (
        gcs_error(403, "quotaExceeded", "The quota is used up."),
        Reason.AccessDenied,
        f"storage.objects.get on {NAME} is denied: Cloud Storage says quotaExceeded",
        False,
        "no missing permission",
    ),
    "may-not-read": (
        denied("storage.objects.get"),
        Reason.AccessDenied,
        f"storage.objects.get on {NAME} is denied",
        False,
        "storage.objects.list",
    ),
    "may-not-list": (
        denied("storage.objects.list"),
        Reason.AccessDenied,
        f"storage.objects.list on {NAME} is denied",
        False,
        "storage.objects.list on the bucket",
    ),
    "denied-without-a-word": (
        Answer(403),
        Reason.AccessDenied,
        f"storage.objects.get on {NAME} is denied",
        False,
        "storage.objects.get",
    ),
    "perimeter": (
        gcs_error(403, "vpcServiceControls", POLICY),
        Reason.AccessDenied,
        f"storage.objects.get on {NAME} is denied: the organization's policy prohibits it",
        False,
        "VPC Service Controls",
    ),
    "billing": (
        gcs_error(403, "accountDisabled", "The project to be billed is associated with an absent billing account."),
        Reason.AccessDenied,
        f"storage.objects.get on {NAME} is denied: the billing of its project is disabled",
        False,
        "billing",
    ),
    "scopes": (
        gcs_error(403, "insufficientPermissions", "Request had insufficient authentication scopes."),
        Reason.AccessDenied,
        f"storage.objects.get on {NAME} is denied: the scopes of the operator's credentials do not include it",
        False,
        "Workload Identity",
    ),
    "kms": (
        gcs_error(403, "forbidden", KMS),
        Reason.KMSDenied,
        f"{NAME}: its KMS key cannot be used",
        False,
        "service agent",
    ),
    "requester-pays": (
        gcs_error(400, "required", PAYS),
        Reason.AccessDenied,
        "The bucket bucket lets the requester pay, which no relying party does",
        False,
        "--no-requester-pays",
    ),
    "too-many": (
        gcs_error(429, "rateLimitExceeded"),
        Reason.StoreUnavailable,
        f"storage.objects.get on {NAME}: Cloud Storage answers rateLimitExceeded (429)",
        True,
        "",
    ),
    "too-many-in-403": (
        gcs_error(403, "userRateLimitExceeded"),
        Reason.StoreUnavailable,
        f"storage.objects.get on {NAME}: Cloud Storage answers userRateLimitExceeded (403)",
        True,
        "",
    ),
    "internal": (
        gcs_error(500, "internalError"),
        Reason.StoreUnavailable,
        f"storage.objects.get on {NAME}: Cloud Storage answers internalError (500)",
        True,
        "",
    ),
    "gateway": (
        Answer(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway, id 17</html>"),
        Reason.StoreUnavailable,
        f"storage.objects.get on {NAME}: Cloud Storage answers an error (502)",
        True,
        "",
    ),
    "unknown": (
        gcs_error(418, "teapot"),
        Reason.StoreUnavailable,
        f"storage.objects.get on {NAME}: Cloud Storage answers teapot (418)",
        False,
        "",
    ),
}

WRITES: dict[str, tuple[Answer, Reason, str, str]] = {
    "may-not-create": (
        denied("storage.objects.create"),
        Reason.AccessDenied,
        f"storage.objects.create on {NAME} is denied",
        "storage.objects.create",
    ),
    "may-not-replace": (
        denied("storage.objects.delete"),
        Reason.AccessDenied,
        f"storage.objects.delete on {NAME} is denied",
        "replacing an object needs it",
    ),
    "retention": (
        gcs_error(403, "retentionPolicyNotMet", "Object is subject to bucket's retention policy"),
        Reason.AccessDenied,
        f"storage.objects.create on {NAME} is denied: a retention policy or a hold keeps the present object",
        "Remove it",
    ),
    "lost": (
        gcs_error(412, "conditionNotMet"),
        Reason.StoreUnavailable,
        f"{NAME} was changed by somebody else after it was read",
        "Nothing to do",
    ),
}


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExitStack]:
    """Servers that end with the test."""
    monkeypatch.setattr("oidc_publisher.stores.gcs.session._PAUSE_S", (0.0, 0.0))
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(running: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Start a server that stands for Cloud Storage and asks for no credentials."""

    def start(script: Script) -> ScriptedServer:
        server = running.enter_context(ScriptedServer(script))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        return server

    return start


@pytest.fixture
def google(running: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Start a server that stands for all of Google, whose clients look for credentials as they always do."""
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def start(script: Script) -> ScriptedServer:
        server = running.enter_context(ScriptedServer(script))
        monkeypatch.setenv("API_ENDPOINT_OVERRIDE", server.url)  # of google-cloud-storage: the endpoint, nothing else
        return server

    return start


def store(clients: GCSClients | None = None) -> GCSStore:
    return GCSStore(GCSPlace("bucket", "prod"), clients or GCSClients())


async def failure(of: GCSStore | None = None) -> StoreError:
    opened = of or store()
    with pytest.raises(StoreError) as caught:
        await opened.read(JWKS)
    with pytest.raises(StoreError) as again:
        await opened.read(JWKS)
    assert str(again.value) == str(caught.value), "a message that changes would be a PATCH each time"
    return caught.value


@pytest.mark.parametrize("name", READS)
async def test_what_a_read_is_answered(serve: Serve, name: str) -> None:
    """Reason, sentence, whether it passes by itself, and what to do."""
    answer, reason, message, retryable, hint = READS[name]
    serve(lambda _: answer)
    error = await failure()
    assert (error.reason, str(error), error.retryable) == (reason, message, retryable)
    assert hint in error.hint


@pytest.mark.parametrize("name", WRITES)
async def test_what_a_write_is_answered(serve: Serve, name: str) -> None:
    """The permission that is missing is the one that Cloud Storage names."""
    answer, reason, message, hint = WRITES[name]
    objects = ObjectServer()
    serve(lambda request: answer if request.method == "POST" else objects(request))
    with pytest.raises(StoreError) as caught:
        await store().write(JWKS, DOCUMENT, expected=None)
    assert (caught.value.reason, str(caught.value)) == (reason, message)
    assert hint in caught.value.hint


async def test_what_cannot_be_deleted_names_the_permission(serve: Serve) -> None:
    """storage.objects.delete."""
    objects = ObjectServer()
    serve(lambda request: denied("storage.objects.delete") if request.method == "DELETE" else objects(request))
    written = await store().write(JWKS, DOCUMENT, expected=None)
    with pytest.raises(StoreError, match=r"storage\.objects\.delete on gs://.* is denied"):
        await store().delete(JWKS, expected=written.version)


async def test_googles_request_id_is_noted_for_the_line_of_the_pass(serve: Serve) -> None:
    """The header that Google's support asks for."""
    refusal = gcs_error(403, "vpcServiceControls", POLICY)
    serve(lambda _: dataclasses.replace(refusal, headers={**refusal.headers, "X-GUploader-UploadID": "U1"}))
    with noting() as requests:
        await failure()
    assert set(requests) == {"storage.objects.get 403 x-guploader-uploadid=U1"}


async def test_googles_own_words_go_to_the_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """An id that differs from call to call helps Google's support, not a condition."""
    serve(lambda _: gcs_error(403, "vpcServiceControls", POLICY))
    with caplog.at_level(logging.INFO, "oidc_publisher.stores"):
        error = await failure()
    assert "0123456789abcdef" in caplog.text
    assert "0123456789abcdef" not in str(error) + error.hint


# --- credentials, as they are found in a cluster


def federated(tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Workload Identity Federation: a file that says where the pod's token is and who exchanges it."""
    token = tmp_path / "token"
    token.write_text("the pod's token")
    audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
    config = {
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server.url}/v1/token",
        "credential_source": {"file": str(token)},
    }
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(config))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    return token


def exchanging(objects: Script, answer: Answer | None = None) -> Script:
    """A server that exchanges tokens, and hands out objects to who brings the result."""
    granted = {"access_token": "granted", "expires_in": 3600, "token_type": "Bearer"}
    good = Answer(200, {"Content-Type": "application/json"}, json.dumps(granted).encode())

    def script(request: Request) -> Answer:
        if request.path == "/v1/token":
            return answer or good
        if request.headers.get("authorization") != "Bearer granted":
            return gcs_error(401, "authError", "Invalid Credentials")
        return objects(request)

    return script


def oauth_error(status: int, code: str, description: str) -> Answer:
    body = json.dumps({"error": code, "error_description": description}).encode()
    return Answer(status, {"Content-Type": "application/json"}, body)


async def test_a_federated_identity_is_exchanged_and_used(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod's token for Google's, once for the session, and nothing asked about its project."""
    server = google(exchanging(ObjectServer()))
    federated(tmp_path, server, monkeypatch)
    opened = store()
    written = await opened.write(JWKS, DOCUMENT, expected=None)
    found = await opened.read(JWKS)
    assert found is not None
    assert found.version == written.version
    assert [request.path.partition("?")[0] for request in server.requests].count("/v1/token") == 1
    (exchange,) = (request for request in server.requests if request.path == "/v1/token")
    assert b"devstorage.read_write" in exchange.body
    assert b"full_control" not in exchange.body


async def test_a_federated_identity_that_is_refused(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's own word for what is wrong with the pool or the token."""
    server = google(exchanging(ObjectServer(), oauth_error(400, "invalid_grant", "The issuer does not match.")))
    federated(tmp_path, server, monkeypatch)
    error = await failure()
    assert (error.reason, error.retryable) == (Reason.CredentialsMissing, False)
    assert str(error) == f"No credentials for {NAME}: Error code invalid_grant: The issuer does not match."
    assert "publish-to-gcs" in error.hint


async def test_a_clock_that_is_off_is_told_by_the_exchange(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Google says to an assertion of another time."""
    said = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    server = google(exchanging(ObjectServer(), oauth_error(400, "invalid_grant", said)))
    federated(tmp_path, server, monkeypatch)
    error = await failure()
    assert (error.reason, error.retryable) == (Reason.ClockSkewed, True)


async def test_a_token_file_that_is_missing(google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A projected volume that is not mounted."""
    server = google(exchanging(ObjectServer()))
    federated(tmp_path, server, monkeypatch).unlink()
    error = await failure()
    assert error.reason is Reason.CredentialsMissing
    assert str(tmp_path / "token") in str(error)


async def test_an_exchange_that_is_away(google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, not False: nobody said anything about the credentials."""
    server = google(exchanging(ObjectServer()))
    federated(tmp_path, server, monkeypatch)
    server.__exit__()
    error = await failure()
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    assert "source of the operator's credentials" in str(error)


async def test_credentials_that_expire_in_between_are_renewed(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 401 is answered by a new exchange and a second request; nobody above notices."""
    objects, answered = ObjectServer(), [gcs_error(401, "authError", "Invalid Credentials")]
    server = google(exchanging(lambda request: answered.pop() if answered else objects(request)))
    federated(tmp_path, server, monkeypatch)
    assert await store().read(JWKS) is None
    assert [request.path.partition("?")[0] for request in server.requests].count("/v1/token") == 2


async def test_credentials_that_stay_refused(google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disabled service account."""
    refused = gcs_error(401, "authError", "Invalid Credentials", Date=formatdate(usegmt=True))
    server = google(exchanging(lambda _: refused))
    federated(tmp_path, server, monkeypatch)
    error = await failure()
    assert (error.reason, str(error)) == (
        Reason.AccessDenied,
        f"Cloud Storage refuses the operator's credentials for {NAME}",
    )


async def test_a_clock_that_is_off_is_told_by_the_refusals_date(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google takes no token that is of another time; its Date says so."""
    refused = gcs_error(401, "authError", "Invalid Credentials", Date=formatdate(1_750_000_000, usegmt=True))
    server = google(exchanging(lambda _: refused))
    federated(tmp_path, server, monkeypatch)
    error = await failure()
    assert (error.reason, error.retryable) == (Reason.ClockSkewed, True)


async def test_credentials_that_come_later_are_found(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search is made again once the last one is old enough."""
    monkeypatch.setattr("oidc_publisher.stores.gcs.clients._MIN_CREDENTIAL_AGE_S", 0.0)
    server = google(exchanging(ObjectServer()))
    token = federated(tmp_path, server, monkeypatch)
    token.unlink()
    opened = store()
    assert (await failure(opened)).reason is Reason.CredentialsMissing
    token.write_text("the pod's token")
    assert await opened.read(JWKS) is None


@pytest.mark.parametrize("content", [None, "{", '{"type":"unknown"}'], ids=["missing", "no-json", "no-kind"])
async def test_a_file_of_credentials_that_is_none(
    google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """GOOGLE_APPLICATION_CREDENTIALS names it, so does the message."""
    google(ObjectServer())
    file = tmp_path / "credentials.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    error = await failure()
    assert error.reason is Reason.CredentialsMissing
    assert str(file) in str(error)


async def test_the_metadata_server_gives_credentials(google: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """GKE: Workload Identity answers at the metadata server's address."""
    server = google(metadata_server(exchanging(ObjectServer())))
    at_its_address(server, monkeypatch)
    assert await store().read(JWKS) is None


async def test_a_pod_without_an_identity(google: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata server is there, but has no service account for this pod."""
    server = google(metadata_server(exchanging(ObjectServer()), token=Answer(404, {}, b"no such account")))
    at_its_address(server, monkeypatch)
    error = await failure()
    assert error.reason is Reason.CredentialsMissing
    assert "Status: 404" in str(error)
    assert "no such account" not in str(error)


def at_its_address(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What GCE_METADATA_HOST and GCE_METADATA_IP would do, were they not read once per process."""
    for name in ("_GCE_METADATA_HOST", "_GCE_DEFAULT_MDS_IP"):
        monkeypatch.setattr(f"google.auth.compute_engine._metadata.{name}", server.url.removeprefix("http://"))


def metadata_server(then: Script, token: Answer | None = None) -> Script:
    """Google's metadata server before everything else."""
    flavour = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
    granted = {"access_token": "granted", "expires_in": 3600, "token_type": "Bearer"}

    def script(request: Request) -> Answer:
        account = request.path.startswith("/computeMetadata/v1/instance/service-accounts/")
        if account and "/token" in request.path:
            return token or Answer(200, flavour, json.dumps(granted).encode())
        if account:
            return Answer(200, flavour, b'{"email":"operator@example.iam.gserviceaccount.com","scopes":[]}')
        if request.path.startswith("/computeMetadata/v1/universe"):
            return Answer(404, flavour)
        if "/storage/v1/" not in request.path:
            return Answer(200, flavour | {"Content-Type": "text/plain"}, b"example")
        return then(request)

    return script


@pytest.mark.timeout(60)
@pytest.mark.slow  # Google's libraries ask the metadata server several times
async def test_no_credentials_anywhere(google: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain ends without a find."""
    google(ObjectServer())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    error = await failure()
    assert (error.reason, str(error)) == (
        Reason.CredentialsMissing,
        f"No credentials for {NAME}: none were found",
    )
    assert "publish-to-gcs" in error.hint

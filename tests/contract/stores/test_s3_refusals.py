"""Errors that a real server shows: what is wrong, and the reason and words that an admin reads."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.contract.stores.conftest import Bucket
from tests.support import faults
from tests.support.edge import Edge
from tests.support.pki import PKI
from tests.support.processes import free_port
from tests.support.s3server import S3Server

pytestmark = pytest.mark.live

JWKS = "openid/v1/jwks"


async def failure(store: S3Store) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await store.read(JWKS)
    with pytest.raises(StoreError) as again:
        await store.read(JWKS)
    assert str(again.value) == str(caught.value), "a message that changes would be a PATCH each time"
    return caught.value


async def test_a_missing_bucket(bucket: Bucket) -> None:
    """NoSuchBucket is not NoSuchKey."""
    error = await failure(S3Store(S3Place("no-such-bucket"), bucket.endpoint, bucket.clients))
    assert (error.reason, str(error)) == (Reason.BucketNotFound, "The bucket no-such-bucket does not exist")


async def test_a_wrong_secret(bucket: Bucket, credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """SignatureDoesNotMatch."""
    del credentials
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    error = await failure(S3Store(S3Place(bucket.name), bucket.endpoint, S3Clients()))
    assert error.reason is Reason.AccessDenied
    assert "refuses the operator's credentials" in str(error)
    assert "(SignatureDoesNotMatch)" in str(error)


async def test_no_credentials(bucket: Bucket) -> None:
    """The chain ends without a find."""
    error = await failure(S3Store(S3Place(bucket.name, "prod"), bucket.endpoint, S3Clients()))
    assert error.reason is Reason.CredentialsMissing
    assert str(error) == f"No credentials for s3://{bucket.name}/prod/{JWKS}: none were found"


async def test_credentials_that_come_later_are_found(
    bucket: Bucket, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A session never looks twice; the store takes another one."""
    monkeypatch.setattr("oidc_publisher.stores.s3.clients._MIN_CREDENTIAL_AGE_S", 0.0)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    store = S3Store(S3Place(bucket.name, "prod"), bucket.endpoint, S3Clients())
    assert (await failure(store)).reason is Reason.CredentialsMissing
    for secret, reason in (("wrong", Reason.AccessDenied), (s3.secret_key, None)):
        file.write_text(f"[default]\naws_access_key_id={s3.access_key}\naws_secret_access_key={secret}\n")
        if reason is None:
            assert await store.read(JWKS) is None
        else:
            assert (await failure(store)).reason is reason


async def test_a_user_without_rights(
    bucket: Bucket, s3: S3Server, monkeypatch: pytest.MonkeyPatch, discovery: Document
) -> None:
    """The message names the object and the permission; a policy that denies writes alone lets reads pass."""
    user, secret = f"user{secrets.token_hex(4)}", secrets.token_hex(16)
    s3.create_user(user, secret)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    store = S3Store(S3Place(bucket.name, "prod"), bucket.endpoint, S3Clients())
    error = await failure(store)
    assert (error.reason, str(error)) == (
        Reason.AccessDenied,
        f"s3:GetObject on s3://{bucket.name}/prod/{JWKS} is denied",
    )
    assert "s3:ListBucket" in error.hint
    allow = {"Effect": "Allow", "Principal": {"AWS": [user]}, "Action": ["s3:GetObject", "s3:ListBucket"]}
    resources = [f"arn:aws:s3:::{bucket.name}", f"arn:aws:s3:::{bucket.name}/*"]
    s3.set_policy(bucket.name, {**allow, "Resource": resources})
    assert await store.read(JWKS) is None
    with pytest.raises(StoreError, match=r"s3:PutObject on s3://.* is denied") as denied:
        await store.write(JWKS, discovery, expected=None)
    assert denied.value.reason is Reason.AccessDenied
    for stored in (False, True):  # the rights are looked at before the condition, whether there is an object or not
        if stored:
            await bucket.store().write(JWKS, discovery, expected=None)
        with pytest.raises(StoreError, match=r"s3:PutObject on s3://.* is denied") as denied:
            await store.rehearse(JWKS)
        assert denied.value.reason is Reason.AccessDenied


async def test_a_bucket_of_another_account(bucket: Bucket) -> None:
    """S3 says the same 403 as to anybody without rights; one more read tells them apart."""
    store = S3Store(S3Place(bucket.name, "prod", "123456789012"), bucket.endpoint, bucket.clients)
    error = await failure(store)
    assert error.reason is Reason.BucketOwnedByAnother
    assert str(error) == f"The bucket {bucket.name} does not belong to account 123456789012"


async def test_a_wrong_region(bucket: Bucket, credentials: None) -> None:
    """The server names the right one."""
    del credentials
    endpoint = dataclasses.replace(bucket.endpoint, region="us-west-2")
    error = await failure(S3Store(S3Place(bucket.name), endpoint, S3Clients()))
    assert error.reason is Reason.WrongRegion
    assert str(error) == f"The bucket {bucket.name} lies in eu-central-1, not in us-west-2"
    assert error.hint == "Set spec.store.s3.region to eu-central-1."


@pytest.mark.usefixtures("credentials")
async def test_nobody_listens(bucket: Bucket) -> None:
    """Refused is told from unknown names."""
    url = f"https://localhost:{free_port()}"
    error = await failure(
        S3Store(S3Place(bucket.name), dataclasses.replace(bucket.endpoint, endpoint_url=url), S3Clients())
    )
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    assert str(error).endswith(f"{url} refuses connections")


@pytest.mark.usefixtures("credentials")
async def test_an_unknown_name(bucket: Bucket) -> None:
    """A typing error in endpointURL, or no DNS."""
    endpoint = dataclasses.replace(bucket.endpoint, endpoint_url="https://s3.nowhere.invalid")
    error = await failure(S3Store(S3Place(bucket.name), endpoint, S3Clients()))
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    assert str(error).endswith("the name s3.nowhere.invalid cannot be resolved")


@pytest.mark.usefixtures("credentials")
async def test_an_authority_that_nobody_trusts(bucket: Bucket) -> None:
    """Without certificateAuthority the system's roots decide."""
    endpoint = dataclasses.replace(bucket.endpoint, certificate_authority=None)
    error = await failure(S3Store(S3Place(bucket.name), endpoint, S3Clients()))
    assert error.reason is Reason.StoreUnavailable
    assert f"the certificate of {bucket.endpoint.endpoint_url} is not trusted: " in str(error)
    assert "certificateAuthority" in error.hint


@pytest.mark.usefixtures("credentials")
async def test_a_certificate_for_another_name(bucket: Bucket, edge: Edge, pki: PKI) -> None:
    """Trusted, but not this server's."""
    edge.serve_with(pki.serving("elsewhere.example.com"))
    endpoint = dataclasses.replace(bucket.endpoint, endpoint_url=edge.url)
    error = await failure(S3Store(S3Place(bucket.name), endpoint, S3Clients()))
    assert "is not trusted: Hostname mismatch" in str(error)
    assert "certificateAuthority" not in error.hint
    assert "correct the host of endpointURL" in error.hint


@pytest.mark.usefixtures("credentials")
async def test_plain_http_where_tls_was_expected(bucket: Bucket, edge: Edge) -> None:
    """OpenSSL's word for it is kept."""
    edge.serve_with(None)
    endpoint = dataclasses.replace(bucket.endpoint, endpoint_url=edge.url)
    error = await failure(S3Store(S3Place(bucket.name), endpoint, S3Clients()))
    assert error.reason is Reason.StoreUnavailable
    assert f"TLS with {edge.url} fails" in str(error)


@pytest.mark.usefixtures("credentials")
async def test_the_authorities_of_the_process_are_trusted_too(
    bucket: Bucket, pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_CA_BUNDLE alone is enough, and certificateAuthority comes beside it."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(pki.ca_file))
    without = dataclasses.replace(bucket.endpoint, certificate_authority=None)
    assert await S3Store(S3Place(bucket.name), without, S3Clients()).read(JWKS) is None
    assert await S3Store(S3Place(bucket.name), bucket.endpoint, S3Clients()).read(JWKS) is None


@pytest.mark.usefixtures("credentials")
async def test_a_missing_file_of_authorities(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that is not mounted is not a certificate that is not trusted."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    for authority in (None, bucket.endpoint.certificate_authority):
        endpoint = S3Endpoint("eu-central-1", bucket.endpoint.endpoint_url, "Path", authority)
        error = await failure(S3Store(S3Place(bucket.name), endpoint, S3Clients()))
        assert error.reason is Reason.StoreUnavailable
        assert "missing.pem cannot be read: No such file or directory" in str(error)


async def test_a_store_that_comes_back_is_used_again(behind_edge: S3Store, edge: Edge, discovery: Document) -> None:
    """An outage leaves nothing behind."""
    edge.misbehave("", faults.s3_error(503), methods=("GET", "PUT"))
    error = await failure(behind_edge)
    assert (error.reason, error.retryable) == (Reason.StoreUnavailable, True)
    edge.heal()
    await behind_edge.write(JWKS, discovery, expected=None)
    assert await behind_edge.read(JWKS) is not None

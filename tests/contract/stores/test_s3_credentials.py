"""The default chain of credentials, each link really used in a call to a server that takes no other credentials."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.contract.stores.conftest import Bucket
from tests.support.credentialserver import CredentialServer, Granted
from tests.support.motoserver import ACCOUNT, MotoServer
from tests.support.s3server import S3Server

pytestmark = pytest.mark.live

JWKS = "openid/v1/jwks"
SHORT = timedelta(minutes=5)  # botocore looks for others when they are good for less than ten minutes


@pytest.fixture(autouse=True)
def _no_other_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests, and no address that is not loopback."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))


@pytest.fixture
def granting(s3: S3Server) -> Iterator[CredentialServer]:
    """A machine's or a pod's source of credentials, which hands out those of the S3 server."""
    with CredentialServer(Granted(s3.access_key, s3.secret_key), pod_token="first") as running:
        yield running


def fresh_store(bucket: Bucket) -> S3Store:
    """A store of a process that has found no credentials yet."""
    return S3Store(S3Place(bucket.name, "prod"), bucket.endpoint, S3Clients())


async def works(store: S3Store, discovery: Document) -> None:
    written = await store.write(JWKS, discovery, expected=None)
    found = await store.read(JWKS)
    assert found is not None
    assert found.document == discovery
    await store.delete(JWKS, expected=written.version)


async def test_the_environment(
    bucket: Bucket, s3: S3Server, discovery: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Secret's keys as environment variables: the way without any cloud."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    await works(fresh_store(bucket), discovery)


async def test_the_instance(
    bucket: Bucket, granting: CredentialServer, discovery: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IMDSv2: a session first, then the role's credentials."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", granting.url)
    await works(fresh_store(bucket), discovery)
    assert granting.handed_out == [f"instance: {granting.granted.access_key}"]


async def test_pod_identity(
    bucket: Bucket, granting: CredentialServer, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """EKS Pod Identity: the agent on the node gives credentials for the pod's projected token."""
    shown(granting, monkeypatch, tmp_path)
    await works(fresh_store(bucket), discovery)
    assert granting.handed_out == [f"agent: {granting.granted.access_key}"]


async def test_a_pods_token_that_was_rotated_is_read_anew(
    bucket: Bucket, granting: CredentialServer, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kubelet replaces the file; the same store shows the new token when its credentials end."""
    file = shown(granting, monkeypatch, tmp_path)
    first = granting.granted
    granting.granted = Granted(first.access_key, first.secret_key, SHORT)
    store = fresh_store(bucket)
    await works(store, discovery)
    file.write_text("second")
    granting.pod_token = "second"
    granting.granted = first
    await works(store, discovery)
    asked = len(granting.handed_out)
    await works(store, discovery)
    assert len(granting.handed_out) == asked, "good for hours: nobody is asked"


async def test_credentials_that_expire_are_renewed_without_a_lost_call(
    bucket: Bucket, granting: CredentialServer, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each call looks for better ones, and none of them fails."""
    shown(granting, monkeypatch, tmp_path)
    granting.granted = Granted(granting.granted.access_key, granting.granted.secret_key, SHORT)
    store = fresh_store(bucket)
    for _ in range(3):
        await works(store, discovery)
    assert len(granting.handed_out) > 3


async def test_credentials_that_have_expired_already_are_named(
    bucket: Bucket, granting: CredentialServer, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine whose clock is off, or an agent that hands out old ones: said as what it is, and over when it is over."""
    shown(granting, monkeypatch, tmp_path)
    good = granting.granted
    granting.granted = Granted(good.access_key, good.secret_key, -SHORT)
    store = fresh_store(bucket)
    for _ in range(2):
        with pytest.raises(StoreError, match="still expired") as caught:
            await store.read(JWKS)
        assert (caught.value.reason, caught.value.retryable) == (Reason.CredentialsMissing, True)
    granting.granted = good
    await works(store, discovery)


async def test_an_agent_that_refuses_is_named(
    bucket: Bucket, granting: CredentialServer, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No association for the service account: CredentialsMissing; once there is one, the store works."""
    monkeypatch.setattr("oidc_publisher.stores.s3.clients._MIN_CREDENTIAL_AGE_S", 0.0)
    shown(granting, monkeypatch, tmp_path).write_text("of another pod")
    store = fresh_store(bucket)
    with pytest.raises(StoreError) as caught:
        await store.read(JWKS)
    assert caught.value.reason is Reason.CredentialsMissing
    (tmp_path / "pod-token").write_text("first")
    await works(store, discovery)


async def test_a_web_identity(
    moto: MotoServer, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """IRSA: the projected token is exchanged at STS, and the calls are signed with what STS gave."""
    role = f"arn:aws:iam::{ACCOUNT}:role/publisher"
    (tmp_path / "token").write_text("a.b.c")
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint_url)
    endpoint, clients = S3Endpoint("eu-central-1", moto.endpoint_url, "Path"), S3Clients()
    bucket = moto.create_bucket(f"b-{secrets.token_hex(6)}")
    await works(S3Store(S3Place(bucket, "prod"), endpoint, clients), discovery)
    found = clients._session.boto.get_credentials() if clients._session else None
    assert found is not None
    assert found.method == "assume-role-with-web-identity"
    assert str(found.get_frozen_credentials().access_key).startswith("ASIA")


async def test_credentials_that_were_replaced_are_found_by_the_same_store(
    bucket: Bucket, s3: S3Server, discovery: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of credentials that a sidecar renews: the document that was written before is not lost."""
    monkeypatch.setattr("oidc_publisher.stores.s3.clients._MIN_CREDENTIAL_AGE_S", 0.0)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text(profile(s3.access_key, s3.secret_key))
    store = fresh_store(bucket)
    written = await store.write(JWKS, discovery, expected=None)
    file.write_text(profile("AKIAEXPIREDEXPIRED00", "old"))
    rotated = fresh_store(bucket)
    with pytest.raises(StoreError) as caught:
        await rotated.read(JWKS)
    assert caught.value.reason is Reason.AccessDenied
    file.write_text(profile(s3.access_key, s3.secret_key))
    found = await rotated.read(JWKS)
    assert found is not None
    assert found.version == written.version


def profile(access_key: str, secret_key: str) -> str:
    return f"[default]\naws_access_key_id={access_key}\naws_secret_access_key={secret_key}\n"


def shown(granting: CredentialServer, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """The environment that EKS gives a pod, and the file of its token."""
    file = folder / "pod-token"
    file.write_text(granting.pod_token)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", granting.pod_url)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    return file

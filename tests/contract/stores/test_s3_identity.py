"""Whom the operator's credentials belong to, by the STS of moto and for a server without one."""

from __future__ import annotations

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.contract.stores.conftest import Bucket
from tests.support.motoserver import MotoServer
from tests.support.processes import free_port

pytestmark = pytest.mark.live


@pytest.fixture
def amazon(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A bucket of Amazon's, whose STS is moto's."""
    for name, value in {**moto.credentials, "AWS_ENDPOINT_URL_STS": moto.endpoint_url}.items():
        monkeypatch.setenv(name, value)
    return S3Store(S3Place("bucket"), S3Endpoint("eu-central-1"), S3Clients())


async def test_sts_says_who_is_asking(amazon: S3Store) -> None:
    """As `aws sts get-caller-identity` does."""
    assert (await amazon.identity()).startswith("arn:aws:sts::123456789012:")


async def test_an_sts_that_is_away_says_nothing_about_the_credentials(
    amazon: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access keys need no STS, so this is not the same as having none."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreError) as failed:
        await amazon.identity()
    assert failed.value.reason is Reason.StoreUnavailable


async def test_without_credentials_there_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of STS then."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(StoreError) as failed:
        await S3Store(S3Place("bucket"), S3Endpoint("eu-central-1"), S3Clients()).identity()
    assert failed.value.reason is Reason.CredentialsMissing


async def test_another_server_knows_an_access_key(bucket: Bucket) -> None:
    """It has no STS, and the key is no secret."""
    said = await bucket.store().identity()
    assert said == f"access key {bucket.server.access_key} (env)"
    assert bucket.server.secret_key not in said

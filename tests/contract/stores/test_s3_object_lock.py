"""A bucket with Object Lock on a real server: what has a default retention is written and replaced all the same."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document
from tests.contract.stores.conftest import Bucket
from tests.support.s3server import REGION

pytestmark = pytest.mark.live

JWKS = "openid/v1/jwks"


@pytest.fixture
def locked(bucket: Bucket) -> Bucket:
    """An empty bucket that keeps what is written for a day."""
    name = f"b-{secrets.token_hex(6)}"
    client = bucket.server.client
    client.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, ObjectLockEnabledForBucket=True
    )
    client.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    return dataclasses.replace(bucket, name=name)


async def test_a_locked_bucket_is_named(locked: Bucket, discovery: Document) -> None:
    """The first write is taken. Amazon's would keep a second one as a new version; this server refuses it, by name."""
    store = locked.store()
    written = await store.write(JWKS, discovery, expected=None)
    with pytest.raises(StoreError, match=r"is refused because of Object Lock \(") as caught:
        await store.write(JWKS, dataclasses.replace(discovery, body=b"{}"), expected=written.version)
    assert caught.value.reason is Reason.AccessDenied
    assert "Remove the retention or legal hold" in caught.value.hint

"""From spec.store to a store."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_publisher.api.store import StoreSpec
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.factory import open_store
from oidc_publisher.stores.s3 import S3Endpoint, S3Store

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def spec(**members: Any) -> StoreSpec:
    return StoreSpec.model_validate(members)


def test_every_member_of_s3_arrives() -> None:
    """What the object says is what the client gets."""
    store = open_store(
        spec(
            s3={
                "bucket": "example-oidc",
                "region": "eu-central-1",
                "prefix": "clusters/prod",
                "expectedBucketOwner": "123456789012",
                "endpointURL": "https://minio.example.com",
                "addressingStyle": "Path",
                "certificateAuthority": PEM,
            }
        )
    )
    assert isinstance(store, S3Store)
    assert store.location == "s3://example-oidc/clusters/prod"
    assert store._objects.place.expected_bucket_owner == "123456789012"
    assert store._objects.endpoint == S3Endpoint("eu-central-1", "https://minio.example.com", "Path", PEM)


def test_the_smallest_s3_is_enough() -> None:
    """Bucket and region."""
    store = open_store(spec(s3={"bucket": "example-oidc", "region": "eu-central-1"}))
    assert store.location == "s3://example-oidc"


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"gcs": {"bucket": "example-oidc"}}, "spec.store.gcs"),
        (
            {"s3": {"bucket": "b-1", "region": "eu-central-1", "cloudFront": {"distributionID": "E1ABCDEF"}}},
            "spec.store.s3.cloudFront",
        ),
    ],
)
def test_what_is_not_supported_yet_is_named(members: dict[str, Any], named: str) -> None:
    """Silence would look like success."""
    with pytest.raises(StoreError, match=named) as caught:
        open_store(spec(**members))
    assert caught.value.reason is Reason.SpecUnsupported

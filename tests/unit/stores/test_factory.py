"""From spec.store to a store."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_publisher.api.storespec import StoreSpec
from oidc_publisher.stores.cloudfront.distribution import CloudFrontDistribution
from oidc_publisher.stores.factory import open_distribution, open_store
from oidc_publisher.stores.gcs.store import GCSStore
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store

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
                "serverSideEncryption": "aws:kms",
                "kmsKeyID": "alias/oidc",
            }
        )
    )
    assert isinstance(store, S3Store)
    assert store.location == "s3://example-oidc/clusters/prod"
    place = S3Place("example-oidc", "clusters/prod", "123456789012", "aws:kms", "alias/oidc")
    assert store._objects.place == place
    assert store._objects.endpoint == S3Endpoint("eu-central-1", "https://minio.example.com", "Path", PEM)


def test_the_smallest_s3_is_enough() -> None:
    """Bucket and region."""
    store = open_store(spec(s3={"bucket": "example-oidc", "region": "eu-central-1"}))
    assert store.location == "s3://example-oidc"


@pytest.mark.parametrize(
    ("region", "asked", "server"),
    [
        ("eu-central-1", None, "https://s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", None, "https://s3.cn-north-1.amazonaws.com.cn"),
        (
            "eu-central-1",
            "https://bucket.vpce-1a.s3.eu-central-1.vpce.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com",
        ),
        ("us-east-1", "https://minio.example.com:9000", "https://minio.example.com:9000"),
    ],
)
def test_the_server_of_a_place_is_the_one_that_names_its_buckets(region: str, asked: str | None, server: str) -> None:
    """All of Amazon's endpoints in a region have the same buckets, every other URL has its own."""
    s3 = {"bucket": "example-oidc", "region": region} | ({"endpointURL": asked} if asked else {})
    assert open_store(spec(s3=s3)).endpoint_url == server
    assert open_store(spec(gcs={"bucket": "example-oidc"})).endpoint_url is None


def test_every_member_of_gcs_arrives() -> None:
    """Bucket and prefix; credentials are not in the object."""
    store = open_store(spec(gcs={"bucket": "example-oidc", "prefix": "clusters/prod"}))
    assert isinstance(store, GCSStore)
    assert store.location == "gs://example-oidc/clusters/prod"


def test_the_distribution_is_the_one_before_the_bucket() -> None:
    """Its ID, the bucket that it should serve, and whom to talk to as the store does."""
    s3 = {"bucket": "example-oidc", "region": "eu-central-1", "cloudFront": {"distributionID": "E1ABCDEF"}}
    distribution = open_distribution(spec(s3=s3))
    assert isinstance(distribution, CloudFrontDistribution)
    assert (distribution.name, distribution._bucket) == ("E1ABCDEF", "example-oidc")
    assert distribution._endpoint == S3Endpoint("eu-central-1")


@pytest.mark.parametrize("members", [{"s3": {"bucket": "b-1", "region": "x"}}, {"gcs": {"bucket": "b-1"}}])
def test_no_distribution_is_none(members: dict[str, Any]) -> None:
    """Where none is named there is nothing to invalidate."""
    assert open_distribution(spec(**members)) is None

"""Open the store and the CDN that an OIDCIssuer names. No other module chooses a kind of store."""

from __future__ import annotations

from typing import assert_never

from oidc_publisher.api.storespec import GCSStoreSpec, S3StoreSpec, StoreSpec
from oidc_publisher.stores.cloudfront.distribution import CloudFrontDistribution
from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore
from oidc_publisher.stores.port import Distribution, RehearsingStore
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from oidc_publisher.stores.storeendpoints import ClosedStore, StoreEndpoints


def open_store(spec: StoreSpec, endpoints: StoreEndpoints = StoreEndpoints()) -> RehearsingStore:  # noqa: B008 - frozen
    """Return the store of `spec.store`. No connection is made and no credentials are searched before its first call.

    A store at a server that `endpoints` does not allow raises that error from each of its operations.
    """
    match spec.selected:
        case S3StoreSpec() as s3:
            return _s3(s3, endpoints)
        case GCSStoreSpec() as gcs:
            return GCSStore(GCSPlace(gcs.bucket, gcs.prefix))
        case other:
            assert_never(other)


def open_distribution(spec: StoreSpec) -> Distribution | None:
    """Return the CDN in front of the store of `spec.store`, None when none is named."""
    s3 = spec.s3
    if s3 is None or s3.cloud_front is None:
        return None
    return CloudFrontDistribution(s3.cloud_front.distribution_id, s3.bucket, _endpoint(s3))


def _s3(spec: S3StoreSpec, endpoints: StoreEndpoints) -> RehearsingStore:
    encryption = spec.server_side_encryption.value if spec.server_side_encryption else None
    place = S3Place(spec.bucket, spec.prefix, spec.expected_bucket_owner, encryption, spec.kms_key_id)
    if spec.endpoint_url is not None:
        why = endpoints.refusal(spec.endpoint_url)
        if why is not None:
            return ClosedStore(place.location, spec.endpoint_url, why)
    return S3Store(place, _endpoint(spec))


def _endpoint(spec: S3StoreSpec) -> S3Endpoint:
    return S3Endpoint(spec.region, spec.endpoint_url, spec.addressing_style.value, spec.certificate_authority)

"""The store that an OIDCIssuer asks for: the one place where a kind of store is chosen."""

from __future__ import annotations

from typing import assert_never

from oidc_publisher.api.store import GCSStoreSpec, S3StoreSpec, StoreSpec
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.port import Store
from oidc_publisher.stores.s3 import S3Endpoint, S3Place, S3Store


def open_store(spec: StoreSpec) -> Store:
    """The store of `spec.store`; nothing is connected or looked for before its first call.

    Raises StoreError (SpecUnsupported) for a kind that this version cannot write to.
    """
    match spec.selected:
        case S3StoreSpec() as s3:
            if s3.cloud_front is not None:
                raise _unsupported("s3.cloudFront")
            return _s3(s3)
        case GCSStoreSpec():
            raise _unsupported("gcs")
        case other:
            assert_never(other)


def _s3(spec: S3StoreSpec) -> S3Store:
    return S3Store(
        S3Place(spec.bucket, spec.prefix, spec.expected_bucket_owner),
        S3Endpoint(spec.region, spec.endpoint_url, spec.addressing_style.value, spec.certificate_authority),
    )


def _unsupported(member: str) -> StoreError:
    return StoreError(Reason.SpecUnsupported, f"This version does not support spec.store.{member}")

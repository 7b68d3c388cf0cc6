"""Implement the port to a CloudFront distribution in front of an S3 bucket.

CloudFront has one API endpoint in each partition, which boto3 derives from the bucket's region;
AWS_ENDPOINT_URL_CLOUDFRONT names another one, as for every AWS tool. The credentials are those of the store's clients.
Calls block, so each one runs in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from oidc_publisher.stores.blocking import in_store_thread
from oidc_publisher.stores.cloudfront.errors import NoSuchInvalidationError, mismatched, translated
from oidc_publisher.stores.cloudfront.origins import DistributionOrigin, origins_mismatch
from oidc_publisher.stores.s3.clients import SHARED_CLIENTS, AWSSession, S3Clients, transport_to
from oidc_publisher.stores.s3.endpoint import S3Endpoint

if TYPE_CHECKING:
    from types_boto3_cloudfront import CloudFrontClient

T = TypeVar("T")

__all__ = ["SHARED_CLOUDFRONT", "CloudFrontClients", "CloudFrontDistribution"]


class CloudFrontClients:
    """CloudFrontClients holds the clients of this process, one per region. Its methods block: call them in a thread."""

    def __init__(self, stores: S3Clients) -> None:
        self._stores = stores
        self._lock = threading.Lock()
        self._built: dict[str, tuple[AWSSession, CloudFrontClient]] = {}

    def get(self, region: str) -> CloudFrontClient:
        """Return the client for the partition of `region`, a new one after the stores searched credentials again."""
        session = self._stores.session()
        with self._lock:
            known = self._built.get(region)
            if known is None or known[0] is not session:
                known = self._built[region] = (session, self._build(session, region))
            return known[1]

    def _build(self, session: AWSSession, region: str) -> CloudFrontClient:
        client = session.boto.client("cloudfront", region_name=region)
        transport = transport_to(client.meta.endpoint_url, session)
        transport.serve(client, "cloudfront")
        return client


#: The clients that distributions share unless they are given others.
SHARED_CLOUDFRONT = CloudFrontClients(SHARED_CLIENTS)


class CloudFrontDistribution:
    """A CloudFrontDistribution has an ID and should serve one bucket."""

    def __init__(
        self, distribution_id: str, bucket: str, endpoint: S3Endpoint, clients: CloudFrontClients = SHARED_CLOUDFRONT
    ) -> None:
        self.name = distribution_id
        self._bucket = bucket
        self._endpoint = endpoint
        self._clients = clients

    async def invalidate(self, paths: Sequence[str], reference: str) -> str:
        """Invalidate the CDN cache at `paths`, and return the ID of the invalidation."""
        return await self._in_thread(lambda: self._invalidate(list(paths), reference), "CreateInvalidation")

    async def completed(self, invalidation: str) -> bool:
        """Return whether the invalidation is completed. CloudFront forgets invalidations long after they complete."""
        return await self._in_thread(lambda: self._completed(invalidation), "GetInvalidation")

    async def check(self) -> None:
        """Raise StoreError (DistributionMismatch) when no origin of the distribution can be the bucket."""
        await self._in_thread(self._check, "GetDistribution")

    async def _in_thread(self, work: Callable[[], T], operation: str) -> T:
        try:
            return await in_store_thread(work, server="cloudfront")
        except TimeoutError:
            with translated(self.name, operation):
                raise

    def _invalidate(self, paths: list[str], reference: str) -> str:
        with translated(self.name, "CreateInvalidation"):
            answer = self._client.create_invalidation(
                DistributionId=self.name,
                InvalidationBatch={
                    "Paths": {"Quantity": len(paths), "Items": paths},
                    "CallerReference": reference,
                },
            )
            return answer["Invalidation"]["Id"]

    def _completed(self, invalidation: str) -> bool:
        try:
            with translated(self.name, "GetInvalidation"):
                answer = self._client.get_invalidation(DistributionId=self.name, Id=invalidation)
        except NoSuchInvalidationError:
            return True
        # The documentation has Completed, some servers send COMPLETED.
        return answer["Invalidation"]["Status"].casefold() == "completed"

    def _check(self) -> None:
        with translated(self.name, "GetDistribution"):
            answer = self._client.get_distribution(Id=self.name)
            items = answer["Distribution"]["DistributionConfig"].get("Origins", {}).get("Items", [])
        origins = [DistributionOrigin(item["DomainName"], item.get("OriginPath", "")) for item in items]
        sentence = origins_mismatch(self.name, origins, self._bucket, self._endpoint)
        if sentence is not None:
            hint = "Set distributionID to the distribution of this bucket, or correct its origin."
            raise mismatched(self.name, sentence, hint)

    @property
    def _client(self) -> CloudFrontClient:
        return self._clients.get(self._endpoint.region)

"""Decide whether one of the origins of a CloudFront distribution is the store's bucket. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from oidc_publisher.stores.s3.endpoint import S3Endpoint
from oidc_publisher.stores.s3.hosts import cdn_host_match, is_access_point_alias

#: A message names at most this many origins; a distribution may have 25.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DistributionOrigin:
    """An origin is what a distribution fetches from: a host, and a path that precedes the viewer's path."""

    host: str
    path: str = ""


def origins_mismatch(
    distribution: str, origins: Sequence[DistributionOrigin], bucket: str, endpoint: S3Endpoint
) -> str | None:
    """Return the sentence that says why no origin can serve the bucket, None when one does or may.

    An origin that names the bucket in another region cannot serve it, because S3 answers PermanentRedirect.
    """
    if any(_may_serve(origin, bucket, endpoint) for origin in origins):
        return None
    astray = next((region for region in (_region_named(origin, bucket) for origin in origins) if region), None)
    if astray and endpoint.is_amazon:
        return (
            f"The origin of distribution {distribution} has bucket {bucket} in {astray}; it lies in {endpoint.region}"
        )
    if not origins:
        return f"Distribution {distribution} has no origin, so it does not serve the bucket {bucket}"
    hosts = sorted({origin.host for origin in origins})
    more = ", ..." if len(hosts) > _SHOWN else ""
    return f"Distribution {distribution} serves {', '.join(hosts[:_SHOWN])}{more}, not the bucket {bucket}"


def _may_serve(origin: DistributionOrigin, bucket: str, endpoint: S3Endpoint) -> bool:
    host = origin.host.lower()
    if not endpoint.is_amazon:
        server = (urlsplit(endpoint.origin).hostname or "").lower()
        return host in {server, f"{bucket}.{server}"}
    own = cdn_host_match(host, bucket)
    in_path = cdn_host_match(host) if origin.path.split("/")[1:2] == [bucket] else None
    found = own or in_path
    if found:
        return found["region"] in {None, endpoint.region}
    return is_access_point_alias(host)


def _region_named(origin: DistributionOrigin, bucket: str) -> str | None:
    found = cdn_host_match(origin.host, bucket)
    return found["region"] if found else None

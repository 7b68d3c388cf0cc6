"""Recognize the host names under which Amazon itself serves S3, in each of its partitions. Pure.

Servers of customers have names below amazonaws.com too: load balancers, instances, gateways. So a host counts as
Amazon's S3 only if all of its labels match. Sources: botocore's partitions.json and S3's endpoint rules; "Amazon S3
endpoints and quotas" of the AWS General Reference; "AWS PrivateLink for Amazon S3" of the S3 User Guide.
"""

from __future__ import annotations

import re

#: The domain of each partition by the prefix of its regions' names. The first one is that of all other regions.
_DOMAINS = {
    "": "amazonaws.com",
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}
_DOMAIN = "(?:" + "|".join(re.escape(domain) for domain in _DOMAINS.values()) + ")"
_REGION = r"(?P<region>[a-z]{2,5}(?:-[a-z]+)+-[0-9]+)"
# What precedes a server's name: a bucket, which may have dots, or the alias or the name of an access point.
_BUCKET = r"(?:[a-z0-9][a-z0-9.-]*\.)?"
#: The rest of a name: with a region (also in the old form with a dash, and dual stack), or the global name without one.
_AFTER_S3 = rf"(?:-fips)?(?:\.dualstack)?(?:[.-]{_REGION})?\.{_DOMAIN}"
_REST = rf"s3{_AFTER_S3}"
_SERVERS = (
    _REST,
    rf"s3-(?:external-1|accelerate(?:\.dualstack)?)\.{_DOMAIN}",
    rf"(?:s3-accesspoint(?:-fips)?(?:\.dualstack)?|s3express-[a-z0-9-]+)\.{_REGION}\.{_DOMAIN}",
    # Interface endpoints: the service's name stands between the endpoint's ID and the region.
    rf"vpce-[a-z0-9-]+\.s3\.{_REGION}\.vpce\.{_DOMAIN}",
)
_ANY = tuple(re.compile(_BUCKET + server) for server in _SERVERS)
# The alias of an access point does not name its bucket (S3 User Guide, access-points-alias).
_ALIAS = re.compile(rf"[a-z0-9-]+-s3alias\.{_REST}")


def server_of(region: str) -> str:
    """Return the host that serves the buckets of a region, by botocore's rules."""
    beginning = next((begin for begin in _DOMAINS if begin and region.startswith(begin)), "")
    return f"s3.{region}.{_DOMAINS[beginning]}"


def is_amazon_s3(host: str) -> bool:
    """Return whether Amazon's S3 answers at `host`, which may begin with the name of a bucket."""
    return any(pattern.fullmatch(host.lower().rstrip(".")) for pattern in _ANY)


def is_access_point_alias(host: str) -> bool:
    """Return whether `host` is the alias of an access point, which does not name its bucket."""
    return _ALIAS.fullmatch(host.lower()) is not None


def cdn_host_match(host: str, bucket: str | None = None) -> re.Match[str] | None:
    """Match `host` as the origin of a CDN: S3's server or website, after the name of `bucket` where one is given.

    The group `region` of the match is None for the global name.
    """
    before = rf"{re.escape(bucket)}\." if bucket else ""
    return re.fullmatch(rf"{before}s3(?:-website)?{_AFTER_S3}", host.lower())

"""Identify an S3 server, and describe a call to it for errors. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from oidc_publisher.stores.calls import Call
from oidc_publisher.stores.s3.hosts import is_amazon_s3, server_of


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """An S3Endpoint holds the settings that two stores must have in common to share a client.

    `addressing_style` is Auto, Path or Virtual; `certificate_authority` is PEM, trusted beside the machine's roots.
    """

    region: str
    endpoint_url: str | None = None
    addressing_style: str = "Auto"
    certificate_authority: str | None = None

    @property
    def is_amazon(self) -> bool:
        """Whether Amazon's S3 answers at this endpoint (PrivateLink endpoints included)."""
        return self.endpoint_url is None or is_amazon_s3(urlsplit(self.endpoint_url).hostname or "")

    @property
    def server(self) -> str:
        """The server that holds the buckets: all of Amazon's endpoints of a region lead to the same lasting buckets."""
        return replace(self, endpoint_url=None).origin if self.is_amazon else self.origin

    @property
    def origin(self) -> str:
        """The URL of the server."""
        return self.endpoint_url or f"https://{server_of(self.region)}"


@dataclass(frozen=True, slots=True)
class S3Call(Call):
    """An S3Call describes one call, with the server and the bucket's expected owner, for the errors about the call."""

    endpoint: S3Endpoint = field(kw_only=True)
    expected_owner: str | None = field(default=None, kw_only=True)

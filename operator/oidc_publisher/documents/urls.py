"""This module computes the URLs of the two documents from the issuer's URL, as relying parties do."""

from __future__ import annotations

#: Relative to the issuer: OpenID Connect Discovery 1.0, section 4.
DISCOVERY_PATH = ".well-known/openid-configuration"


def discovery_url(issuer: str) -> str:
    """Return the URL of the discovery document: the issuer without its one trailing slash, and the well-known path."""
    return _below(issuer, DISCOVERY_PATH)


def jwks_uri(issuer: str, jwks_path: str) -> str:
    """Return the URL of the key set at `jwks_path` below the issuer."""
    return _below(issuer, jwks_path)


def _below(issuer: str, path: str) -> str:
    return f"{issuer.removesuffix('/')}/{path}"

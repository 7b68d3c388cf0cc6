"""Read public keys from PEM and JWK, and define their IDs, versions and order. Pure."""

from oidc_publisher.keys.clusterjwks import read_cluster_jwks
from oidc_publisher.keys.entryreading import EntryReading, KeyDefect
from oidc_publisher.keys.jwk import to_jwk
from oidc_publisher.keys.keyversion import format_version, newest_first, parse_version
from oidc_publisher.keys.pem import read_entry
from oidc_publisher.keys.publickey import PublicKey, is_thumbprint_of, looks_like_thumbprint, thumbprint

__all__ = [
    "EntryReading",
    "KeyDefect",
    "PublicKey",
    "format_version",
    "is_thumbprint_of",
    "looks_like_thumbprint",
    "newest_first",
    "parse_version",
    "read_cluster_jwks",
    "read_entry",
    "thumbprint",
    "to_jwk",
]

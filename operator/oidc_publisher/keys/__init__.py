"""Read public keys from PEM and JWK, and define their IDs, versions and order. Pure.

Who knows its keys already, as the signer does, pays for no reader of PEM and JWK: those are imported with their first name.
"""

import importlib
from typing import TYPE_CHECKING

from oidc_publisher.keys.keyversion import format_version, newest_first, parse_version
from oidc_publisher.keys.publickey import PublicKey, is_thumbprint_of, looks_like_thumbprint, thumbprint

if TYPE_CHECKING:
    from oidc_publisher.keys.clusterjwks import read_cluster_jwks
    from oidc_publisher.keys.entryreading import EntryReading, KeyDefect
    from oidc_publisher.keys.jwk import to_jwk
    from oidc_publisher.keys.pem import read_entry
else:
    _READERS = {
        "EntryReading": "entryreading",
        "KeyDefect": "entryreading",
        "read_cluster_jwks": "clusterjwks",
        "read_entry": "pem",
        "to_jwk": "jwk",
    }

    def __getattr__(name: str) -> object:
        """Import the module of a reader with its first use."""
        if name not in _READERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{__name__}.{_READERS[name]}"), name)
        globals()[name] = found
        return found


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

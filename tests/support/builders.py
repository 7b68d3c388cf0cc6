"""Small values that the tests of several packages begin with: keys, an issuer, a stored document."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from oidc_publisher.api import OIDCIssuer, read_issuer
from oidc_publisher.documents import Document, OwnerMark, StoredDocument
from oidc_publisher.keys import PublicKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: What a store is given to write.
DOCUMENT = Document(b"{}", "application/json", "public, max-age=300", {"owner": "u/prod"})


def public_key(name: str = "a") -> PublicKey:
    """The P-256 key of this name, the same in every run, with its thumbprint for a key ID."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:31], "big")
    return PublicKey.of(ec.derive_private_key(number, ec.SECP256R1()).public_key())


def issuer_of(
    *, metadata: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None, **spec: Any
) -> OIDCIssuer:
    """The smallest OIDCIssuer, `prod` with its documents at s3://abc, and what is named here besides or instead."""
    base = {"issuerURL": "https://oidc.example.com", "store": {"s3": {"bucket": "abc", "region": "eu-central-1"}}}
    return read_issuer(
        {"metadata": {"name": "prod"} | dict(metadata or {}), "spec": base | spec, "status": dict(status or {})}
    )


def stored_document(body: bytes, owner: str | None = None, *, serial: int = 7, nonce: str = "") -> StoredDocument:
    """What is stored since NOW, with the mark of `owner` (lifetime 1 h, cache age 2 h); None: without a mark."""
    metadata = OwnerMark(owner, serial, HOUR, 2 * HOUR, nonce).to_metadata() if owner else {}
    return StoredDocument(Document(body, "application/json", "", metadata), "v1", NOW)

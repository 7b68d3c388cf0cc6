"""Real public keys without their cost: EC P-256, each from a small private number that nobody keeps."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from oidc_publisher.keys import PublicKey


@cache
def public_key(number: int) -> PublicKey:
    """The key of this number (1, 2, ...): the same one in every run, its kid the thumbprint of its material."""
    return PublicKey.of(ec.derive_private_key(number, ec.SECP256R1()).public_key())

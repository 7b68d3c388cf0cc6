"""Make real keys at low cost (EC P-256, each from a small private number), and tokens that they sign."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache, lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils

from oidc_publisher.keys import PublicKey

_SIGNERS: dict[PublicKey, ec.EllipticCurvePrivateKey] = {}
#: The orders of P-256 and of P-384 are above this number.
_SEED_BITS = 255


@cache
def public_key(number: int) -> PublicKey:
    """Return the key of this number (1, 2, ...), the same in every run; its kid is the thumbprint of its material."""
    private = ec.derive_private_key(number, ec.SECP256R1())
    key = PublicKey.of(private.public_key())
    _SIGNERS[key] = private
    return key


@cache
def named_key(name: str, *, algorithm: str = "ES256", material: str = "") -> PublicKey:
    """Return the key with this name as its kid, made from `material`, or from the name where that is empty.

    ES256 and ES384 can sign. RS256 has no private half, because the primes of its modulus are unknown.
    """
    seed = (material or name).encode()
    if algorithm == "RS256":
        modulus = int.from_bytes(hashlib.shake_256(seed).digest(256), "big") | 1 << 2047 | 1
        return PublicKey.of(rsa.RSAPublicNumbers(65537, modulus).public_key(), name)
    curve: ec.EllipticCurve = ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1()
    number = int.from_bytes(hashlib.sha256(seed).digest(), "big") % (1 << _SEED_BITS)
    private = ec.derive_private_key(number, curve)
    key = PublicKey.of(private.public_key(), name)
    _SIGNERS[key] = private
    return key


def sign(key: PublicKey, claims: Mapping[str, object]) -> str:
    """Return a token with these claims, signed by the private half of a key of the pool."""
    return _signed(key, json.dumps(claims, sort_keys=True))


@lru_cache(maxsize=4096)
def _signed(key: PublicKey, claims: str) -> str:
    header = json.dumps({"alg": "ES256", "kid": key.key_id})
    content = f"{_base64(header.encode())}.{_base64(claims.encode())}"
    r, s = utils.decode_dss_signature(_SIGNERS[key].sign(content.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{content}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""Real keys without their cost: EC P-256, each from a small private number, and tokens that they sign."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache, lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from oidc_publisher.keys import PublicKey

_SIGNERS: dict[str, ec.EllipticCurvePrivateKey] = {}


@cache
def public_key(number: int) -> PublicKey:
    """The key of this number (1, 2, ...): the same one in every run, its kid the thumbprint of its material."""
    private = ec.derive_private_key(number, ec.SECP256R1())
    key = PublicKey.of(private.public_key())
    _SIGNERS[key.key_id] = private
    return key


def sign(key: PublicKey, claims: Mapping[str, object]) -> str:
    """A token with these claims, signed by the private half of a key of the pool."""
    return _signed(key.key_id, json.dumps(claims, sort_keys=True))


@lru_cache(maxsize=4096)
def _signed(key_id: str, claims: str) -> str:
    header = json.dumps({"alg": "ES256", "kid": key_id})
    content = f"{_base64(header.encode())}.{_base64(claims.encode())}"
    r, s = utils.decode_dss_signature(_SIGNERS[key_id].sign(content.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{content}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

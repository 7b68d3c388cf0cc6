"""Tell what every verifier overlooks in a key set from what makes some of them drop it.

Measured with PyJWT, joserfc, jose, go-oidc and kube-apiserver (docs/reference/gallery.md), and held against go-jose,
which reads more members of a JWK than the others and refuses the whole set for one that it cannot read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oidc_publisher.keys.certificates import UNREADABLE, read_certificate
from oidc_publisher.keys.publickey import PublicKey

#: Members that go-jose or jose reads, beside those of every key; go-jose does not mind their case.
_READ = frozenset({"x5c", "x5u", "x5t", "x5t#s256", "key_ops", "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_OF_EVERY_KEY = frozenset({"use", "kty", "kid", "alg", "n", "e", "crv", "x", "y"})
_ED25519_BYTES = 32


def overlooked(member: Mapping[str, Any], name: str, key: PublicKey) -> bool:
    """Return whether every verifier overlooks the further member `name` of a JWK, whose key is `key`."""
    value = member[name]
    if name == "x5c":
        return _certificate(value, key) is not None
    if name in ("x5t", "x5t#S256"):
        return _is_digest(value, "sha1" if name == "x5t" else "sha256", _certificate(member.get("x5c"), key), member)
    if name == "key_ops":
        return isinstance(value, list) and "verify" in value and all(isinstance(use, str) for use in value)
    return name.casefold() not in _READ | _OF_EVERY_KEY


def is_passed_over(member: object) -> bool:
    """Return whether every verifier passes over a member that is no key of this product, and reads the others.

    It is an Ed25519 key. (A sound key for encryption is passed over as well: see `jwk.read_jwk`.)
    """
    if not isinstance(member, dict) or (member.get("kty"), member.get("crv")) != ("OKP", "Ed25519"):
        return False
    named = isinstance(member.get("kid"), str) and member["kid"] != "" and "d" not in member
    return named and len(_decoded(member.get("x")) or b"") == _ED25519_BYTES


def _certificate(chain: object, key: PublicKey) -> bytes | None:
    """Return the first certificate (DER) of a chain in x5c, None unless all are certificates and the first is of `key`."""
    if not isinstance(chain, list) or not chain or not all(isinstance(entry, str) for entry in chain):
        return None
    try:
        certificates = [read_certificate(base64.b64decode(entry, validate=True)) for entry in chain]
        certified = certificates[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE:  # binascii.Error is a ValueError; a key of an unknown type is not `key` anyway
        return None
    return certificates[0].public_bytes(Encoding.DER) if certified == key.spki else None


def _is_digest(value: object, algorithm: str, certificate: bytes | None, member: Mapping[str, Any]) -> bool:
    """Return whether `value` is a digest of the certificate, or has the size of one where there is no certificate."""
    digest = _decoded(value)
    if digest is None or ("x5c" in member and certificate is None):
        return False
    made = hashlib.new(algorithm, certificate or b"", usedforsecurity=False).digest()
    return digest == made if certificate else len(digest) == len(made)


def _decoded(value: object) -> bytes | None:
    if not isinstance(value, str) or "=" in value:
        return None
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None

"""Public keys by the hundred: no private half is made, which would take seconds for each RSA key."""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: As a cluster's history leaves them. 512 of them take 0.9 MB of the ledger's room, and 143 fit into a published set.
_MIX = ("RSA-2048", "P-256", "RSA-4096", "P-384", "RSA-2048", "P-256", "P-521", "P-256")
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


@cache
def mixed_pem(number: int) -> bytes:
    """Return the key of this number (0, 1, ...) as PEM: the same one in every run, its kind by the number."""
    kind = _MIX[number % len(_MIX)]
    return _public(kind, f"{kind} {number}".encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public(kind: str, seed: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    if kind in _CURVES:
        private = int.from_bytes(hashlib.sha256(seed).digest(), "big") >> 1  # below the order of each curve
        return ec.derive_private_key(private, _CURVES[kind]).public_key()
    bits = int(kind.removeprefix("RSA-"))
    modulus = int.from_bytes(hashlib.shake_256(seed).digest(bits // 8), "big") | 1 << (bits - 1) | 1
    return rsa.RSAPublicNumbers(65537, modulus).public_key()  # nobody knows its primes

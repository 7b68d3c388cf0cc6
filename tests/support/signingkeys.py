"""Make service-account signing keys of every kind that kube-apiserver accepts."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Kind = Literal["RSA-2048", "RSA-4096", "P-256", "P-384", "P-521"]
KINDS: tuple[Kind, ...] = ("RSA-2048", "RSA-4096", "P-256", "P-384", "P-521")

_ALGORITHMS = {"RSA-2048": "RS256", "RSA-4096": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA_SIZES = {"RSA-2048": 2048, "RSA-4096": 4096}
_CURVES: dict[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair in the forms kube-apiserver reads: traditional private PEM, SubjectPublicKeyInfo public PEM."""

    kind: Kind
    algorithm: str
    kid: str
    private_pem: bytes
    public_pem: bytes


@functools.cache
def signing_key(kind: Kind = "P-256", name: str = "a") -> SigningKey:
    """Return the key of that kind and name, made once per run: generating RSA keys takes seconds."""
    del name  # only tells one key from another
    private = _generate(kind)
    public = private.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return SigningKey(
        kind=kind,
        algorithm=_ALGORITHMS[kind],
        kid=key_id(public.public_bytes(serialization.Encoding.DER, spki)),
        private_pem=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
        public_pem=public.public_bytes(serialization.Encoding.PEM, spki),
    )


def key_id(spki_der: bytes) -> str:
    """Return the kid kube-apiserver gives a key: base64url(SHA-256(DER SubjectPublicKeyInfo)), unpadded.

    Source: keyIDFromPublicKey in k8s.io/kubernetes/pkg/serviceaccount/jwt.go. Written here a second time on purpose,
    so that it checks the operator's own.
    """
    return base64.urlsafe_b64encode(hashlib.sha256(spki_der).digest()).rstrip(b"=").decode()


def _generate(kind: Kind) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if kind in _RSA_SIZES:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_SIZES[kind])
    return ec.generate_private_key(_CURVES[kind]())

"""Make service-account signing keys of every kind that kube-apiserver accepts."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Kind = Literal["RSA-2048", "RSA-4096", "P-256", "P-384", "P-521"]
KINDS: tuple[Kind, ...] = ("RSA-2048", "RSA-4096", "P-256", "P-384", "P-521")

_ALGORITHMS = {"RSA-2048": "RS256", "RSA-4096": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA_SIZES = {"RSA-2048": 2048, "RSA-4096": 4096}
_PRIMES = Path(__file__).with_name("primes.txt")
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
    """Return the key of that kind and name, made once per run. The name only tells one key from another.

    RSA-4096 by another name than "a" takes a second. Other RSA keys are of known primes, and cost nothing.
    """
    private = _of_known_primes() if (kind, name) == ("RSA-4096", "a") else _generate(kind)
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
    if kind == "RSA-2048":
        return rsa_key()
    if kind in _RSA_SIZES:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_SIZES[kind])
    return ec.generate_private_key(_CURVES[kind]())


def rsa_key() -> rsa.RSAPrivateKey:
    """Return an RSA key of 2048 bits that this process has not had yet: of two known primes, or a new one where none are left."""
    p, q = next(_primes()), next(_primes())
    return _of(p, q) if p and q else rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def _primes() -> Iterator[int]:
    lines = _PRIMES.read_text(encoding="ascii").splitlines()
    known = (int(line, 16) for line in lines if not line.startswith("#"))
    return itertools.chain(known, itertools.repeat(0))


def _of_known_primes() -> rsa.RSAPrivateKey:
    """Return a key of two primes that everybody knows: the groups of 2048 bits of RFC 3526 and RFC 7919."""
    bits = 2100
    pi = 4 * (4 * _arctan_of_inverse(5, bits) - _arctan_of_inverse(239, bits))
    p = 2**2048 - 2**1984 - 1 + 2**64 * ((pi >> bits - 1918) + 124476)
    q = 2**2048 - 2**1984 - 1 + 2**64 * ((_e(bits) >> bits - 1918) + 560316)
    return _of(p, q)


def _of(p: int, q: int) -> rsa.RSAPrivateKey:
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, *exponents, rsa.RSAPublicNumbers(e, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)  # to look for factors would take half a second


def _arctan_of_inverse(x: int, bits: int) -> int:
    """Return the arc tangent of 1/x times 2**bits, by its series."""
    term = total = (1 << bits) // x
    n, sign = 3, -1
    while term := term // (x * x):
        total, n, sign = total + sign * (term // n), n + 2, -sign
    return total


def _e(bits: int) -> int:
    """Return e times 2**bits, by its series."""
    term = total = 1 << bits
    n = 1
    while term := term // n:
        total, n = total + term, n + 1
    return total

"""Key material for sample data: cheap, distinct, and the same in every run."""

from __future__ import annotations

import base64
import functools
import hashlib
import textwrap
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from tests.support.signingkeys import rsa_key


@functools.cache
def rsa_public(name: str, bits: int = 2048) -> bytes:
    """The DER SubjectPublicKeyInfo of an RSA key for which nobody has the private half: its modulus is noise.

    Generating true ones takes a second each; who only lists keys cannot tell.
    """
    noise = b"".join(hashlib.sha256(f"{name}/{n}".encode()).digest() for n in range(bits // 256 + 1))
    modulus = int.from_bytes(noise[: bits // 8]) | 1 << (bits - 1) | 1
    return _spki(rsa.RSAPublicNumbers(65537, modulus).public_key())


@functools.cache
def ec_private(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """A true EC key pair."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest()[:24]), curve())


def ec_public(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> bytes:
    """Its public half as DER SubjectPublicKeyInfo."""
    return _spki(ec_private(name, curve).public_key())


@functools.cache
def rsa_private_pem() -> bytes:
    """A true RSA private key as Go's x509.MarshalPKCS1PrivateKey writes it; one for all sample data."""
    return rsa_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def pem(der: bytes, label: str = "PUBLIC KEY") -> bytes:
    """One PEM block as Go's pem.Encode writes it."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def kid(spki: bytes) -> str:
    """The kid that kube-apiserver gives a key; written here once more so that it checks the operator's own."""
    return base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).rstrip(b"=").decode()


@functools.cache
def certificate(spki_name: str, serial: int) -> tuple[bytes, bytes]:
    """A CA certificate over an EC key, as PEM, and the key's SubjectPublicKeyInfo."""
    key = ec_private(spki_name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "service-account")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .public_key(key.public_key())
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM), _spki(key.public_key())


def of_unknown_type(oid: str, raw: bytes) -> bytes:
    """A SubjectPublicKeyInfo for the algorithm of that OID (dotted), by hand: no library need know it."""
    algorithm = _element(0x30, _element(0x06, _oid(oid)))
    return _element(0x30, algorithm + _element(0x03, b"\0" + raw))


def _spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return b"".join(_base128(arc) for arc in (40 * first + second, *rest))


def _base128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


#: id-Ed25519 (RFC 8410) and id-ml-dsa-65 (RFC 9881), with public keys of the right sizes.
ED25519 = of_unknown_type("1.3.101.112", hashlib.sha256(b"ed25519").digest())
ML_DSA_65 = of_unknown_type("2.16.840.1.101.3.4.3.18", hashlib.shake_256(b"ml-dsa-65").digest(1952))

"""Define a public key with the key ID that the cluster's tokens name."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.remembering import Remembered
from oidc_publisher.keys.shape import Shape, shape_of

#: AWS and Entra refuse fewer bits (relying-parties.md). OpenSSL does not verify with more
#: (OPENSSL_RSA_MAX_MODULUS_BITS).
RSA_BITS = range(2048, 16384 + 1)
#: crypto/rsa of Go, and so every relying party in Go, refuses a larger public exponent.
MAX_RSA_EXPONENT = 2**31 - 1
#: kube-apiserver accepts key IDs of 1 to 1024 bytes from an external signer (KEP-740).
MAX_KEY_ID_BYTES = 1024

#: The one JWS algorithm that kube-apiserver signs with, by the curve's name in cryptography.
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_CURVE_NAMES = {"secp192r1": "P-192", "secp224r1": "P-224"}

#: id-RSASSA-PSS (1.2.840.113549.1.1.10) in DER. `cryptography` reads such a key as plain RSA; crypto/x509 of Go, and so
#: kube-apiserver, does not support it.
_RSA_PSS = bytes.fromhex("06092a864886f70d01010a")

# 32 bytes in base64url without padding: the last of the 43 characters carries four bits.
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]+)-----END PUBLIC KEY-----\n?")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A PublicKey is one that may be published.

    `key_id` is the `kid` of tokens and JWKS, `algorithm` the JWS algorithm that follows from the key's type (RS256,
    ES256, ES384 or ES512), `spki` the material as DER SubjectPublicKeyInfo. Keys are equal when all three are equal:
    the same material under two key IDs is two keys. Compare `spki` to compare the material alone.
    """

    key_id: str
    algorithm: str
    spki: bytes

    @classmethod
    def from_spki(cls, der: bytes, key_id: str | None = None) -> Self:
        """Read the key in a DER SubjectPublicKeyInfo, and bring it to its one canonical form.

        Without `key_id` the key gets its thumbprint. Raises KeyRefusedError: EntryUnreadable for bytes that are no such
        key (a point off its curve too), KeyUnsupported for a type or size that relying parties refuse.
        """
        key = _parsed(der)
        return cls(key.key_id if key_id is None else _checked(key_id), key.algorithm, key.spki)

    @classmethod
    def of(cls, material: PublicKeyTypes, key_id: str | None = None) -> Self:
        """Return the key of a `cryptography` public key; raises as `from_spki` does."""
        algorithm = _algorithm(material)
        spki = material.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key_id is None:
            return cls(thumbprint(spki), algorithm, spki)
        return cls(_checked(key_id), algorithm, spki)

    @classmethod
    def from_pem(cls, pem: str, key_id: str | None = None) -> Self:
        """Read the key in one PEM block "PUBLIC KEY", as `to_pem` writes it (status.keys[].publicKey).

        Raises as `from_spki` does. `read_entry` reads the files of other writers, which have further forms.
        """
        block = _PEM.fullmatch(pem)
        if block is None:
            raise KeyRefusedError(Reason.EntryUnreadable, 'is not one PEM block "PUBLIC KEY"')
        try:
            der = base64.b64decode(block[1].replace("\n", ""), validate=True)
        except binascii.Error:
            raise KeyRefusedError(Reason.EntryUnreadable, "is not base64 between its PEM lines") from None
        return cls.from_spki(der, key_id)

    def to_pem(self) -> str:
        """Return the material as one PEM block "PUBLIC KEY" with a final newline."""
        text = base64.b64encode(self.spki).decode("ascii")
        lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"

    @property
    def key_type(self) -> str:
        """The `kty` of the key's JWK: RSA or EC."""
        return "RSA" if self.algorithm == "RS256" else "EC"

    def material(self) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        """Return the key as an object of `cryptography`."""
        material = load_der_public_key(self.spki)
        if not isinstance(material, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise KeyRefusedError(Reason.KeyUnsupported, f"is {_described(material)}")
        return material


def _parse(der: bytes) -> PublicKey:
    if shape_of(der) is not Shape.SPKI:
        raise KeyRefusedError(Reason.EntryUnreadable, "is no SubjectPublicKeyInfo")
    if _RSA_PSS in der[:32]:
        raise KeyRefusedError(Reason.KeyUnsupported, "is an RSA key for PSS only")
    try:
        material = load_der_public_key(der)
    except UnsupportedAlgorithm:
        raise KeyRefusedError(Reason.KeyUnsupported, "is a key of an unknown type") from None
    except ValueError:
        raise KeyRefusedError(Reason.EntryUnreadable, "is no valid public key") from None
    return PublicKey.of(material)


#: Every pass reads the same keys from the status and from entries, and most keys have not changed since the last pass.
#: Room for the RSA keys of 8,000 issuers, or of 16 full ledgers. Only public keys are ever passed to this function.
_parsed = Remembered(_parse, limit=8192 * 294)


def thumbprint(spki: bytes) -> str:
    """Return the kid that kube-apiserver gives a key: unpadded base64url of SHA-256 over the SubjectPublicKeyInfo.

    Source: keyIDFromPublicKey in k8s.io/kubernetes/pkg/serviceaccount/jwt.go. This is not the thumbprint of RFC 7638.
    """
    return base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).rstrip(b"=").decode("ascii")


def looks_like_thumbprint(key_id: str) -> bool:
    """Return whether a kid has the form of a SHA-256 thumbprint: 43 characters of base64url that decode to 32 bytes."""
    return _THUMBPRINT.fullmatch(key_id) is not None


def is_thumbprint_of(key_id: str, spki: bytes) -> bool:
    """Return whether `key_id` is the thumbprint that kube-apiserver gives this material."""
    return key_id == thumbprint(spki)


def _checked(key_id: str) -> str:
    try:
        size = len(key_id.encode())
    except UnicodeEncodeError:  # a lone surrogate, which the published JSON cannot hold
        size = 0
    if not 1 <= size <= MAX_KEY_ID_BYTES:
        raise KeyRefusedError(Reason.EntryUnreadable, f"has a kid that is not 1 to {MAX_KEY_ID_BYTES} bytes of text")
    return key_id


def _algorithm(material: PublicKeyTypes) -> str:
    if isinstance(material, rsa.RSAPublicKey):
        numbers = material.public_numbers()
        refuse_unsound_rsa(numbers.n, numbers.e)
        return "RS256"
    if isinstance(material, ec.EllipticCurvePublicKey) and material.curve.name in _EC_ALGORITHMS:
        return _EC_ALGORITHMS[material.curve.name]
    raise KeyRefusedError(Reason.KeyUnsupported, f"is {_described(material)}")


def refuse_unsound_rsa(modulus: int, exponent: int) -> None:
    """Raise KeyRefusedError(KeyUnsupported) for RSA numbers that some relying party refuses."""
    bits = modulus.bit_length()
    if bits not in RSA_BITS:
        limit = f"at least {RSA_BITS[0]}" if bits < RSA_BITS[0] else f"at most {RSA_BITS[-1]}"
        raise KeyRefusedError(Reason.KeyUnsupported, f"is an RSA key of {bits} bits; {limit} are supported")
    if not 3 <= exponent <= MAX_RSA_EXPONENT or exponent % 2 == 0:  # noqa: PLR2004 - with 1 any signature verifies
        raise KeyRefusedError(Reason.KeyUnsupported, "is an RSA key with an exponent that is not odd and 3 to 2^31-1")
    if modulus % 2 == 0:
        raise KeyRefusedError(
            Reason.KeyUnsupported, "is an RSA key with an even modulus, which is no product of primes"
        )


def _described(material: PublicKeyTypes) -> str:
    if isinstance(material, ec.EllipticCurvePublicKey):
        return f"an EC key on {_CURVE_NAMES.get(material.curve.name, material.curve.name)}"
    # The class has the name of the type: Ed25519PublicKey, MLDSA44PublicKey, DSAPublicKey.
    return f"a key of type {type(material).__name__.removesuffix('PublicKey')}"

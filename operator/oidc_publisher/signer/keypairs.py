"""Make and read pairs of keys, and sign tokens with a private half."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.signer.ring import PrivateHalf, RingKey

#: What kubeadm makes, and the least that relying parties take.
_RSA_BITS, _RSA_EXPONENT = 2048, 65537
_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "RS256": hashes.SHA256(),
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
}
Material = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def make_pair(algorithm: str) -> tuple[PublicKey, PrivateHalf]:
    """Make a key for RS256, ES256, ES384 or ES512. An RSA key takes up to half a second."""
    if algorithm in _CURVES:
        return _pair(ec.generate_private_key(_CURVES[algorithm]()))
    return _pair(rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS))


def read_pair(pem: bytes) -> tuple[PublicKey, PrivateHalf]:
    """Read a private key in PEM, such as kubeadm's sa.key; its key ID is the one that kube-apiserver gives it.

    Raises KeyRefusedError for anything else, and for keys of kinds or sizes that relying parties refuse.
    """
    try:
        material = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: the key is encrypted
        raise KeyRefusedError(Reason.EntryUnreadable, "is no unencrypted private key in PEM") from None
    if not isinstance(material, Material):
        raise KeyRefusedError(Reason.KeyUnsupported, "is neither an RSA nor an EC key")
    return _pair(material)


def _pair(material: Material) -> tuple[PublicKey, PrivateHalf]:
    der = material.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return PublicKey.of(material.public_key()), PrivateHalf(der)


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """A TokenSigner signs claims with one version of the key; `header` is the first segment of each of its tokens."""

    key_id: str
    algorithm: str
    header: str
    material: Material = field(repr=False)

    @classmethod
    def of(cls, key: RingKey) -> Self:
        """Return the signer of a version that can sign.

        Raises ValueError for a version without a private half.
        """
        if key.private is None:
            raise ValueError(f"version {key.number} has no private half")
        material = serialization.load_der_private_key(key.private.pkcs8, None)
        if not isinstance(material, Material):
            raise TypeError("a public key is of another kind than its private half")
        # kube-apiserver refuses every further member, and every other typ (KEP-740).
        header = json.dumps({"alg": key.key.algorithm, "kid": key.key_id, "typ": "JWT"}, separators=(",", ":"))
        return cls(key.key_id, key.key.algorithm, _segment(header.encode()), material)

    def sign(self, claims: str) -> str:
        """Return the signature over the header and these claims, both as they stand in the token (RFC 7515)."""
        content, hashing = f"{self.header}.{claims}".encode("ascii"), _HASHES[self.algorithm]
        if isinstance(self.material, rsa.RSAPrivateKey):
            return _segment(self.material.sign(content, padding.PKCS1v15(), hashing))
        r, s = decode_dss_signature(self.material.sign(content, ec.ECDSA(hashing)))
        size = (self.material.curve.key_size + 7) // 8
        return _segment(r.to_bytes(size, "big") + s.to_bytes(size, "big"))


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
